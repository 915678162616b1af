//! Steps and refused entries, for tables of fstab lines.

use super::*;
use crate::model::fstab_entry::FstabSource;

/// `source target [options [type]]` a line; `_` is a space.
fn fstab(text: &str) -> Vec<FstabEntry> {
    text.lines()
        .map(|line| {
            let words: Vec<String> = line
                .split_whitespace()
                .map(|word| word.replace('_', " "))
                .collect();
            let word = |at: usize, default: &str| {
                words.get(at).cloned().unwrap_or_else(|| default.to_owned())
            };
            let options = word(2, "noauto").split(',').map(str::to_owned).collect();
            FstabEntry {
                source: word(0, ""),
                target: word(1, "").into(),
                fstype: word(3, "xfs"),
                options,
                pass: 0,
                path: "/etc/fstab".into(),
                declared_in: FstabSource::Fstab,
            }
        })
        .collect()
}

fn specs(text: &str) -> Vec<ImageSpec> {
    text.split_whitespace()
        .map(|spec| spec.parse().unwrap())
        .collect()
}

/// `target [images] (what it comes after)` for each step; `!` marks refused entries.
fn printed(graph: &FstabGraph) -> Vec<String> {
    let steps = graph.steps.iter().map(|step| {
        let images: Vec<String> = step.images.iter().map(|spec| spec.image.clone()).collect();
        let after: Vec<String> = step
            .after
            .iter()
            .map(|at| graph.steps[*at].entry.target.display().to_string())
            .collect();
        format!(
            "{} [{}] ({})",
            step.entry.target.display(),
            images.join(" "),
            after.join(" ")
        )
    });
    let refused = graph
        .refused
        .iter()
        .map(|line| format!("! {}", line.entry.target.display()));
    steps.chain(refused).collect()
}

fn check(name: &str, lines: &str, expected: &[&str]) {
    let (fstab, images) = (fstab(lines), specs("rbd/a rbd/b rbd/b@s"));
    let images: Vec<&ImageSpec> = images.iter().collect();
    assert_eq!(
        printed(&FstabGraph::new(&fstab, &images)),
        expected,
        "{name}"
    );
}

#[test]
fn entries_stand_on_images_directly_and_through_other_entries() {
    check(
        "others",
        "/dev/sda1 / defaults ext4\nUUID=1 /home\n/dev/rbd/rbd/c /c",
        &[],
    );
    check("plain", "/dev/rbd/rbd/a /a", &["/a [a] ()"]);
    check(
        "several",
        "/dev/rbd/rbd/b-part2 /z\n/dev/rbd/rbd/b-part1 /y",
        &["/z [b] ()", "/y [b] ()"],
    );
    check(
        "nested",
        "/dev/rbd/rbd/b /s/x/y\n/dev/rbd/rbd/a /s/x/",
        &["/s/x/ [a] ()", "/s/x/y [b a] (/s/x/)"],
    );
    check(
        "not inside",
        "/dev/rbd/rbd/a /srv\n/dev/sda1 /srv2",
        &["/srv [a] ()"],
    );
    check(
        "slashes",
        "/dev//rbd/rbd/a //s//\ntmpfs /s/./t/",
        &["//s// [a] ()", "/s/./t/ [a] (//s//)"],
    );
    check(
        "space",
        "/dev/rbd/rbd/a /my_data\n/my_data/x /y bind none",
        &["/my data [a] ()", "/y [a] (/my data)"],
    );
    check(
        "bind",
        "/s/etc /e bind none\n/dev/rbd/rbd/a /s",
        &["/s [a] ()", "/e [a] (/s)"],
    );
    check(
        "loop",
        "/s/i.img /i loop,ro squashfs\n/dev/rbd/rbd/a /s",
        &["/s [a] ()", "/i [a] (/s)"],
    );
    check(
        "other disk inside",
        "/dev/sdb1 /s/d\n/dev/rbd/rbd/a /s",
        &["/s [a] ()", "/s/d [a] (/s)"],
    );
    check(
        "swap and root",
        "/dev/rbd/rbd/a none sw swap\n/dev/rbd/rbd/b / defaults ext4\n/dev/sda1 /x",
        &[],
    );
}

#[test]
fn an_overlay_needs_the_images_of_all_its_directories() {
    let lines = "overlay /m lowerdir=/lo/root:/other,upperdir=/up/u,workdir=/up/w overlay\n\
                 /dev/rbd/rbd/b@s /lo ro squashfs\n/dev/rbd/rbd/a /up\n/m/x /bound rbind none";
    let expected = [
        "/lo [b] ()",
        "/up [a] ()",
        "/m [b a] (/lo /up)",
        "/bound [b a] (/m)",
    ];
    check("overlay", lines, &expected);
}

#[test]
fn an_image_whose_name_looks_like_a_partition_is_found() {
    let (fstab, images) = (fstab("/dev/rbd/rbd/x-part1 /x"), specs("rbd/x rbd/x-part1"));
    let graph = FstabGraph::new(&fstab, &images.iter().collect::<Vec<_>>());
    assert_eq!(printed(&graph), ["/x [x-part1] ()"]);
}

#[test]
fn circles_and_duplicates_are_refused_and_other_entries_are_not() {
    let circle = "/dev/rbd/rbd/a /s\n/s/b/file /s/a loop ext4\n/s/a/file /s/b loop ext4\n/s/b/x /c bind none\n\
                  /s/d /s/d bind none";
    check(
        "circle",
        circle,
        &["/s [a] ()", "/s/d [a] (/s)", "! /s/a", "! /s/b", "! /c"],
    );
    check(
        "second",
        "/dev/rbd/rbd/a /s\n/dev/rbd/rbd/b /s/\ntmpfs /s/t",
        &["/s [a] ()", "/s/t [a] (/s)", "! /s/"],
    );
    let (fstab, images) = (fstab(circle), specs("rbd/a"));
    let why = &FstabGraph::new(&fstab, &[&images[0]]).refused[0].why;
    assert_eq!(
        why,
        "these mounts need each other in a circle: /s/a, /s/b, /c; change their sources or mount points"
    );
}

#[test]
fn only_entries_that_need_no_other_image_are_kept_for_named_images() {
    let fstab = fstab(
        "/dev/rbd/rbd/a /s\n/dev/rbd/rbd/b /s/b\ntmpfs /s/b/t\ntmpfs /s/t\noverlay /m lowerdir=/s,upperdir=/s/b overlay",
    );
    let images = specs("rbd/a rbd/b");
    let all: Vec<&ImageSpec> = images.iter().collect();
    let of_a = FstabGraph::new(&fstab, &all).only(&all[..1]);
    assert_eq!(printed(&of_a), ["/s [a] ()", "/s/t [a] (/s)"]);
    let of_b = FstabGraph::new(&fstab, &all).only(&all[1..]);
    assert_eq!(printed(&of_b), ["/s/b [b a] ()"]);
    assert_eq!(of_b.steps[0].elsewhere, [Path::new("/s")]);
    assert_eq!(
        FstabGraph::new(&fstab, &all).only(&all),
        FstabGraph::new(&fstab, &all)
    );
}

#[test]
fn ten_thousand_nested_lines_are_ordered() {
    let lines: String = (0..10_000)
        .rev()
        .map(|n| format!("/s/{n} /s/{} bind none\n", n + 1))
        .collect();
    let (fstab, images) = (
        fstab(&format!("/dev/rbd/rbd/a /s\n{lines}")),
        specs("rbd/a"),
    );
    assert_eq!(FstabGraph::new(&fstab, &[&images[0]]).steps.len(), 10_001);
}
