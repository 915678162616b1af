//! Looks for whoever keeps a device or the file systems on it busy: processes, mounts in other mount namespaces, devices
//! made of it, loop devices, swap.
//!
//! Everything is read from /proc and /sys as text (proc(5), linux `Documentation/ABI/testing/sysfs-block`): where a link
//! leads is read and compared, not followed, for a file system whose disk does not answer would keep us as well. Only
//! if that finds nobody are the open files themselves asked for their device: those of a file system that was unmounted
//! lazily have paths that lead nowhere.

use std::collections::HashSet;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use libmount::Mounted;
use nix::sys::stat::{major, minor};

use super::device::Node;
use super::file::{attribute, read_if_there};
use super::loops;
use crate::holder::{self, Holder, Process};
use crate::root::Root;

/// What somebody may hold.
#[derive(Debug, Clone, Default)]
pub struct Held {
    /// The block devices.
    pub nodes: Vec<Node>,
    /// What is still mounted from them or inside them.
    pub mount_points: Vec<PathBuf>,
}

/// Everybody who holds it, processes by number first.
pub fn of(root: &Root, held: &Held) -> Vec<Holder> {
    let processes = processes(root);
    let by_path = |link: &Path| fs::read_link(link).ok().filter(|path| held.has(path));
    let mut holders: Vec<Holder> = processes.iter().filter_map(|pid| process(root, *pid, held, by_path)).collect();
    holders.extend(namespaces(root, &processes, held));
    holders.extend(held.nodes.iter().flat_map(|node| devices(root, node)));
    let loops = loops::list(root).into_iter().filter(|device| held.has(&device.file));
    holders.extend(loops.map(|device| Holder::Loop(device.name, device.file.display().to_string())));
    holders.extend(swaps(root, held));
    if holders.is_empty() && held.mount_points.is_empty() {
        holders.extend(held.nodes.iter().flat_map(|node| file_systems(root, node)));
    }
    if holders.is_empty() {
        let by_device =
            |link: &Path| fs::metadata(link).ok().filter(|found| held.carries(found.dev())).map(|_| link.into());
        holders.extend(processes.iter().filter_map(|pid| process(root, *pid, held, by_device)));
    }
    holders
}

impl Held {
    /// Whether a path, as the kernel prints it, is one of the devices or lies on one of the mounts.
    fn has(&self, path: &Path) -> bool {
        let text = path.to_string_lossy();
        let path = Path::new(text.strip_suffix(" (deleted)").unwrap_or(&text));
        self.nodes.iter().any(|node| node.is_at(path))
            || self.mount_points.iter().any(|target| path.starts_with(target))
    }

    fn carries(&self, device: u64) -> bool {
        self.nodes
            .iter()
            .any(|node| (u64::from(node.number.0), u64::from(node.number.1)) == (major(device), minor(device)))
    }
}

/// All processes but this one, by number.
fn processes(root: &Root) -> Vec<u32> {
    let entries = fs::read_dir(root.proc("")).into_iter().flatten().flatten();
    let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    let mut pids: Vec<u32> = pids.filter(|pid| *pid != std::process::id()).collect();
    pids.sort_unstable();
    pids
}

/// The process, if it holds something, with the first path by which it does.
fn process(root: &Root, pid: u32, held: &Held, holds: impl Fn(&Path) -> Option<PathBuf>) -> Option<Holder> {
    let folder = root.proc(pid.to_string());
    let open = fs::read_dir(folder.join("fd")).into_iter().flatten().flatten().map(|entry| entry.path());
    let open: Vec<PathBuf> = open.collect();
    let links = ["cwd", "root", "exe"].map(|name| folder.join(name));
    let path = links.iter().chain(&open).find_map(|link| holds(link)).or_else(|| mapped_file(&folder, held))?;
    Some(Holder::Process(describe(root, pid), path.display().to_string()))
}

/// A file that is mapped into the process's memory: lines of `maps` are `range mode offset device inode path`.
fn mapped_file(process: &Path, held: &Held) -> Option<PathBuf> {
    let maps = read_if_there(&process.join("maps")).ok()??;
    maps.lines().find_map(|line| {
        let mut words = line.splitn(6, ' ');
        let (major, minor) = words.nth(3)?.split_once(':')?;
        let number = (u32::from_str_radix(major, 16).ok()?, u32::from_str_radix(minor, 16).ok()?);
        let path = PathBuf::from(words.nth(1)?.trim_start());
        (held.nodes.iter().any(|node| node.number == number) || held.has(&path)).then_some(path)
    })
}

