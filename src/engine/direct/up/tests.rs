//! The engine on a fake root where all is mapped and mounted already: mounting is not faked.

use super::*;
use crate::config::{fstab, table};
use crate::plan;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

/// Two images that are mapped; the hook of each leaves a file.
fn fake(fstab: &str, mountinfo: &str) -> (tempfile::TempDir, Root) {
    let folder = tempfile::tempdir().unwrap();
    let root = Root::new(folder.path());
    let write = |path: &str, text: &str| {
        let path = root.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    };
    for (id, image) in ["a", "b"].iter().enumerate() {
        let minor = (id * 16).to_string();
        for (name, text) in [
            ("pool", "rbd"),
            ("name", *image),
            ("current_snap", "-"),
            ("major", "252"),
            ("minor", &minor),
        ] {
            write(&format!("sys/bus/rbd/devices/{id}/{name}"), text);
        }
        write(&format!("sys/block/rbd{id}/dev"), &format!("252:{minor}"));
        write(&format!("dev/rbd{id}"), "");
        let hook = format!("etc/ceph/rbd.d/rbd/{image}");
        write(
            &hook,
            &format!("#!/bin/sh\ntouch {}\n", root.join("hooked").display()),
        );
        fs::set_permissions(root.join(&hook), fs::Permissions::from_mode(0o755)).unwrap();
    }
    write("etc/ceph/ceph.conf", "[global]\nmon_host = 127.0.0.1\n");
    write(
        "keyring",
        "[client.boot]\nkey = AQDQ8VJmAAAAABAAqEdvyF1qsGmYqJpnBa9ZFw==\n",
    );
    write("etc/fstab", fstab);
    write(
        "proc/self/mountinfo",
        &format!("20 1 8:1 / / rw - ext4 /dev/sda1 rw\n{mountinfo}"),
    );
    (folder, root)
}

fn run(root: &Root, lines: &str) -> bool {
    let table = table::parse(Path::new("table"), lines).0;
    let fstab = fstab::read(root).unwrap().0;
    let manner = MapSettings {
        origin: Origin::Table,
        timeout: Duration::from_secs(20),
        parallel: 4,
        hooks: HookPolicy::Run,
        retry: RetryPolicy::UntilTimeout,
    };
    let report = map(root, &plan::map(&table, &fstab, &[]), manner);
    report.is_clean()
}

const BOTH: &str = "rbd/a id=boot,keyring=/keyring\nrbd/b id=boot,keyring=/keyring\n";

#[test]
fn what_is_there_already_is_found_and_no_hook_is_run() {
    let (_folder, root) = fake(
        "/dev/rbd/rbd/b /x/b xfs noauto\n/dev/rbd/rbd/a /x xfs noauto\noverlay /m overlay lowerdir=/x,upperdir=/x/b/u\n",
        "21 20 252:0 / /x rw - xfs /dev/rbd0 rw\n22 21 252:16 / /x/b rw - xfs /dev/rbd1 rw\n\
         23 20 0:40 / /m rw - overlay overlay rw\n",
    );
    assert!(run(&root, BOTH));
    assert!(!root.join("hooked").exists());
    assert_eq!(
        fs::read_link(root.dev("rbd/rbd/a")).unwrap(),
        Path::new("../../rbd0")
    );
}

#[test]
fn a_mount_that_fails_fails_what_needs_it_and_the_run_ends() {
    let lines = "/dev/rbd/rbd/a /nonexistent/rbdmap xfs noauto\ntmpfs /nonexistent/rbdmap/t tmpfs noauto\n\
                 /dev/rbd/rbd/b /x xfs noauto\n";
    let (_folder, root) = fake(lines, "22 20 252:16 / /x rw - xfs /dev/rbd1 rw\n");
    assert!(!run(&root, BOTH));
    assert!(run(&root, "rbd/b id=boot,keyring=/keyring\n"));
}

#[test]
fn an_image_that_fails_stops_nothing_else() {
    let (_folder, root) = fake("/dev/rbd/rbd/none /y xfs noauto\n", "");
    assert!(!run(
        &root,
        &format!("rbd/none id=boot,keyring=/missing\n{BOTH}")
    ));
    assert!(root.dev("rbd/rbd/b").symlink_metadata().is_ok());
}
