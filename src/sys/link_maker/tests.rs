//! Links on a fake root.

use super::*;
use crate::runtime::fake_root::FakeRoot;
use std::fs;
use std::os::unix::fs::symlink;

/// A machine with these mappings `(id, pool/image)`, each with a partition.
fn machine(images: &[(u32, &str)]) -> FakeRoot {
    let root = FakeRoot::new();
    for (id, spec) in images {
        root.map_image(*id, spec);
        let partition = format!("sys/block/rbd{id}/rbd{id}p1");
        root.write(format!("{partition}/dev"), format!("252:{}", id * 16 + 1));
        root.write(format!("{partition}/partition"), "1\n");
    }
    root
}

fn mappings(root: &Root) -> Vec<Mapping> {
    bus::list(root).unwrap()
}

fn leads_to(root: &Root, link: &str) -> PathBuf {
    fs::read_link(root.dev(link)).unwrap()
}

#[test]
fn links_are_those_of_udev_and_nothing_is_left_behind() {
    let root = machine(&[(0, "rbd/a"), (1, "rbd/b")]);
    let all = mappings(&root);
    // Making them twice changes nothing.
    for mapping in all.iter().chain(&all) {
        make(&root, mapping).unwrap();
    }
    assert_eq!(leads_to(&root, "rbd/rbd/a"), Path::new("../../rbd0"));
    assert_eq!(
        leads_to(&root, "rbd/rbd/a-part1"),
        Path::new("../../rbd0p1")
    );
    remove(&root, &all[0].spec, &device::nodes(&root, "rbd0")).unwrap();
    assert!(root.dev("rbd/rbd/a").symlink_metadata().is_err());
    assert!(root.dev("rbd/rbd/b").exists());
    remove(&root, &all[1].spec, &device::nodes(&root, "rbd1")).unwrap();
    assert!(!root.dev("rbd").exists() && root.dev("rbd1").exists());
    remove(&root, &all[1].spec, &device::nodes(&root, "rbd1")).unwrap();
}

#[test]
fn a_stale_link_is_replaced_but_not_that_of_another_image_of_the_same_name() {
    let root = machine(&[(0, "rbd/a"), (1, "rbd/other")]);
    fs::create_dir_all(root.dev("rbd/rbd")).unwrap();
    symlink("../../rbd1", root.dev("rbd/rbd/a")).unwrap();
    make(&root, &mappings(&root)[0]).unwrap();
    assert_eq!(leads_to(&root, "rbd/rbd/a"), Path::new("../../rbd0"));
    let second = Mapping {
        id: 1,
        ..mappings(&root)[0].clone()
    };
    let error = format!("{:#}", make(&root, &second).unwrap_err());
    let expected = "/dev/rbd/rbd/a leads to another device with an image of that name, ../../rbd0";
    assert!(error.contains(expected), "{error}");
    remove(&root, &second.spec, &device::nodes(&root, "rbd1")).unwrap();
    assert!(root.dev("rbd/rbd/a").exists());
}

#[test]
fn nothing_is_made_or_removed_outside_of_the_directory() {
    let root = machine(&[(0, "../a"), (1, "evil/a"), (2, "rbd/..")]);
    let outside = root.join("outside");
    fs::create_dir_all(&outside).unwrap();
    fs::create_dir_all(root.dev("rbd")).unwrap();
    symlink(&outside, root.dev("rbd/evil")).unwrap();
    symlink("../../rbd1", outside.join("a")).unwrap();
    let all = mappings(&root);
    assert_eq!(all.len(), 3);
    for mapping in all {
        assert!(make(&root, &mapping).is_err(), "{mapping:?}");
        let _ = remove(&root, &mapping.spec, &device::nodes(&root, &mapping.name()));
    }
    assert_eq!(fs::read_dir(&outside).unwrap().count(), 1);
    assert!(root.dev("a").symlink_metadata().is_err());
}

#[test]
fn a_directory_in_the_links_place_and_a_missing_device_node_are_reported() {
    let root = machine(&[(0, "rbd/a")]);
    fs::create_dir_all(root.dev("rbd/rbd/a")).unwrap();
    let mapping = &mappings(&root)[0];
    let error = format!("{:#}", make(&root, mapping).unwrap_err());
    assert!(
        error.contains("/dev/rbd/rbd/a exists and is not a link"),
        "{error}"
    );
    fs::remove_file(root.dev("rbd0")).unwrap();
    let error = make(&root, mapping).unwrap_err().to_string();
    assert!(
        error.contains("check that /dev is that of the host"),
        "{error}"
    );
}
