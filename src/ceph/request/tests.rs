//! The line for the kernel, from configuration files.

use super::*;
use crate::config::table;
use crate::model::owner_tag::{Origin, OwnerTag};
use crate::runtime::fake_root::FakeRoot;
use std::path::Path;

const KEY: &str = "AQCvWKVlAAAAABAAxjSMvNLkZy0nqVkhxMmgEA==";
const CONF: &str = "/etc/ceph/ceph.conf";

/// A file's path and text.
type File<'a> = (&'a str, &'a str);

fn root(files: &[File<'_>]) -> FakeRoot {
    let root = FakeRoot::new();
    for (path, text) in files {
        root.write(path, text);
    }
    root
}

fn entry(line: &str) -> Entry {
    table::parse(Path::new("t"), line).0.remove(0)
}

fn line(files: &[File<'_>], text: &str) -> Result<String> {
    let root = root(files);
    let request = resolve(&FileCache::new(&root), &entry(text))?.request(Duration::ZERO)?;
    Ok(request
        .line(&OwnerTag::new(Origin::Table, [0; 8]))?
        .to_string())
}

/// Except for key, tag and mount_timeout, these are the lines of `rbd device map` 16.2.15.
#[test]
fn the_line_is_that_of_the_rbd_command() {
    let keyring = format!("[client.boot]\nkey = {KEY}\n");
    let v1 = (CONF, "[global]\nmon_host = v1:1.2.3.4\n");
    let both = (CONF, "[global]\nmon_host = 1.2.3.4, 1.2.3.5\n");
    let k = ("/etc/ceph/ceph.client.boot.keyring", keyring.as_str());
    let rows = [
        (
            v1,
            "rbd/i id=boot",
            "1.2.3.4:6789 name=boot,key=client.boot,mount_timeout=15 rbd i - rbdmap:table:0000000000000000",
        ),
        (
            v1,
            "rbd/n/i@s id=boot,read-only",
            "1.2.3.4:6789 name=boot,key=client.boot,mount_timeout=15,ro,_pool_ns=n rbd i s rbdmap:table:0000000000000000",
        ),
        (
            both,
            "rbd/i id=boot",
            "1.2.3.4:3300,1.2.3.5:3300 name=boot,key=client.boot,mount_timeout=15,ms_mode=prefer-crc rbd i - rbdmap:table:0000000000000000",
        ),
        (
            both,
            "rbd/i id=boot,options='ms_mode=legacy'",
            "1.2.3.4:6789,1.2.3.5:6789 name=boot,key=client.boot,mount_timeout=15,ms_mode=legacy rbd i - rbdmap:table:0000000000000000",
        ),
    ];
    for (conf, text, expected) in rows {
        assert_eq!(line(&[conf, k], text).unwrap(), expected);
    }
}

#[test]
fn a_kernel_without_msgr2_gets_msgr1_addresses() {
    let files = [
        (CONF, "[global]\nmon_host = 1.2.3.4\n"),
        ("/proc/sys/kernel/osrelease", "5.10.0-1\n"),
    ];
    assert!(
        line(&files, "rbd/i")
            .unwrap()
            .starts_with("1.2.3.4:6789 name=admin,mount_timeout=15 rbd i - ")
    );
}

#[test]
fn an_error_names_what_is_missing() {
    let conf = (CONF, "[global]\nmon_host = v1:1.2.3.4\n");
    let other = ("/k", "[client.other]\n");
    let rows: [(&[File], &str, &str); 7] = [
        (
            &[],
            "rbd/i",
            "no monitors; set mon_host in /etc/ceph/ceph.conf or in the line of the image",
        ),
        (
            &[],
            "rbd/i conf=/c.conf",
            "ceph.conf /c.conf does not exist; check conf=, --conf and CEPH_CONF",
        ),
        (&[conf], "rbd/i keyring=/k", "keyring /k does not exist"),
        (
            &[conf, other],
            "rbd/i id=boot,keyring=/k",
            "keyring /k has no key of client.boot",
        ),
        (&[conf], "rbd/i keyfile=/f", "keyfile /f does not exist"),
        (
            &[conf, other],
            "rbd/i keyfile=/f,keyring=/k",
            "keyfile /f does not exist: keyring /k has no key of client.admin",
        ),
        (
            &[conf],
            "rbd/i options='ms_mode=crc'",
            "ms_mode=crc uses msgr2, but no monitor has an address for it; add v2:ADDRESS to mon_host",
        ),
    ];
    for (files, text, expected) in rows {
        assert_eq!(line(files, text).unwrap_err().to_string(), expected);
    }
}

#[test]
fn the_key_is_searched_in_the_order_of_ceph() {
    let conf = |more: &str| format!("[global]\nmon_host = v1:1.2.3.4\n{more}");
    let keyring = format!("[client.boot]\nkey = {KEY}\n");
    let rows = [
        (
            "/k",
            keyring.as_str(),
            "",
            "rbd/i id=boot,keyfile=/none,keyring=/k",
        ),
        ("/f", KEY, "key = broken\n", "rbd/i id=boot,keyfile=/f"),
        ("/f", KEY, "key =\nkeyfile = /f\n", "rbd/i id=boot"),
        ("/f", KEY, "", "rbd/i id=boot,key=broken,keyfile=/f"),
    ];
    for (path, text, more, entry) in rows {
        let line = line(&[(CONF, &conf(more)), (path, text)], entry);
        assert!(
            line.is_ok_and(|line| line.contains(",key=client.boot,")),
            "{entry}"
        );
    }
    let missing = line(
        &[(CONF, &conf("keyfile = /none\n")), ("/k", &keyring)],
        "rbd/i keyring=/k",
    );
    assert_eq!(
        missing.unwrap_err().to_string(),
        "keyfile /none does not exist"
    );
}

#[test]
fn a_preview_has_neither_secret_nor_tag() {
    let root = root(&[
        (CONF, "[global]\nmon_host = 1.2.3.4\n"),
        (
            "/etc/ceph/ceph.client.boot.keyring",
            &format!("[client.boot]\nkey = {KEY}\n"),
        ),
    ]);
    let preview = |line| preview(&FileCache::new(&root), &entry(line), Duration::ZERO).unwrap();
    let expected =
        "1.2.3.4:3300 name=boot,key=client.boot,mount_timeout=15,ms_mode=prefer-crc rbd i -";
    assert_eq!(preview("rbd/i id=boot"), expected);
    assert_eq!(
        preview("rbd/i@s"),
        "1.2.3.4:3300 name=admin,mount_timeout=15,ms_mode=prefer-crc rbd i s"
    );
}

#[test]
fn a_line_that_the_kernel_would_truncate_is_refused() {
    let conf = [(CONF, "[global]\nmon_host = v1:1.2.3.4\n")];
    let options = format!("rbd/i options='crush_location={}'", "i".repeat(4094));
    let error = line(&conf, &options).unwrap_err().to_string();
    assert!(error.contains("the kernel reads 4094"), "{error}");
}
