//! The settings that texts result in, and what a fault in a text affects.

mod faults;
mod shipped;

use super::*;
use crate::model::fstab_entry::FstabEntry;
use crate::runtime::fake_root::FakeRoot;
use proptest::prelude::*;

fn merged(files: &[(&str, &str)]) -> (Settings, Vec<String>) {
    let mut merged = MergedSettings::default();
    for (path, text) in files {
        merged.add_file(Path::new(path), text);
    }
    let (settings, faults) = merged.finish();
    (settings, faults.iter().map(Fault::to_string).collect())
}

fn good(text: &str) -> Settings {
    let (settings, faults) = merged(&[("f", text)]);
    assert_eq!(faults, [""; 0], "{text}");
    settings
}

/// The only fault of a text that results in no image.
fn fault(text: &str) -> String {
    let (settings, mut faults) = merged(&[("f", text)]);
    assert_eq!(
        (settings.images.len(), faults.len()),
        (0, 1),
        "{text}: {faults:?}"
    );
    faults.remove(0)
}

/// The mounts of an image as lines of fstab.
fn lines(image: &DeclaredImage) -> Vec<String> {
    let line = |mount: &FstabEntry| {
        let options = mount.option_string();
        format!(
            "{} {} {} {options} 0 {}",
            mount.source,
            mount.target.display(),
            mount.fstype,
            mount.pass
        )
    };
    image.mounts.iter().map(line).collect()
}

/// A text with one image and one mount, with `keys` below `[[image.mount]]`.
fn mount(keys: &str) -> String {
    format!("[[image]]\nspec = \"p/i\"\n[[image.mount]]\n{keys}")
}

#[test]
fn later_files_override_keys_and_add_images() {
    let first = "parallel = 4\nmap_timeout = 10\nms_mode = \"secure\"\nmap_options = \"ro\"\n[[image]]\nspec = \"a\"\n";
    let second = "parallel = 8\nmap_options = \"queue_depth=8,ms_mode=crc\"\n[[image]]\nspec = \"p/n/b@s\"\nid = \"u\"\n";
    let (settings, faults) = merged(&[("1", first), ("2", second)]);
    assert_eq!(faults, [""; 0]);
    assert_eq!(
        (
            settings.parallel,
            settings.timeouts.map,
            settings.timeouts.unmap.as_secs()
        ),
        (8, Duration::from_secs(10), 50)
    );
    assert_eq!(
        settings.defaults.to_string(),
        "ms_mode=secure,queue_depth=8"
    );
    let declared = |image: &DeclaredImage| {
        format!(
            "{}:{} {}",
            image.entry.path().display(),
            image.entry.line(),
            image.entry.spec
        )
    };
    assert_eq!(
        settings.images.iter().map(declared).collect::<Vec<_>>(),
        ["1:5 rbd/a", "2:3 p/n/b@s"]
    );
    assert_eq!(settings.images[1].entry.options.user.as_deref(), Some("u"));
}

#[test]
fn an_image_overrides_the_defaults() {
    let settings =
        good("map_options = \"ro,queue_depth=8\"\n[[image]]\nspec = \"a\"\nread_only = false\n");
    let mut map = settings.images[0].entry.options.map.clone();
    map.add_defaults(&settings.defaults.to_string()).unwrap();
    assert_eq!(
        (map.read_only(), map.value("queue_depth")),
        (false, Some("8"))
    );
}

#[test]
fn a_bad_statement_affects_only_itself() {
    let text = "parallel = 0\nmap_timeout = 7\nunmap_timeot = 5\n\
        [[image]]\nspec = \"a\"\n[[image]]\nspec = \"b\"\nread_onyl = true\n[[image]]\nspec = \"c\"\n";
    let (settings, faults) = merged(&[
        ("f", text),
        ("g", "x = = 1\n[[image]]\nspec = \"d\"\n"),
        ("h", "parallel = 2"),
    ]);
    assert_eq!(
        (
            settings.parallel,
            settings.timeouts.map.as_secs(),
            settings.timeouts.unmap.as_secs()
        ),
        (2, 7, 50)
    );
    let names: Vec<&str> = settings
        .images
        .iter()
        .map(|image| image.entry.spec.image.as_str())
        .collect();
    assert_eq!(names, ["a", "c"]);
    let expected = [
        "f:1:12: invalid value: integer `0`, expected a whole number from 1 to 256",
        "f:3:1: unknown key \"unmap_timeot\"; did you mean \"unmap_timeout\"?",
        "f:8:1: unknown key \"read_onyl\"; did you mean \"read_only\"?",
        "g:1:5: extra `=`, expected nothing",
    ];
    assert_eq!(faults, expected);
}

#[test]
fn an_image_or_mount_point_that_is_declared_twice_is_a_fault_that_names_both_places() {
    let (settings, faults) = merged(&[
        ("1", "\n[[image]]\nspec = \"a\"\n"),
        ("2", "[[image]]\nspec = \"rbd/a\"\n"),
    ]);
    assert_eq!(settings.images.len(), 1);
    assert_eq!(
        faults,
        ["2:1:1: image rbd/a is declared a second time, first at 1:2; remove one of the two"]
    );
    let twice = "where = \"/m\"\n[[image.mount]]\npartition = 2\nwhere = \"//m/\"\n";
    let expected =
        "f:1:1: mount point /m is declared a second time, first at f:1; remove one of the two";
    assert_eq!(fault(&mount(twice)), expected);
}

#[test]
fn the_files_of_the_directory_are_read_after_the_main_file() {
    let root = FakeRoot::new();
    assert_eq!(read(&root), (Settings::default(), Vec::new()));
    root.write("etc/rbdmap.toml", "parallel = 1\nmap_timeout = 1\n");
    let fragments = [
        ("20.toml", "parallel = 3\n"),
        ("10.toml", "parallel = 2\nunmap_timeout = 2\n"),
        ("30.toml", "parallel = -1\n"),
    ];
    for (name, text) in fragments {
        root.write(Path::new("etc/rbdmap.toml.d").join(name), text);
    }
    let (settings, faults) = read(&root);
    let expected = Settings {
        parallel: 3,
        timeouts: Timeouts {
            map: Duration::from_secs(1),
            unmap: Duration::from_secs(2),
            ..Timeouts::default()
        },
        ..Settings::default()
    };
    assert_eq!(settings, expected);
    assert_eq!(faults.len(), 1);
    assert!(faults[0].to_string().ends_with(
        "30.toml:1:12: invalid value: integer `-1`, expected a whole number from 1 to 256"
    ));
}

/// Words from which TOML and near misses are made.
const WORDS: &str = "(parallel|ms_mode|spec|where|overlay|upper|work|lower|monitors|\\[\\[image\\]\\]\n|\
    \\[\\[image\\.mount\\]\\]\n|\\[image\\.mount\\.overlay\\]\n|[\\[\\]{}.,#\"\n]|\"/a\"|'a,:'|é|7|true| = ){0,30}";

proptest! {
    #[test]
    fn no_text_panics_and_each_fault_is_one_line(text in "(?s).*", words in WORDS) {
        for text in [text, words] {
            for fault in merged(&[("f", &text)]).1 {
                prop_assert!(!fault.contains(char::is_control), "{:?}", fault);
            }
        }
    }
}
