//! The line for the kernel, from files as administrators have them.

use super::*;
use crate::config::table;
use crate::runtime::root::Root;
use std::path::Path;

const KEY: &str = "AQCvWKVlAAAAABAAxjSMvNLkZy0nqVkhxMmgEA==";

/// A folder that is a machine with the given files.
fn machine(files: &[(&str, &str)]) -> (tempfile::TempDir, Root) {
    let folder = tempfile::tempdir().unwrap();
    let root = Root::new(folder.path());
    for (path, text) in files {
        let path = root.join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
    (folder, root)
}

fn entry(line: &str) -> Entry {
    table::parse(Path::new("t"), line).0.remove(0)
}

fn line(files: &[(&str, &str)], text: &str) -> Result<String> {
    let (_folder, root) = machine(files);
    let request = resolve(&FileCache::new(&root), &entry(text))?.request(Duration::ZERO)?;
    let credential = request.secret.as_ref().map(|_| "key=client.x");
    Ok(request
        .line(credential, &OwnerTag::new(Origin::Table, [0; 8]))?
        .to_string())
}

/// The lines, but for key, tag and mount_timeout, are what `rbd device map` 16.2.15 writes.
#[test]
fn lines_are_those_of_the_rbd_command() {
    let keyring = format!("[client.boot]\nkey = {KEY}\n");
    let v1 = ("/etc/ceph/ceph.conf", "[global]\nmon_host = v1:1.2.3.4\n");
    let both = (
        "/etc/ceph/ceph.conf",
        "[global]\nmon_host = 1.2.3.4, 1.2.3.5\n",
    );
    let k = ("/etc/ceph/ceph.client.boot.keyring", keyring.as_str());
    let rows = [
        (
            v1,
            "rbd/i id=boot",
            "1.2.3.4:6789 name=boot,key=client.x,mount_timeout=15 rbd i - rbdmap:table:0000000000000000",
        ),
        (
            v1,
            "rbd/n/i@s id=boot,read-only",
            "1.2.3.4:6789 name=boot,key=client.x,mount_timeout=15,ro,_pool_ns=n rbd i s rbdmap:table:0000000000000000",
        ),
        (
            both,
            "rbd/i id=boot",
            "1.2.3.4:3300,1.2.3.5:3300 name=boot,key=client.x,mount_timeout=15,ms_mode=prefer-crc rbd i - rbdmap:table:0000000000000000",
        ),
        (
            both,
            "rbd/i id=boot,options='ms_mode=legacy'",
            "1.2.3.4:6789,1.2.3.5:6789 name=boot,key=client.x,mount_timeout=15,ms_mode=legacy rbd i - rbdmap:table:0000000000000000",
        ),
    ];
    for (conf, text, expected) in rows {
        assert_eq!(line(&[conf, k], text).unwrap(), expected);
    }
}

#[test]
fn an_old_kernel_is_spoken_to_in_msgr1() {
    let files = [
        ("/etc/ceph/ceph.conf", "[global]\nmon_host = 1.2.3.4\n"),
        ("/proc/sys/kernel/osrelease", "5.10.0-1\n"),
    ];
    assert!(
        line(&files, "rbd/i")
            .unwrap()
            .starts_with("1.2.3.4:6789 name=admin,mount_timeout=15 rbd i - ")
    );
}

#[test]
fn what_is_missing_is_named() {
    let conf = ("/etc/ceph/ceph.conf", "[global]\nmon_host = v1:1.2.3.4\n");
    let other = ("/k", "[client.other]\n");
    type Row<'a> = (&'a [(&'a str, &'a str)], &'a str, &'a str);
    let rows: [Row; 7] = [
        (
            &[],
            "rbd/i",
            "no monitors: /etc/ceph/ceph.conf has no mon_host and the line has no mon_host=",
        ),
        (
            &[],
            "rbd/i conf=/c.conf",
            "/c.conf does not exist, but was named as ceph.conf",
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
            "ms_mode=crc speaks msgr2, but no monitor of mon_host has an address for it (v2:…)",
        ),
    ];
    for (files, text, expected) in rows {
        assert_eq!(line(files, text).unwrap_err().to_string(), expected);
    }
}

#[test]
fn the_key_is_searched_in_cephs_order() {
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
        let line = line(&[("/etc/ceph/ceph.conf", &conf(more)), (path, text)], entry);
        assert!(
            line.is_ok_and(|line| line.contains(",key=client.x,")),
            "{entry}"
        );
    }
    let missing = line(
        &[
            ("/etc/ceph/ceph.conf", &conf("keyfile = /none\n")),
            ("/k", &keyring),
        ],
        "rbd/i keyring=/k",
    );
    assert_eq!(
        missing.unwrap_err().to_string(),
        "keyfile /none does not exist"
    );
}

#[test]
fn a_preview_has_neither_secret_nor_mark() {
    let (_folder, root) = machine(&[
        ("/etc/ceph/ceph.conf", "[global]\nmon_host = 1.2.3.4\n"),
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
fn a_line_that_the_kernel_would_cut_is_refused() {
    let conf = [("/etc/ceph/ceph.conf", "[global]\nmon_host = v1:1.2.3.4\n")];
    let options = format!("rbd/i options='crush_location={}'", "i".repeat(4094));
    let error = line(&conf, &options).unwrap_err().to_string();
    assert!(error.contains("the kernel takes 4094"), "{error}");
}
