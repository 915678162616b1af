//! Unmapping on a fake root. Nothing of it may be mounted for real: unmounting is not faked.

use super::*;
use crate::sys::link;
use crate::sys::rbd::bus;
use std::fs;
use std::os::unix::fs::PermissionsExt;

/// A root with these images mapped as rbd0, rbd1, …, linked, and mounted as mountinfo says.
fn fake(images: &[&str], mountinfo: &str) -> (tempfile::TempDir, Root) {
    let folder = tempfile::tempdir().unwrap();
    let root = Root::new(folder.path());
    let write = |path: &str, text: &str| {
        let path = root.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    };
    for (id, image) in images.iter().enumerate() {
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
    }
    write("sys/bus/rbd/remove_single_major", "");
    write(
        "proc/self/mountinfo",
        &format!("20 1 8:1 / / rw - ext4 /dev/sda1 rw\n{mountinfo}"),
    );
    bus::list(&root)
        .unwrap()
        .iter()
        .for_each(|mapping| link::make(&root, mapping).unwrap());
    (folder, root)
}

const TIMEOUT: Duration = Duration::from_millis(300);

fn unmapped(root: &Root, hooks: Option<&DeclaredHooks>) -> bool {
    let report = unmap(
        root,
        &bus::list(root).unwrap(),
        UnmapSettings {
            timeout: TIMEOUT,
            parallel: 4,
            hooks,
            shutdown: None,
        },
    );
    report.is_clean()
}

fn removed(root: &Root) -> String {
    fs::read_to_string(root.rbd_bus().join("remove_single_major")).unwrap()
}

#[test]
fn what_nothing_stands_on_is_removed_with_its_link() {
    let (_folder, root) = fake(&["a"], "");
    assert!(unmapped(&root, None));
    assert_eq!(removed(&root), "0");
    assert!(!root.dev("rbd").exists());
}

#[test]
fn what_cannot_be_unmounted_stays_and_the_others_go() {
    let (_folder, root) = fake(
        &["a", "b"],
        "21 20 252:0 / /nonexistent/rbdmap rw - xfs /dev/rbd0 rw\n",
    );
    let start = Instant::now();
    assert!(!unmapped(&root, None));
    assert_eq!(removed(&root), "1");
    assert!(root.dev("rbd/rbd/a").exists() && !root.dev("rbd/rbd/b").exists());
    assert!(start.elapsed() < Duration::from_secs(30));
}

#[test]
fn what_a_stranger_hides_is_left_alone() {
    let mounts = "21 20 252:0 / /nonexistent/x/rbdmap rw - xfs /dev/rbd0 rw\n22 20 8:2 / /nonexistent/x rw - xfs /dev/sda2 rw\n";
    let (_folder, root) = fake(&["a"], mounts);
    assert!(!unmapped(&root, None));
    assert_eq!(removed(&root), "");
}

#[test]
fn a_number_that_is_another_images_by_now_is_left_alone() {
    let (_folder, root) = fake(&["a"], "");
    let old = bus::list(&root).unwrap();
    fs::write(root.rbd_bus().join("devices/0/name"), "other").unwrap();
    unmap(
        &root,
        &old,
        UnmapSettings {
            timeout: TIMEOUT,
            parallel: 4,
            hooks: None,
            shutdown: None,
        },
    );
    assert_eq!(removed(&root), "");
}

#[test]
fn the_hook_comes_first_and_its_failure_stops_nothing() {
    let (_folder, root) = fake(&["a"], "");
    let hook = root.hooks().join("rbd/a");
    fs::create_dir_all(hook.parent().unwrap()).unwrap();
    let bus = root.rbd_bus().join("remove_single_major");
    fs::write(
        &hook,
        format!(
            "#!/bin/sh\ntest ! -s {} && touch {}\nexit 1\n",
            bus.display(),
            root.join("first").display()
        ),
    )
    .unwrap();
    for path in [root.hooks(), root.hooks().join("rbd"), hook] {
        fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
    }
    assert!(!unmapped(&root, Some(&DeclaredHooks::new())));
    assert!(root.join("first").exists());
    assert_eq!(removed(&root), "0");
}
