//! Unmapping on a fake root. No mount point in these tests exists: unmounting is not faked.

use super::*;
use crate::runtime::fake_root::FakeRoot;
use crate::sys::link_maker;
use crate::sys::rbd::bus;
use std::fs;

/// Long enough for any run that makes progress, also on a machine that is busy.
const ENOUGH: Duration = Duration::from_secs(20);
const BUS: &str = "sys/bus/rbd/remove_single_major";

/// A root on which these images are mapped as rbd0, rbd1, … and linked, with these lines of mountinfo.
fn with_mapped(images: &[&str], mountinfo: &str) -> FakeRoot {
    let root = FakeRoot::new();
    for (id, image) in (0..).zip(images) {
        root.map_image(id, &format!("rbd/{image}"));
    }
    root.write(BUS, "");
    root.write(
        "proc/self/mountinfo",
        format!("20 1 8:1 / / rw - ext4 /dev/sda1 rw\n{mountinfo}"),
    );
    for mapping in bus::list(&root).unwrap() {
        link_maker::make(&root, &mapping).unwrap();
    }
    root
}

/// Whether the run had no failure.
fn unmap_all(root: &Root, settings: UnmapSettings) -> bool {
    unmap(root, &bus::list(root).unwrap(), settings).is_clean()
}

/// Without hooks.
fn settings() -> UnmapSettings<'static> {
    UnmapSettings {
        timeout: ENOUGH,
        parallel: 4,
        hooks: None,
        shutdown: None,
    }
}

/// The numbers that were written to the bus.
fn removed(root: &Root) -> String {
    fs::read_to_string(root.join(BUS)).unwrap()
}

#[test]
fn an_image_without_mounts_is_removed_with_its_link() {
    let root = with_mapped(&["a"], "");
    assert!(unmap_all(&root, settings()));
    assert_eq!(removed(&root), "0");
    assert!(!root.dev("rbd").exists());
}

#[test]
fn an_image_whose_mount_cannot_be_unmounted_stays_and_the_others_are_removed() {
    let root = with_mapped(
        &["a", "b"],
        "21 20 252:0 / /nonexistent/rbdmap rw - xfs /dev/rbd0 rw\n",
    );
    let start = Instant::now();
    assert!(!unmap_all(&root, settings()));
    assert_eq!(removed(&root), "1");
    assert!(root.dev("rbd/rbd/a").exists() && !root.dev("rbd/rbd/b").exists());
    assert!(start.elapsed() < Duration::from_secs(30));
}

#[test]
fn a_mount_that_an_unrelated_mount_hides_is_left_alone() {
    let mounts = "21 20 252:0 / /nonexistent/x/rbdmap rw - xfs /dev/rbd0 rw\n22 20 8:2 / /nonexistent/x rw - xfs /dev/sda2 rw\n";
    let root = with_mapped(&["a"], mounts);
    let settings = UnmapSettings {
        timeout: Duration::from_millis(300),
        ..settings()
    };
    assert!(!unmap_all(&root, settings));
    assert_eq!(removed(&root), "");
}

#[test]
fn a_number_that_belongs_to_another_image_now_is_left_alone() {
    let root = with_mapped(&["a"], "");
    let before = bus::list(&root).unwrap();
    root.write("sys/bus/rbd/devices/0/name", "other");
    unmap(&root, &before, settings());
    assert_eq!(removed(&root), "");
}

#[test]
fn the_hook_runs_before_the_removal_and_its_failure_stops_nothing() {
    let root = with_mapped(&["a"], "");
    let hook = format!(
        "#!/bin/sh\ntest ! -s {} && touch {}\nexit 1\n",
        root.join(BUS).display(),
        root.join("first").display()
    );
    root.write_program("etc/ceph/rbd.d/rbd/a", &hook);
    for directory in ["etc/ceph/rbd.d", "etc/ceph/rbd.d/rbd"] {
        root.set_mode(directory, 0o755);
    }
    let declared = DeclaredHooks::new();
    let settings = UnmapSettings {
        hooks: Some(&declared),
        ..settings()
    };
    assert!(!unmap_all(&root, settings));
    assert!(root.join("first").exists());
    assert_eq!(removed(&root), "0");
}
