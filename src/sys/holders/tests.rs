//! Holders in a fake /proc and /sys.

use nix::sys::stat::{major, minor};

use super::*;
use crate::model::block_node::BlockNode;
use crate::runtime::fake_root::FakeRoot;

fn node(name: &str, minor: u32, partition: Option<u32>) -> BlockNode {
    BlockNode {
        name: name.into(),
        number: (252, minor),
        partition,
    }
}

/// A mapped image with a partition that is mounted.
fn held() -> Held {
    Held {
        nodes: vec![node("rbd0", 0, None), node("rbd0p1", 1, Some(1))],
        mount_points: vec!["/srv/my db".into()],
    }
}

/// A process of postgres in x.service, with these links and with these files instead of the usual ones.
fn add_process(root: &FakeRoot, pid: u32, links: &[(&str, &str)], files: &[(&str, &str)]) {
    let usual = [
        ("comm", "sh\n"),
        ("cgroup", "0::/system.slice/x.service\n"),
        ("status", "Name:\tsh\nUid:\t0\t26\t26\t26\n"),
    ];
    for (name, text) in usual.iter().chain(files) {
        root.write(format!("proc/{pid}/{name}"), text);
    }
    for (name, target) in links {
        root.link(format!("proc/{pid}/{name}"), target);
    }
}

fn machine() -> FakeRoot {
    let root = FakeRoot::new();
    root.write(
        "etc/passwd",
        "root:x:0:0::/root:/bin/sh\npostgres:x:26:26::/:/bin/sh\n",
    );
    root
}

fn found(root: &FakeRoot) -> Vec<String> {
    find(root, &held())
        .iter()
        .map(ToString::to_string)
        .collect()
}

#[test]
fn a_process_that_uses_other_files_is_not_found() {
    let root = machine();
    let links = [
        ("cwd", "/"),
        ("root", "/"),
        ("exe", "/sbin/init"),
        ("fd/0", "/dev/null"),
    ];
    let maps = "7f-80 r--p 00 08:01 9  /lib/a\n";
    add_process(&root, 1, &links, &[("maps", maps)]);
    add_process(&root, 2, &[("cwd", "/srv/my db2")], &[]);
    assert_eq!(found(&root), Vec::<String>::new());
}

#[test]
fn processes_are_found_by_their_links() {
    let root = machine();
    add_process(&root, 2, &[("cwd", "/srv/my db/x")], &[]);
    let links = [
        ("cwd", "/srv/my db2"),
        ("fd/7", "/srv/my db/base/1 (deleted)"),
    ];
    add_process(&root, 3, &links, &[]);
    add_process(&root, 4, &[("fd/0", "/dev/rbd0p1")], &[]);
    let files = [
        ("comm", "daemon\n"),
        ("cgroup", "0::/\n"),
        ("status", "Uid:\t0\t1003\t0\t0\n"),
    ];
    add_process(&root, 7, &[("exe", "/srv/my db/bin")], &files);
    let ended = [("comm", "gone\n"), ("cgroup", ""), ("status", "")];
    add_process(&root, 8, &[("cwd", "/srv/my db")], &ended);
    let expected = [
        "pid 2 (sh, user postgres, x.service: /srv/my db/x)",
        "pid 3 (sh, user postgres, x.service: /srv/my db/base/1 (deleted))",
        "pid 4 (sh, user postgres, x.service: /dev/rbd0p1)",
        "pid 7 (daemon, user 1003: /srv/my db/bin)",
        "pid 8 (gone: /srv/my db)",
    ];
    assert_eq!(found(&root), expected);
}

#[test]
fn processes_are_found_by_the_device_or_the_path_of_a_mapped_file() {
    let root = machine();
    let by_device =
        "7f-80 r--p 00 08:01 9  /lib/a\n80-81 r--p 00 fc:01 12      /srv/my db/lib.so\n";
    let by_path = "7f-80 r--p 00 00:00 0 \n80-81 r--p 00 00:2a 12   /srv/my db/btrfs\n";
    let elsewhere = "80-81 r--p 00 fc:01 12      /in/another/namespace\n";
    add_process(&root, 5, &[], &[("maps", by_device)]);
    add_process(&root, 6, &[], &[("maps", by_path)]);
    add_process(&root, 7, &[], &[("maps", elsewhere)]);
    let expected = [
        "pid 5 (sh, user postgres, x.service: /srv/my db/lib.so)",
        "pid 6 (sh, user postgres, x.service: /srv/my db/btrfs)",
        "pid 7 (sh, user postgres, x.service: /in/another/namespace)",
    ];
    assert_eq!(found(&root), expected);
}

