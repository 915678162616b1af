//! Decisions that no folder of tests/cases shows.

use super::*;
use crate::config::table;

fn line(source: &str, target: &str) -> FstabEntry {
    let options = vec!["noauto".to_owned(), "_netdev".to_owned()];
    let (source, target, path) = (source.into(), target.into(), "/etc/fstab".into());
    FstabEntry {
        source,
        target,
        fstype: "xfs".into(),
        options,
        pass: 0,
        path,
        declared_in: crate::model::fstab_entry::FstabSource::Fstab,
    }
}

fn paths(table: &str, lines: &[FstabEntry]) -> (Vec<String>, usize) {
    let entries = table::parse(Path::new("/etc/ceph/rbdmap"), table).0;
    let (hooked, administrator, root) = (
        HashSet::new(),
        AdministratorUnits::default(),
        Root::new("/"),
    );
    let inputs = UnitSetInputs {
        entries: &entries,
        lines,
        unlisted: &[],
        hooked: &hooked,
        administrator: &administrator,
        root: &root,
    };
    let decision = decide(&inputs);
    let files = decision.parts.into_iter().flat_map(Part::files);
    (
        files.map(|file| file.path).collect(),
        decision.messages.len(),
    )
}

#[test]
fn an_image_called_like_a_partition_is_an_image() {
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
fn the_first_line_of_a_mount_point_counts_even_if_it_is_not_on_an_image() {
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
