//! Lines as the script reads them, and the faults that the script does not report.

use super::*;
use proptest::prelude::*;

fn one(text: &str) -> Entry {
    let (mut entries, faults) = parse(Path::new("rbdmap"), text);
    assert_eq!(
        (entries.len(), faults.as_slice()),
        (1, [].as_slice()),
        "{text:?}"
    );
    entries.remove(0)
}

fn fault(text: &str) -> String {
    let (entries, faults) = parse(Path::new("rbdmap"), text);
    assert_eq!((entries.len(), faults.len()), (0, 1), "{text:?}");
    faults[0].to_string()
}

#[test]
fn the_line_of_the_ceph_guide_is_read() {
    let entry = one("rbd/image\tid=boot,keyring=/etc/ceph/ceph.client.boot.keyring\n");
    assert_eq!(entry.spec.to_string(), "rbd/image");
    assert_eq!(entry.options.user.as_deref(), Some("boot"));
    assert_eq!(
        entry.options.keyring.as_deref(),
        Some("/etc/ceph/ceph.client.boot.keyring")
    );
}

#[test]
fn quirks_of_the_script_are_kept() {
    let rows = [
        ("image", "rbd/image", ""),
        ("  p/i id=a # comment", "p/i", ""),
        ("p/i read-only,id=a", "p/i", "ro"),
        (
            "p/i options='lock_on_read,queue_depth=1024'",
            "p/i",
            "lock_on_read,queue_depth=1024",
        ),
        ("p/i id=a,options='ro' # '", "p/i", "ro"),
        ("p/i id=a,\\\nexclusive", "p/i", "exclusive"),
        ("p/i id=a,", "p/i", ""),
        ("p/i id=a, exclusive", "p/i", "exclusive"),
        ("i pool=p,namespace=n,snap=s", "rbd/n/i@s", ""),
        ("p/n/i@s pool=q,namespace=m,snap=t", "p/n/i@s", ""),
        ("p/i read-only,options='rw'", "p/i", "ro"),
    ];
    for (text, spec, options) in rows {
        let entry = one(text);
        assert_eq!(
            (
                entry.spec.to_string().as_str(),
                entry.options.map.to_string().as_str()
            ),
            (spec, options)
        );
    }
}

#[test]
fn faults_name_line_column_and_remedy() {
    let rows = [
        (
            "p/i queue_depth=64",
            "rbdmap:1:5: queue_depth is an option for the kernel: write options='queue_depth…', and separate several by commas",
        ),
        (
            "\n\np/i id=a,keyrng=/k",
            "rbdmap:3:10: unknown option \"keyrng\"; did you mean \"keyring\"?",
        ),
        (
            "p/i id",
            "rbdmap:1:5: option id needs a value, expected id=VALUE",
        ),
        (
            "p/i id=a b",
            "rbdmap:1:9: a blank inside an option, expected a comma between options",
        ),
        (
            "p/i name=osd.1",
            "rbdmap:1:5: user \"osd.1\" is not of the form client.ID; only such users can map images",
        ),
        (
            "a/b/c/d id=a",
            "rbdmap:1:1: image \"a/b/c/d\" has more than two slashes, expected pool/namespace/image",
        ),
    ];
    for (text, expected) in rows {
        assert_eq!(fault(text), expected);
    }
    assert!(fault("p/i device-type=nbd").contains("rbd-nbd(8)"));
    assert!(
        !format!("{:?}", one("p/i key=AQsecret")).contains("AQ"),
        "a key is never printed"
    );
}

#[test]
fn a_line_with_an_open_quote_is_used_as_by_the_script_and_is_a_fault() {
    let (entries, faults) = parse(
        Path::new("t"),
        "p/i id=a,options='ro\np/j options='ro # '\np/k options='a,b'",
    );
    assert_eq!(entries.len(), 2, "{faults:?}");
    assert_eq!(entries[0].options.map.to_string(), "ro");
    let positions: Vec<_> = faults
        .iter()
        .map(|fault| (fault.position.line, fault.position.column, fault.is_served))
        .collect();
    assert_eq!(positions, [(1, 18, true), (2, 13, true), (3, 5, false)]);
}

#[test]
fn one_bad_line_never_stops_a_good_one() {
    let (entries, faults) = parse(Path::new("rbdmap"), "p/a id=x\np/b nonsense=1\np/c id=y");
    assert_eq!(entries.iter().map(Entry::line).collect::<Vec<_>>(), [1, 3]);
    assert_eq!(faults.len(), 1);
}

proptest! {
    #[test]
    fn an_images_lines_are_read_the_same_without_the_other_lines(
        text in "(rbd/|p/n/|a|b|ab|@s|#|'|\\\\|=|,| |\t|\r|\n|\n|\n| id=x| namespace=n){0,40}"
    ) {
        for Entry { spec, .. } in parse(Path::new("t"), &text).0 {
            let mut all = parse(Path::new("t"), &text).0;
            let mut only = parse_only(Path::new("t"), &text, std::slice::from_ref(&spec)).0;
            all.retain(|entry| entry.spec == spec);
            only.retain(|entry| entry.spec == spec);
            prop_assert_eq!(only, all);
        }
    }

    #[test]
    fn parsing_never_panics(text in "(?s).*") {
        parse(Path::new("rbdmap"), &text);
    }

    #[test]
    fn every_line_is_an_entry_a_fault_or_nothing(text in "[a-z/=,'# \n\\\\@-]{0,80}") {
        let (entries, faults) = parse(Path::new("rbdmap"), &text);
        let refused = faults.iter().filter(|fault| !fault.is_served).count();
        prop_assert!(entries.len() + refused <= text.lines().count());
    }
}