#[test]
fn an_open_file_without_a_useful_path_is_found_by_its_device() {
    let root = machine();
    root.write("lazily-unmounted", "");
    let file = root.join("lazily-unmounted");
    let device = fs::metadata(&file).unwrap().dev();
    add_process(&root, 9, &[("fd/3", file.to_str().unwrap())], &[]);
    let mut held = held();
    assert_eq!(find(&root, &held), []);
    held.nodes[0].number = (
        major(device).try_into().unwrap(),
        minor(device).try_into().unwrap(),
    );
    let holders = find(&root, &held);
    assert!(
        matches!(&holders[..], [Holder::Process(process, path)] if process.pid == 9 && path.ends_with("/fd/3")),
        "{holders:?}"
    );
}

#[test]
fn each_other_namespace_is_reported_once_unless_its_mount_follows_ours() {
    let root = machine();
    let private = "20 1 8:1 / / rw - ext4 /dev/sda1 rw\n36 20 252:1 / /srv/my\\040db rw - ext4 /dev/rbd0p1 rw\n";
    let shared = "36 20 252:1 / /srv/my\\040db rw shared:7 - ext4 /dev/rbd0p1 rw\n";
    let slave = "99 90 252:1 / /srv/my\\040db rw master:7 - ext4 /dev/rbd0p1 rw\n";
    root.link("proc/self/ns/mnt", "mnt:[1]");
    root.write("proc/self/mountinfo", shared);
    let processes = [
        (5, "mnt:[1]", private),
        (6, "mnt:[2]", private),
        (7, "mnt:[2]", private),
        (8, "mnt:[3]", ""),
        (9, "mnt:[4]", slave),
    ];
    for (pid, namespace, mounts) in processes {
        let link = ("ns/mnt", namespace);
        add_process(&root, pid, &[link], &[("mountinfo", mounts)]);
    }
    assert_eq!(
        found(&root),
        [
            "pid 6 (sh, user postgres, x.service: mounted on /srv/my db in a mount namespace of its own)"
        ]
    );
}

#[test]
fn devices_and_swap_are_found() {
    let root = machine();
    for directory in [
        "rbd0/holders/md0",
        "rbd0/holders/md127",
        "rbd0/holders/dm-3",
        "rbd0/rbd0p1/holders/dm-3",
    ] {
        fs::create_dir_all(root.blocks().join(directory)).unwrap();
    }
    root.write("sys/block/dm-3/dm/name", "vg-data\n");
    root.link("dev/md/0", "../md0");
    root.link("dev/md/db:raid", "../md127");
    root.link("dev/md/db:raid1", "../md127p1");
    root.write("sys/block/loop0/loop/backing_file", "/srv/my db/x.img\n");
    root.write("sys/block/loop1/loop/backing_file", "/var/x.img\n");
    root.write(
        "proc/swaps",
        "Filename Type Size Used Priority\n/srv/my\\040db/swap file 4 0 -2\n/dev/sda2 partition 4 0 -2\n",
    );
    let expected = [
        "/dev/dm-3 (vg-data)",
        "/dev/md0",
        "/dev/md127 (db:raid)",
        "/dev/loop0 (loop device of /srv/my db/x.img)",
        "swap (/srv/my db/swap; `swapoff` ends it)",
    ];
    assert_eq!(found(&root), expected);
}

#[test]
fn a_file_system_that_the_kernel_keeps_is_found_only_after_the_last_unmount() {
    let root = machine();
    fs::create_dir_all(root.file_systems().join("ext4/rbd0p1")).unwrap();
    fs::create_dir_all(root.file_systems().join("xfs/sda1")).unwrap();
    assert_eq!(find(&root, &held()), []);
    let unmounted = Held {
        mount_points: Vec::new(),
        ..held()
    };
    assert_eq!(
        find(&root, &unmounted),
        [Holder::FileSystem("ext4".to_owned(), "rbd0p1".to_owned())]
    );
}
