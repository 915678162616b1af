//! Holders in a fake /proc and /sys.

use super::*;
use std::os::unix::fs::symlink;

fn node(name: &str, minor: u32, partition: Option<u32>) -> BlockNode {
    BlockNode {
        name: name.into(),
        number: (252, minor),
        partition,
    }
}

fn held() -> Held {
    Held {
        nodes: vec![node("rbd0", 0, None), node("rbd0p1", 1, Some(1))],
        mount_points: vec!["/srv/my db".into()],
    }
}

/// A process in a fake /proc: where its links lead, and its files.
fn process(root: &Root, pid: u32, links: &[(&str, &str)], files: &[(&str, &str)]) {
    let folder = root.proc(pid.to_string());
    for (name, target) in links {
        fs::create_dir_all(folder.join(name).parent().unwrap()).unwrap();
        symlink(target, folder.join(name)).unwrap();
    }
    let usual = [
        ("comm", "sh\n"),
        ("cgroup", "0::/system.slice/x.service\n"),
        ("status", "Name:\tsh\nUid:\t0\t26\t26\t26\n"),
    ];
    for (name, text) in usual.iter().chain(files) {
        fs::create_dir_all(folder.join(name).parent().unwrap()).unwrap();
        fs::write(folder.join(name), text).unwrap();
    }
}

fn machine(folder: &Path) -> Root {
    let root = Root::new(folder);
    fs::create_dir_all(folder.join("etc")).unwrap();
    fs::write(
        root.passwd(),
        "root:x:0:0::/root:/bin/sh\npostgres:x:26:26::/:/bin/sh\n",
    )
    .unwrap();
    root
}

fn named(root: &Root) -> Vec<String> {
    of(root, &held()).iter().map(ToString::to_string).collect()
}

#[test]
fn processes_are_found_by_all_that_they_can_hold() {
    let folder = tempfile::tempdir().unwrap();
    let root = machine(folder.path());
    process(
        &root,
        1,
        &[
            ("cwd", "/"),
            ("root", "/"),
            ("exe", "/sbin/init"),
            ("fd/0", "/dev/null"),
        ],
        &[],
    );
    process(&root, 2, &[("cwd", "/srv/my db/x")], &[]);
    process(
        &root,
        3,
        &[
            ("cwd", "/srv/my db2"),
            ("fd/7", "/srv/my db/base/1 (deleted)"),
        ],
        &[],
    );
    process(&root, 4, &[("fd/0", "/dev/rbd0p1")], &[]);
    process(
        &root,
        5,
        &[],
        &[(
            "maps",
            "7f-80 r--p 00 08:01 9  /lib/a\n80-81 r--p 00 fc:01 12      /srv/my db/lib.so\n",
        )],
    );
    process(
        &root,
        6,
        &[],
        &[(
            "maps",
            "7f-80 r--p 00 00:00 0 \n80-81 r--p 00 00:2a 12   /srv/my db/btrfs\n",
        )],
    );
    process(
        &root,
        7,
        &[("exe", "/srv/my db/bin")],
        &[
            ("comm", "daemon\n"),
            ("cgroup", "0::/\n"),
            ("status", "Uid:\t0\t1003\t0\t0\n"),
        ],
    );
    process(
        &root,
        8,
        &[("cwd", "/srv/my db")],
        &[("comm", "gone\n"), ("cgroup", ""), ("status", "")],
    );
    let expected = [
        "pid 2 (sh, user postgres, x.service: /srv/my db/x)",
        "pid 3 (sh, user postgres, x.service: /srv/my db/base/1 (deleted))",
        "pid 4 (sh, user postgres, x.service: /dev/rbd0p1)",
        "pid 5 (sh, user postgres, x.service: /srv/my db/lib.so)",
        "pid 6 (sh, user postgres, x.service: /srv/my db/btrfs)",
        "pid 7 (daemon, user 1003: /srv/my db/bin)",
        "pid 8 (gone: /srv/my db)",
    ];
    assert_eq!(named(&root), expected);
}

#[test]
fn each_other_namespace_is_told_once_but_not_those_that_follow_ours() {
    let folder = tempfile::tempdir().unwrap();
    let root = machine(folder.path());
    let there = "20 1 8:1 / / rw - ext4 /dev/sda1 rw\n36 20 252:1 / /srv/my\\040db rw - ext4 /dev/rbd0p1 rw\n";
    let shared = "36 20 252:1 / /srv/my\\040db rw shared:7 - ext4 /dev/rbd0p1 rw\n";
    let follower = "99 90 252:1 / /srv/my\\040db rw master:7 - ext4 /dev/rbd0p1 rw\n";
    fs::create_dir_all(root.proc("self/ns")).unwrap();
    symlink("mnt:[1]", root.proc("self/ns/mnt")).unwrap();
    fs::write(root.mountinfo(), shared).unwrap();
    let others = [
        (6, "mnt:[2]", there),
        (7, "mnt:[2]", there),
        (8, "mnt:[3]", ""),
        (9, "mnt:[4]", follower),
    ];
    for (pid, namespace, mounts) in [(5, "mnt:[1]", there)].into_iter().chain(others) {
        process(
            &root,
            pid,
            &[("ns/mnt", namespace)],
            &[("mountinfo", mounts)],
        );
    }
    assert_eq!(
        named(&root),
        [
            "pid 6 (sh, user postgres, x.service: mounted on /srv/my db in a mount namespace of its own)"
        ]
    );
}

#[test]
fn devices_loops_and_swap_are_found() {
    let folder = tempfile::tempdir().unwrap();
    let root = machine(folder.path());
    let holders = [
        "rbd0/holders/md0",
        "rbd0/holders/md127",
        "rbd0/holders/dm-3",
        "rbd0/rbd0p1/holders/dm-3",
    ];
    for folder in ["dm-3/dm", "loop0/loop", "loop1/loop"]
        .iter()
        .chain(&holders)
    {
        fs::create_dir_all(root.blocks().join(folder)).unwrap();
    }
    fs::create_dir_all(root.dev("md")).unwrap();
    for (name, target) in [
        ("0", "../md0"),
        ("db:raid", "../md127"),
        ("db:raid1", "../md127p1"),
    ] {
        symlink(target, root.dev("md").join(name)).unwrap();
    }
    fs::write(root.blocks().join("dm-3/dm/name"), "vg-data\n").unwrap();
    fs::write(
        root.blocks().join("loop0/loop/backing_file"),
        "/srv/my db/x.img\n",
    )
    .unwrap();
    fs::write(
        root.blocks().join("loop1/loop/backing_file"),
        "/var/x.img\n",
    )
    .unwrap();
    fs::create_dir_all(root.proc("")).unwrap();
    let swaps = "Filename Type Size Used Priority\n/srv/my\\040db/swap file 4 0 -2\n/dev/sda2 partition 4 0 -2\n";
    fs::write(root.proc("swaps"), swaps).unwrap();
    let expected = [
        "/dev/dm-3 (vg-data)",
        "/dev/md0",
        "/dev/md127 (db:raid)",
        "/dev/loop0 (loop device of /srv/my db/x.img)",
        "swap (/srv/my db/swap; `swapoff` ends it)",
    ];
    assert_eq!(named(&root), expected);
}
