//! Stacks of mounts and loop devices, as tables of mountinfo lines.

use super::*;
use crate::model::mount_snapshot::LoopDevice;
use crate::model::overlay_options;
use crate::plan::mount_tree::tests::mounts;

const DISK: &[(&str, (u32, u32))] = &[("rbd0", (252, 0)), ("rbd0p1", (252, 1))];

fn nodes(list: &[(&str, (u32, u32))]) -> Vec<BlockNode> {
    list.iter()
        .map(|(name, number)| BlockNode {
            name: (*name).into(),
            number: *number,
            partition: None,
        })
        .collect()
}

fn snapshot(text: &str, loops: &[(&str, u32, &str)]) -> MountSnapshot {
    let mounts = mounts(text);
    let layers = mounts.iter().filter(|mount| mount.fstype == "overlay");
    let layers = layers
        .map(|mount| {
            (
                mount.id,
                overlay_options::directories(mount.fs_options.split(',')),
            )
        })
        .collect();
    let loops = loops.iter().map(|(name, minor, file)| LoopDevice {
        name: (*name).into(),
        nodes: nodes(&[(name, (7, *minor))]),
        file: file.into(),
    });
    MountSnapshot {
        loops: loops.collect(),
        layers,
        mounts,
    }
}

/// The mount points and loop devices in order; `*` marks those that can be removed at once.
fn order(snapshot: &MountSnapshot) -> Vec<String> {
    let name = |step: &TeardownStep| {
        let name = match step.layer {
            Layer::Mount(mount) => mount.target.display().to_string(),
            Layer::Loop(device) => device.name.clone(),
        };
        format!("{name}{}", if step.is_free { "*" } else { "" })
    };
    MountStack::new(snapshot)
        .standing_on(&nodes(DISK))
        .iter()
        .map(name)
        .collect()
}

#[test]
fn mounts_of_the_disk_and_its_partitions_are_removed_last_mounted_first() {
    let snapshot = snapshot(
        "20 1 8:1 /\n21 20 252:0 /a\n22 20 8:2 /other\n23 20 252:1 /with_space\n24 22 252:0 /other/by_hand xfs rw /dev/rbd0 /sub",
        &[],
    );
    assert_eq!(order(&snapshot), ["/other/by hand*", "/with space*", "/a*"]);
}

#[test]
fn a_mount_inside_another_is_removed_first_even_if_mountinfo_lists_it_first() {
    // A moved mount keeps its place in the list.
    let snapshot = snapshot(
        "19 21 8:2 /a/moved\n20 1 8:1 /\n21 20 252:0 /a\n22 21 0:40 /a/t tmpfs\n23 22 8:3 /a/t/u",
        &[],
    );
    assert_eq!(
        order(&snapshot),
        ["/a/t/u*", "/a/t", "/a/moved*", "/a"].map(str::to_owned)
    );
}

#[test]
fn mounts_on_the_same_mount_point_are_removed_from_the_top() {
    let snapshot = snapshot(
        "20 1 8:1 /\n21 20 252:0 /a\n22 21 0:40 /a tmpfs\n23 22 252:0 /a",
        &[],
    );
    assert_eq!(order(&snapshot), ["/a*", "/a", "/a"]);
}

#[test]
fn overlays_and_their_bind_mounts_are_removed_before_their_directories() {
    let options = "rw,lowerdir=/ro/root,upperdir=/up/u,workdir=/up/w";
    let snapshot = snapshot(
        &format!(
            "20 1 8:1 /\n21 20 252:0 /ro\n22 20 8:7 /up\n23 20 0:50 /m overlay {options}\n24 20 0:50 /b overlay {options}\n\
             25 20 0:51 /no overlay lowerdir=/up/a:/up/b"
        ),
        &[],
    );
    assert_eq!(order(&snapshot), ["/b*", "/m*", "/ro"]);
}

#[test]
fn an_overlay_mounted_over_its_own_lower_directory_stands_on_it() {
    let snapshot = snapshot(
        "20 1 8:1 /\n21 20 252:0 /a\n22 21 0:50 /a overlay lowerdir=/a,upperdir=/u,workdir=/w",
        &[],
    );
    assert_eq!(order(&snapshot), ["/a*", "/a"]);
}

#[test]
fn a_loop_device_is_detached_after_its_mounts_and_before_the_mount_of_its_file() {
    let mounts =
        "20 1 8:1 /\n21 20 7:3 /img ext4 rw /dev/loop3\n22 20 252:1 /s\n23 21 7:5 /img/inner";
    let loops = [
        ("loop3", 3, "/s/x.img"),
        ("loop4", 4, "/elsewhere.img"),
        ("loop5", 5, "/img/y.img"),
    ];
    assert_eq!(
        order(&snapshot(mounts, &loops)),
        ["/img/inner*", "loop5", "/img", "loop3", "/s"]
    );
    assert_eq!(
        order(&snapshot("20 1 8:1 /", &[("loop0", 0, "/dev/rbd0p1")])),
        ["loop0*"]
    );
}

#[test]
fn btrfs_is_found_by_its_source_because_its_number_is_not_that_of_a_device() {
    let snapshot = snapshot(
        "20 1 8:1 /\n21 20 0:44 /a btrfs rw /dev/rbd0 /@home\n22 20 0:45 /c btrfs rw /dev/rbd01 /",
        &[],
    );
    assert_eq!(order(&snapshot), ["/a*"]);
}

#[test]
fn a_mount_that_an_unrelated_mount_hides_names_that_mount() {
    let snapshot = snapshot(
        "20 1 8:1 /\n21 20 252:0 /s/a\n22 20 8:2 /s\n23 22 8:3 /s/a",
        &[],
    );
    let stack = MountStack::new(&snapshot);
    let steps = stack.standing_on(&nodes(DISK));
    assert_eq!(
        (steps.len(), steps[0].hidden_below),
        (1, Some(Path::new("/s")))
    );
}

#[test]
fn a_thousand_overlays_of_twenty_directories_are_ordered() {
    let mut text = "20 1 8:1 /\n21 20 252:0 /d\n".to_owned();
    for id in 100..1000 {
        let layers: Vec<String> = (0..20).map(|layer| format!("/d/l{layer}")).collect();
        text += &format!(
            "{id} 21 0:{id} /d/m{id} overlay lowerdir={},upperdir=/d/u{id}\n",
            layers.join(":")
        );
    }
    let snapshot = snapshot(&text, &[]);
    assert_eq!(
        MountStack::new(&snapshot).standing_on(&nodes(DISK)).len(),
        901
    );
}