fn describe(root: &Root, pid: u32) -> Process {
    let read = |name: &str| read_if_there(&root.proc(pid.to_string()).join(name)).ok().flatten().unwrap_or_default();
    // `PID (COMMAND) STATE …`, and a command may have brackets.
    let waits_for_disk = read("stat").rsplit_once(") ").is_some_and(|(_, rest)| rest.starts_with('D'));
    Process { pid, command: read("comm").trim_end().to_owned(), unit: holder::unit(&read("cgroup")), waits_for_disk }
}

/// Mounts in other mount namespaces, one for each namespace. Those that follow ours, as udevd's do, go with ours.
fn namespaces(root: &Root, processes: &[u32], held: &Held) -> Vec<Holder> {
    let namespace = |pid: &str| fs::read_link(root.proc(pid).join("ns/mnt")).ok();
    let carried = |mounts: &[Mounted]| -> Vec<Mounted> {
        mounts.iter().filter(|mount| held.nodes.iter().any(|node| node.carries(mount))).cloned().collect()
    };
    let ours = carried(&libmount::mountinfo(&root.mountinfo()).unwrap_or_default());
    let groups: HashSet<&str> = ours
        .iter()
        .flat_map(|mount| mount.groups.split(' '))
        .filter_map(|group| group.strip_prefix("shared:"))
        .collect();
    let follows = |mount: &Mounted| {
        let numbers = mount.groups.split(' ').filter_map(|group| group.split_once(':'));
        numbers.into_iter().any(|(_, number)| groups.contains(number))
    };
    let mut seen = vec![namespace("self")];
    let mut holders = Vec::new();
    for pid in processes {
        let other = namespace(&pid.to_string());
        if other.is_none() || seen.contains(&other) {
            continue;
        }
        seen.push(other);
        let mounts = libmount::mountinfo(&root.proc(pid.to_string()).join("mountinfo")).unwrap_or_default();
        let mounted = carried(&mounts).into_iter().find(|mount| !follows(mount));
        holders
            .extend(mounted.map(|mount| Holder::Namespace(describe(root, *pid), mount.target.display().to_string())));
    }
    holders
}

/// File systems that the kernel still has on the device: ext4, xfs, f2fs and others have a folder each in `/sys/fs/TYPE/`, by
/// the name of the device.
fn file_systems(root: &Root, node: &Node) -> Vec<Holder> {
    let kinds = fs::read_dir(root.file_systems()).into_iter().flatten().flatten();
    let there = kinds.filter(|kind| kind.path().join(&node.name).is_dir());
    there.map(|kind| Holder::FileSystem(kind.file_name().to_string_lossy().into_owned(), node.name.clone())).collect()
}

/// Devices made of this one, with the names that device-mapper has for its own.
fn devices(root: &Root, node: &Node) -> Vec<Holder> {
    // A partition's folder is in its disk's, which is called as it is up to the last `p`.
    let disk = node.partition.and_then(|_| node.name.rsplit_once('p')).map(|(disk, _)| root.block(disk));
    let folder = disk.map_or(root.block(&node.name), |disk| disk.join(&node.name)).join("holders");
    let names = fs::read_dir(folder).into_iter().flatten().flatten();
    let names = names.map(|entry| entry.file_name().to_string_lossy().into_owned());
    names
        .map(|name| {
            let title = attribute(&root.block(&name).join("dm/name"));
            Holder::Device(name, title)
        })
        .collect()
}

