//! Files whose values `ceph-conf` 16.2.15 reads in the same way.

use super::*;
use proptest::prelude::*;

fn parse(text: &str) -> CephConf {
    CephConf::parse(Path::new("ceph.conf"), text)
        .map_err(|fault| fault.to_string())
        .unwrap()
}

fn boot() -> Identity {
    Identity {
        cluster: "ceph".to_owned(),
        user: "boot".to_owned(),
        host: "node1".to_owned(),
    }
}

/// A file, a key in it, and the value that client.boot has for the key.
type Row = (&'static str, &'static str, Option<&'static str>);

const LINES: &[Row] = &[
    ("[global]\nmon host = a\n", "mon_host", Some("a")),
    ("[global]\nmon   host=a\n", "mon_host", Some("a")),
    ("[global]\nmon-host = a\n", "mon_host", None),
    ("[global]\nMon_host = a\n", "mon_host", None),
    ("[global]\nmon_host = a;b\n", "mon_host", Some("a")),
    ("[global]\nmon_host = a\\;b\n", "mon_host", Some("a;b")),
    (
        "[global]\nmon_host = \"a b\" # c\n",
        "mon_host",
        Some("a b"),
    ),
    ("[global]\nmon_host = a\\\n  b\n", "mon_host", Some("a  b")),
    (
        "[global]\nmon_host = a\nmon_host = b\n",
        "mon_host",
        Some("b"),
    ),
    (
        "[global]\nmon_host = a\n[client]\nmon_host = b\n[client.boot]\nmon_host = c\n",
        "mon_host",
        Some("c"),
    ),
    (
        "[global]\nmon_host = a\n[client.other]\nmon_host = c\n",
        "mon_host",
        Some("a"),
    ),
    ("[global ]\nmon_host = a\n", "mon_host", None),
    ("[global]\r\nmon_host = a\r\n", "mon_host", Some("a")),
    ("mon_host = a", "mon_host", Some("a")),
    ("[global]\nmon_host = \" a \"\n", "mon_host", Some("a")),
    (
        "[global]\nmon_host = a\\\\\nkeyring = b\n",
        "mon_host",
        Some("a\\"),
    ),
    ("[global]\n# a\\\nmon_host = b\n", "mon_host", Some("b")),
    ("[global]\rmon_host = a\r", "mon_host", Some("a")),
    (
        "[global\\]]\nmon_host = a\n[global]\nmon_host = b\n",
        "mon_host",
        Some("b"),
    ),
    ("[global]\nmon_host =\n", "mon_host", Some("")),
];

const METAVARIABLES: &[Row] = &[
    (
        "[global]\nkeyring = /e/$cluster.$name.${id}x$unknown.$\n",
        "keyring",
        Some("/e/ceph.client.boot.bootx$unknown.$"),
    ),
    (
        "[global]\nkeyring = $a\na = $keyring\n",
        "keyring",
        Some("$keyring"),
    ),
    (
        "[global]\nkeyring = a$keyring\n",
        "keyring",
        Some("a$keyring"),
    ),
    ("[global]\nkeyring = $host\n", "keyring", Some("node1")),
    (
        "[global]\nkeyring = $host\nhost = node2\n",
        "keyring",
        Some("node2"),
    ),
];

fn check(rows: &[Row]) {
    for (text, key, expected) in rows {
        let value = parse(text).value(&boot(), key);
        assert_eq!(value.as_deref(), *expected, "{text:?}");
    }
}

#[test]
fn lines_are_read_as_ceph_conf_reads_them() {
    check(LINES);
}

#[test]
fn metavariables_are_expanded_as_ceph_conf_expands_them() {
    check(METAVARIABLES);
}

#[test]
fn a_bad_line_invalidates_the_file_and_is_reported_with_its_number() {
    let rows = [
        (
            "[global]\nnonsense\n",
            "ceph.conf:2: a line without `=`, expected: key = value",
        ),
        (
            "[global\n",
            "ceph.conf:1: section \"[global\" has no closing bracket",
        ),
        (
            "[global]\na = \"b\" c\n",
            "ceph.conf:2: a: the quotes do not match",
        ),
    ];
    for (text, expected) in rows {
        let fault = CephConf::parse(Path::new("ceph.conf"), text)
            .err()
            .map(|fault| fault.to_string());
        assert_eq!(fault.as_deref(), Some(expected));
    }
}

#[test]
fn a_fault_does_not_repeat_the_line_which_may_contain_a_key() {
    let fault = CephConf::parse(Path::new("k"), "[client.a]\nAQsecret\n")
        .err()
        .map(|fault| fault.to_string());
    assert!(!fault.is_none_or(|fault| fault.contains("AQsecret")));
}

#[test]
fn monitors_with_sections_of_their_own_are_sorted_by_name() {
    let conf =
        parse("[mon.b]\nmon addr = 2:6789\n[mon.a]\nmon_addr = 1:6789\n[mon]\nmon addr = 3\n");
    assert_eq!(conf.monitor_sections(), ["1:6789", "2:6789"]);
    assert_eq!(
        parse("[mon.a]\nhost = x\n[mon]\nmon addr = 3\n").monitor_sections(),
        ["3"]
    );
}

proptest! {
    #[test]
    fn parsing_and_expanding_never_panic(text in "(?s).*", value in "[$a-z{}]{0,12}") {
        if let Ok(conf) = CephConf::parse(Path::new("c"), &text) {
            conf.expand_text(&boot(), &value);
        }
    }
}
