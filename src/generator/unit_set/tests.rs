//! Decisions that no directory of tests/cases shows.

use std::path::Path;

use super::*;
use crate::config::table;
use crate::generator::admin_units::AdministratorUnits;
use crate::model::fstab_entry::{FstabEntry, FstabSource};
use crate::runtime::root::Root;

fn line(source: &str, target: &str) -> FstabEntry {
    let options = vec!["noauto".to_owned(), "_netdev".to_owned()];
    FstabEntry {
        source: source.into(),
        target: target.into(),
        fstype: "xfs".into(),
        options,
        pass: 0,
        path: "/etc/fstab".into(),
        declared_in: FstabSource::Fstab,
    }
}

/// The paths of the files, and the number of messages.
fn paths(table: &str, lines: &[FstabEntry]) -> (Vec<String>, usize) {
    let entries = table::parse(Path::new("/etc/ceph/rbdmap"), table).0;
    let hooked = HashSet::new();
    let administrator = AdministratorUnits::default();
    let root = Root::new("/");
    let unit_set = generate_unit_set(&UnitSetInputs {
        entries: &entries,
        lines,
        unlisted: &[],
        hooked: &hooked,
        administrator: &administrator,
        root: &root,
    });
    let files = unit_set.files.into_iter();
    let paths = files.map(|file| file.path).collect();
    (paths, unit_set.messages.len())
}

#[test]
fn a_device_of_an_image_named_like_a_partition_requires_that_image() {
    let (paths, _) = paths(
        "rbd/x\nrbd/x-part1\n",
        &[line("/dev/rbd/rbd/x-part1", "/a")],
    );
    assert!(paths.contains(
        &r"dev-rbd-rbd-x\x2dpart1.device.requires/rbdmap@rbd-x\x2dpart1.service".to_owned()
    ));
    assert!(
        !paths.contains(&r"dev-rbd-rbd-x\x2dpart1.device.requires/rbdmap@rbd-x.service".to_owned())
    );
}

#[test]
fn a_mount_is_not_served_if_an_earlier_line_without_image_has_its_mount_point() {
    let (paths, messages) = paths(
        "rbd/x\n",
        &[line("/dev/sda1", "/a"), line("/dev/rbd/rbd/x", "/a")],
    );
    assert!(
        !paths.iter().any(|path| path.contains("a.mount")),
        "{paths:?}"
    );
    assert_eq!(messages, 1);
}

#[test]
fn an_image_that_is_in_the_table_twice_is_served_once() {
    let (paths, messages) = paths("rbd/x\nrbd/x\n", &[]);
    assert_eq!(
        paths
            .iter()
            .filter(|path| path.ends_with("rbdmap@rbd-x.service"))
            .count(),
        1,
        "{paths:?}"
    );
    assert_eq!(messages, 1);
}