/// Swap on the devices or in a file on them: the first word of each line of /proc/swaps but the first.
fn swaps(root: &Root, held: &Held) -> Vec<Holder> {
    let text = read_if_there(&root.proc("swaps")).ok().flatten().unwrap_or_default();
    let paths = text.lines().skip(1).filter_map(|line| line.split_whitespace().next());
    let paths = paths.map(|path| path.replace("\\040", " ")).filter(|path| held.has(Path::new(path)));
    paths.map(Holder::Swap).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    fn node(name: &str, minor: u32, partition: Option<u32>) -> Node {
        Node { name: name.into(), number: (252, minor), partition }
    }

    fn held() -> Held {
        Held { nodes: vec![node("rbd0", 0, None), node("rbd0p1", 1, Some(1))], mount_points: vec!["/srv/my db".into()] }
    }

    /// A process in a fake /proc: where its links lead, and its files.
    fn process(root: &Root, pid: u32, links: &[(&str, &str)], files: &[(&str, &str)]) {
        let folder = root.proc(pid.to_string());
        for (name, target) in links {
            fs::create_dir_all(folder.join(name).parent().unwrap()).unwrap();
            symlink(target, folder.join(name)).unwrap();
        }
        for (name, text) in [("comm", "sh\n"), ("cgroup", "0::/system.slice/x.service\n")].iter().chain(files) {
            fs::create_dir_all(folder.join(name).parent().unwrap()).unwrap();
            fs::write(folder.join(name), text).unwrap();
        }
    }

    fn named(root: &Root) -> Vec<String> {
        of(root, &held()).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn processes_are_found_by_all_that_they_can_hold() {
        let folder = tempfile::tempdir().unwrap();
        let root = Root::new(folder.path());
        process(&root, 1, &[("cwd", "/"), ("root", "/"), ("exe", "/sbin/init"), ("fd/0", "/dev/null")], &[]);
        process(&root, 2, &[("cwd", "/srv/my db/x")], &[]);
        process(&root, 3, &[("cwd", "/srv/my db2"), ("fd/7", "/srv/my db/base/1 (deleted)")], &[]);
        process(&root, 4, &[("fd/0", "/dev/rbd0p1")], &[]);
        process(
            &root,
            5,
            &[],
            &[("maps", "7f-80 r--p 00 08:01 9  /lib/a\n80-81 r--p 00 fc:01 12      /srv/my db/lib.so\n")],
        );
        process(&root, 6, &[], &[("maps", "7f-80 r--p 00 00:00 0 \n80-81 r--p 00 00:2a 12   /srv/my db/btrfs\n")]);
        process(&root, 7, &[("exe", "/srv/my db/bin")], &[("comm", "daemon\n"), ("cgroup", "0::/\n")]);
        let expected = [
            "pid 2 (sh, x.service: /srv/my db/x)",
            "pid 3 (sh, x.service: /srv/my db/base/1 (deleted))",
            "pid 4 (sh, x.service: /dev/rbd0p1)",
            "pid 5 (sh, x.service: /srv/my db/lib.so)",
            "pid 6 (sh, x.service: /srv/my db/btrfs)",
            "pid 7 (daemon: /srv/my db/bin)",
        ];
        assert_eq!(named(&root), expected);
    }

    #[test]
    fn each_other_namespace_is_told_once_but_not_those_that_follow_ours() {
        let folder = tempfile::tempdir().unwrap();
        let root = Root::new(folder.path());
        let there = "20 1 8:1 / / rw - ext4 /dev/sda1 rw\n36 20 252:1 / /srv/my\\040db rw - ext4 /dev/rbd0p1 rw\n";
        let shared = "36 20 252:1 / /srv/my\\040db rw shared:7 - ext4 /dev/rbd0p1 rw\n";
        let follower = "99 90 252:1 / /srv/my\\040db rw master:7 - ext4 /dev/rbd0p1 rw\n";
        fs::create_dir_all(root.proc("self/ns")).unwrap();
        symlink("mnt:[1]", root.proc("self/ns/mnt")).unwrap();
        fs::write(root.mountinfo(), shared).unwrap();
        let others = [(6, "mnt:[2]", there), (7, "mnt:[2]", there), (8, "mnt:[3]", ""), (9, "mnt:[4]", follower)];
        for (pid, namespace, mounts) in [(5, "mnt:[1]", there)].into_iter().chain(others) {
            process(&root, pid, &[("ns/mnt", namespace)], &[("mountinfo", mounts)]);
        }
        assert_eq!(named(&root), ["pid 6 (sh, x.service: mounted on /srv/my db in a mount namespace of its own)"]);
    }

    #[test]
    fn devices_loops_and_swap_are_found() {
        let folder = tempfile::tempdir().unwrap();
        let root = Root::new(folder.path());
        for folder in ["rbd0/holders/md0", "rbd0/rbd0p1/holders/dm-3", "dm-3/dm", "loop0/loop", "loop1/loop"] {
            fs::create_dir_all(root.blocks().join(folder)).unwrap();
        }
        fs::write(root.blocks().join("dm-3/dm/name"), "vg-data\n").unwrap();
        fs::write(root.blocks().join("loop0/loop/backing_file"), "/srv/my db/x.img\n").unwrap();
        fs::write(root.blocks().join("loop1/loop/backing_file"), "/var/x.img\n").unwrap();
        fs::create_dir_all(root.proc("")).unwrap();
        let swaps = "Filename Type Size Used Priority\n/srv/my\\040db/swap file 4 0 -2\n/dev/sda2 partition 4 0 -2\n";
        fs::write(root.proc("swaps"), swaps).unwrap();
        let expected = [
            "/dev/md0",
            "/dev/dm-3 (vg-data)",
            "/dev/loop0 (loop device of /srv/my db/x.img)",
            "swap (/srv/my db/swap; `swapoff` ends it)",
        ];
        assert_eq!(named(&root), expected);
    }
}
