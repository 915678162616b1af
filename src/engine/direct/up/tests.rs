//! Mapping on a fake root on which everything is mapped and mounted already: mounting is not faked.

use super::*;
use crate::config::{fstab, table};
use crate::engine::direct::retry_policy::RetryPolicy;
use crate::model::owner_tag::Origin;
use crate::plan;
use crate::runtime::fake_root::FakeRoot;
use std::fs;
use std::path::Path;

const BOTH: &str = "rbd/a id=boot,keyring=/keyring\nrbd/b id=boot,keyring=/keyring\n";

/// A root on which rbd/a and rbd/b are mapped; the hook of each creates a file.
fn with_mapped(fstab: &str, mountinfo: &str) -> FakeRoot {
    let root = FakeRoot::new();
    let hook = format!("#!/bin/sh\ntouch {}\n", root.join("hooked").display());
    for (id, image) in [(0, "a"), (1, "b")] {
        root.map_image(id, &format!("rbd/{image}"));
        root.write_program(format!("etc/ceph/rbd.d/rbd/{image}"), &hook);
    }
    root.write("etc/ceph/ceph.conf", "[global]\nmon_host = 127.0.0.1\n");
    root.write(
        "keyring",
        "[client.boot]\nkey = AQDQ8VJmAAAAABAAqEdvyF1qsGmYqJpnBa9ZFw==\n",
    );
    root.write("etc/fstab", fstab);
    root.write(
        "proc/self/mountinfo",
        format!("20 1 8:1 / / rw - ext4 /dev/sda1 rw\n{mountinfo}"),
    );
    root
}

/// Maps these lines of a table. Whether the run had no failure.
fn map_lines(root: &Root, lines: &str) -> bool {
    let table = table::parse(Path::new("table"), lines).0;
    let fstab = fstab::read(root).unwrap().0;
    let settings = MapSettings {
        origin: Origin::Table,
        timeout: Duration::from_secs(20),
        parallel: 4,
        hooks: HookPolicy::Run,
        retry: RetryPolicy::UntilTimeout,
    };
    map(root, &plan::map(&table, &fstab, &[]), settings).is_clean()
}

#[test]
fn existing_mappings_and_mounts_are_found_and_no_hook_runs() {
    let root = with_mapped(
        "/dev/rbd/rbd/b /x/b xfs noauto\n/dev/rbd/rbd/a /x xfs noauto\noverlay /m overlay lowerdir=/x,upperdir=/x/b/u\n",
        "21 20 252:0 / /x rw - xfs /dev/rbd0 rw\n22 21 252:16 / /x/b rw - xfs /dev/rbd1 rw\n\
         23 20 0:40 / /m rw - overlay overlay rw\n",
    );
    assert!(map_lines(&root, BOTH));
    assert!(!root.join("hooked").exists());
    assert_eq!(
        fs::read_link(root.dev("rbd/rbd/a")).unwrap(),
        Path::new("../../rbd0")
    );
}

#[test]
fn a_mount_that_fails_fails_the_mounts_that_need_it_and_the_run_ends() {
    let lines = "/dev/rbd/rbd/a /nonexistent/rbdmap xfs noauto\ntmpfs /nonexistent/rbdmap/t tmpfs noauto\n\
                 /dev/rbd/rbd/b /x xfs noauto\n";
    let root = with_mapped(lines, "22 20 252:16 / /x rw - xfs /dev/rbd1 rw\n");
    assert!(!map_lines(&root, BOTH));
    assert!(map_lines(&root, "rbd/b id=boot,keyring=/keyring\n"));
}

#[test]
fn an_image_that_fails_does_not_stop_the_others() {
    let root = with_mapped("/dev/rbd/rbd/none /y xfs noauto\n", "");
    let lines = format!("rbd/none id=boot,keyring=/missing\n{BOTH}");
    assert!(!map_lines(&root, &lines));
    assert!(root.dev("rbd/rbd/b").symlink_metadata().is_ok());
}
