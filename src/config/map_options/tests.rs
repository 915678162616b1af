//! Options as `rbd device map` writes them, and the faults of invalid ones.

use super::*;

fn printed(lists: &[&str]) -> String {
    let mut options = MapOptions::default();
    for list in lists {
        options.add(list).unwrap();
    }
    options.to_string()
}

/// The expected texts are what `rbd device map` 16.2.15 wrote for the same options.
#[test]
fn options_print_sorted_by_subject_and_the_last_one_counts() {
    let rows: [(&[&str], &str); 8] = [
        (
            &[
                "queue_depth=64,ro,lock_on_read,alloc_size=4096,rw",
                "notrim,ip=127.0.0.1:0,crush_location=rack:a",
                "ro",
            ],
            "alloc_size=4096,crush_location=rack:a,ip=127.0.0.1:0,lock_on_read,notrim,queue_depth=64,ro",
        ),
        (
            &["ms_mode=prefer-crc,noshare"],
            "ms_mode=prefer-crc,noshare",
        ),
        (&["rw,noudev"], ""),
        (&["share,noshare"], "noshare"),
        (
            &["queue_depth=007,lock_timeout=+3"],
            "lock_timeout=3,queue_depth=7",
        ),
        (
            &["ip=10.0.0.1", "ro notrim, noshare"],
            "ip=10.0.0.1:0,notrim,ro,noshare",
        ),
        (&["ip=v1:[::1]:7/8"], "ip=[::1]:7"),
        (
            &["fsid=11111111-2222-3333-4444-ABCDEFABCDEF,ro=1"],
            "fsid=11111111-2222-3333-4444-abcdefabcdef,ro",
        ),
    ];
    for (lists, expected) in rows {
        assert_eq!(printed(lists), expected);
    }
}

#[test]
fn an_invalid_option_is_refused_with_the_expected_value() {
    let rows = [
        (
            "queue_dept=5",
            "unknown map option \"queue_dept\"; did you mean \"queue_depth\"?",
        ),
        ("queue_depth", "map option queue_depth needs a value"),
        (
            "queue_depth=0",
            "map option queue_depth cannot be \"0\", expected a number of at least 1",
        ),
        (
            "queue_depth=0x10",
            "map option queue_depth cannot be \"0x10\", expected a number of at least 1",
        ),
        (
            "ip=host",
            "map option ip cannot be \"host\", expected an IP address",
        ),
        (
            "fsid=1-1",
            "map option fsid cannot be \"1-1\", expected a UUID",
        ),
        (
            "crush_location=a\tb",
            "map option crush_location cannot be \"a\\tb\", expected text without blanks",
        ),
    ];
    for (list, expected) in rows {
        let error = MapOptions::default().add(list).unwrap_err();
        assert_eq!(error.to_string(), expected);
    }
}

#[test]
fn defaults_set_only_options_that_are_absent() {
    let mut options = MapOptions::default();
    options.add("queue_depth=8,rw").unwrap();
    options.add_defaults("queue_depth=64,ro,noshare").unwrap();
    assert_eq!(options.to_string(), "queue_depth=8,noshare");
    assert!(!options.read_only());
}

#[test]
fn a_uuid_may_have_braces_and_lack_its_dashes_but_not_some_of_them() {
    let canonical = "fsid=11111111-2222-3333-4444-abcdefabcdef";
    for id in [
        "11111111222233334444ABCDEFABCDEF",
        "{11111111222233334444abcdefabcdef}",
        "{11111111-2222-3333-4444-abcdefabcdef}",
    ] {
        assert_eq!(printed(&[&format!("fsid={id}")]), canonical, "{id}");
    }
    for id in [
        "11111111-222233334444abcdefabcdef",
        "{11111111-2222-3333-4444-abcdefabcdef",
        "{{11111111-2222-3333-4444-abcdefabcdef}}",
        "urn:uuid:11111111-2222-3333-4444-abcdefabcdef",
    ] {
        let list = format!("fsid={id}");
        assert!(MapOptions::default().add(&list).is_err(), "{id}");
    }
}
