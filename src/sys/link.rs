//! The links below /dev/rbd, made and removed by ourselves where no udevd does: in containers, in an initramfs without
//! udev, on systems with mdev. They are udev's (ceph `udev/50-rbd.rules`): `/dev/rbd/POOL/[NAMESPACE/]IMAGE[@SNAPSHOT]` to
//! `../../rbdN`, and with `-partM` for partitions.
//!
//! Names come from the kernel, unchecked, and /dev may be a container's: every folder is opened from the one above without
//! following a symbolic link, and a name that could lead elsewhere is refused. A link is replaced by renaming, so that
//! it is there at every moment. One that leads to another image of the same name on another cluster stays.

use std::collections::HashSet;
use std::fs::{self, OpenOptions};
use std::os::fd::OwnedFd;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, anyhow, bail};
use nix::errno::Errno;
use nix::fcntl::{AtFlags, OFlag, openat, readlinkat, renameat};
use nix::sys::stat::{Mode, fstatat, mkdirat};
use nix::unistd::{UnlinkatFlags, symlinkat, unlinkat};

use super::device;
use super::rbd::bus;
use crate::model::block_node::BlockNode;
use crate::model::image_spec::ImageSpec;
use crate::model::mapping::Mapping;
use crate::runtime::deadline::Wait;
use crate::runtime::root::Root;

/// Waits for udev to finish with the device and its partitions and for the link; makes the links where there is no udevd. For a
/// link that has gone udev is asked again (`uevent`, linux `Documentation/ABI/testing/sysfs-uevent`).
pub fn await_link(root: &Root, mapping: &Mapping, wait: Wait<'_>) -> Result<()> {
    if !root.udev_control().exists() {
        return make(root, mapping);
    }
    let nodes = device::nodes(root, &mapping.name());
    if is_done(root, mapping, &nodes) && !link_leads_to(root, mapping) {
        // Somebody has taken it away, for udev is done. Where this cannot be asked, the waiting below says so.
        let _ = fs::write(root.block(&mapping.name()).join("uevent"), "change");
    }
    let ready = || (is_done(root, mapping, &nodes) && link_leads_to(root, mapping)).then_some(());
    if wait.poll(ready).is_some() {
        return Ok(());
    }
    let (spec, name) = (&mapping.spec, mapping.name());
    let link = Path::new("/dev").join(spec.link());
    let link = link.display();
    if target_name(root, mapping).is_some_and(|target| target != name) {
        bail!("it is mapped as /dev/{name}, but {link} leads to another device of that name");
    }
    bail!(
        "it is mapped as /dev/{name}, but udev did not make {link} in time: is 50-rbd.rules installed, does udevd work?"
    )
}

/// Those of the mappings for which there is nothing to wait for: udev runs, is done with the device, and the link is there.
pub fn ready<'m>(root: &Root, mappings: &'m [Mapping]) -> Vec<&'m Mapping> {
    if !root.udev_control().exists() {
        return Vec::new();
    }
    let partitioned = partitioned(root);
    let nodes = |disk: &str| {
        if partitioned.contains(disk) {
            device::nodes(root, disk)
        } else {
            Vec::new()
        }
    };
    let is_ready = |mapping: &&Mapping| {
        link_leads_to(root, mapping) && is_done(root, mapping, &nodes(&mapping.name()))
    };
    mappings.iter().filter(is_ready).collect()
}

/// The disks of rbd that have partitions, in one look.
fn partitioned(root: &Root) -> HashSet<String> {
    let names = fs::read_dir(root.block_class())
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| entry.file_name());
    let names = names
        .filter_map(|name| name.into_string().ok())
        .filter(|name| name.starts_with("rbd"));
    names
        .filter_map(|name| name.split_once('p').map(|(disk, _)| disk.to_owned()))
        .collect()
}

/// Whether udev is done with a disk and its partitions. The kernel knew these before its write returned; udev comes to
/// them after the disk.
fn is_done(root: &Root, mapping: &Mapping, nodes: &[BlockNode]) -> bool {
    let has_record = |(major, minor): (u32, u32)| root.udev_record(major, minor).exists();
    has_record(mapping.number)
        && nodes
            .iter()
            .all(|node| node.number == mapping.number || has_record(node.number))
}

/// Whether the image's link leads to this mapping's device.
pub fn link_leads_to(root: &Root, mapping: &Mapping) -> bool {
    target_name(root, mapping).is_some_and(|name| name == mapping.name())
}

/// The name of the node that the link points to (`../../rbd0`).
fn target_name(root: &Root, mapping: &Mapping) -> Option<String> {
    let target = fs::read_link(root.dev(mapping.spec.link())).ok()?;
    target
        .file_name()
        .map(|name| name.to_string_lossy().into_owned())
}

/// Makes the links of a mapping, or finds them made.
pub fn make(root: &Root, mapping: &Mapping) -> Result<()> {
    let (spec, name) = (&mapping.spec, mapping.name());
    let nodes = device::nodes(root, &name);
    let context = || {
        format!(
            "it is mapped as /dev/{name}, but has no link, and no udevd runs that would make it"
        )
    };
    if !root.dev(&name).exists() {
        bail!("it is mapped as /dev/{name}, but that is not there: is this the /dev of the host?");
    }
    let disk = BlockNode {
        name: name.clone(),
        number: mapping.number,
        partition: None,
    };
    for node in std::iter::once(&disk).chain(nodes.iter().filter(|node| node.partition.is_some())) {
        // Twice: another of us may just have removed a folder that was empty.
        make_one(root, spec, node)
            .or_else(|_| make_one(root, spec, node))
            .with_context(context)?;
    }
    Ok(())
}

/// Removes those links of a mapping that lead to its devices, and the folders that are empty then.
pub fn remove(root: &Root, spec: &ImageSpec, nodes: &[BlockNode]) -> Result<()> {
    for node in nodes {
        let (folders, name) = parts(spec, node)?;
        let Ok(opened) = open_folders(root, &folders, Missing::Leave) else {
            continue;
        };
        let Some(folder) = opened.last() else {
            continue;
        };
        if target(folder, &name)
            .is_some_and(|target| target.file_name() == Some(node.name.as_ref()))
        {
            unlinkat(folder, name.as_str(), UnlinkatFlags::NoRemoveDir)
                .with_context(|| format!("removing /dev/{}/{name}", folders.join("/")))?;
        }
        // From the innermost; a folder that is not empty stays, and so do those above it.
        for (at, name) in folders.iter().enumerate().rev() {
            if unlinkat(&opened[at], name.as_str(), UnlinkatFlags::RemoveDir).is_err() {
                break;
            }
        }
    }
    Ok(())
}

fn make_one(root: &Root, spec: &ImageSpec, node: &BlockNode) -> Result<()> {
    let (folders, name) = parts(spec, node)?;
    let opened = open_folders(root, &folders, Missing::Make)?;
    let folder = opened.last().context("no folder")?;
    let path = format!("/dev/{}/{name}", folders.join("/"));
    let wanted = PathBuf::from("../".repeat(folders.len())).join(&node.name);
    match target(folder, &name) {
        Some(target) if target == wanted => return Ok(()),
        Some(target) if serves_another(root, spec, node, &target) => {
            bail!(
                "{path} leads to another device of that name, {}",
                target.display()
            )
        }
        Some(_) => {}
        None if fstatat(folder, name.as_str(), AtFlags::AT_SYMLINK_NOFOLLOW).is_ok() => {
            bail!("{path} is there and is not a link")
        }
        None => {}
    }
    let new = format!(".{}.new", node.name);
    // Left behind by one of us who was killed.
    let _ = unlinkat(folder, new.as_str(), UnlinkatFlags::NoRemoveDir);
    symlinkat(&wanted, folder, new.as_str()).with_context(|| format!("making {path}"))?;
    renameat(folder, new.as_str(), folder, name.as_str()).with_context(|| format!("making {path}"))
}

/// Whether a link's device is an image of the same name, mapped from another cluster or a second time.
fn serves_another(root: &Root, spec: &ImageSpec, node: &BlockNode, target: &Path) -> bool {
    let name = target
        .file_name()
        .map(|name| name.to_string_lossy().into_owned())
        .unwrap_or_default();
    let disk = |mapping: &Mapping| {
        name == mapping.name() || name.starts_with(&format!("{}p", mapping.name()))
    };
    name != node.name
        && bus::list(root)
            .unwrap_or_default()
            .iter()
            .any(|mapping| disk(mapping) && mapping.spec.link() == spec.link())
}

/// The folders below /dev, `rbd` first, and the link's name in the last.
fn parts(spec: &ImageSpec, node: &BlockNode) -> Result<(Vec<String>, String)> {
    let link = spec.link();
    let mut parts: Vec<String> = link
        .to_string_lossy()
        .split('/')
        .map(str::to_owned)
        .collect();
    if parts
        .iter()
        .any(|part| part.is_empty() || part == "." || part == ".." || part.contains('\0'))
    {
        bail!(
            "{:?} is not a name that can be linked below /dev/rbd",
            spec.to_string()
        );
    }
    let name = parts.pop().unwrap_or_default();
    Ok((
        parts,
        node.partition
            .map_or(name.clone(), |number| format!("{name}-part{number}")),
    ))
}

/// What to do where a folder is missing.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Missing {
    Make,
    Leave,
}

/// /dev, then each folder in the one before.
fn open_folders(root: &Root, folders: &[String], missing: Missing) -> Result<Vec<OwnedFd>> {
    let flags = OFlag::O_DIRECTORY | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
    let dev = root.dev("");
    let dev = OpenOptions::new()
        .read(true)
        .custom_flags(flags.bits())
        .open(&dev)
        .with_context(|| dev.display().to_string())?;
    let mut opened = vec![OwnedFd::from(dev)];
    for name in folders {
        let above = &opened[opened.len() - 1];
        if missing == Missing::Make {
            match mkdirat(above, name.as_str(), Mode::from_bits_truncate(0o755)) {
                Ok(()) | Err(Errno::EEXIST) => {}
                Err(error) => return Err(anyhow!("making the folder {name} below /dev: {error}")),
            }
        }
        let folder = openat(above, name.as_str(), OFlag::O_RDONLY | flags, Mode::empty());
        let folder = folder
            .map_err(|error| anyhow!("{name} below /dev cannot be opened as a folder: {error}"))?;
        opened.push(folder);
    }
    Ok(opened)
}

/// Where a link leads, as it is written; `None` if it is not a link.
fn target(folder: &OwnedFd, name: &str) -> Option<PathBuf> {
    readlinkat(folder, name).ok().map(PathBuf::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A root with mappings `(id, pool, image)`, the first of which has a partition.
    fn fake(mappings: &[(u32, &str, &str)]) -> (tempfile::TempDir, Root) {
        let folder = tempfile::tempdir().unwrap();
        let root = Root::new(folder.path());
        for (id, pool, image) in mappings {
            let bus = root.rbd_bus().join(format!("devices/{id}"));
            fs::create_dir_all(&bus).unwrap();
            for (name, text) in [
                ("pool", *pool),
                ("name", *image),
                ("current_snap", "-"),
                ("major", "252"),
            ] {
                fs::write(bus.join(name), text).unwrap();
            }
            let disk = root.block(&format!("rbd{id}"));
            fs::create_dir_all(disk.join(format!("rbd{id}p1"))).unwrap();
            fs::write(disk.join("dev"), format!("252:{}", id * 16)).unwrap();
            fs::write(
                disk.join(format!("rbd{id}p1/dev")),
                format!("252:{}", id * 16 + 1),
            )
            .unwrap();
            fs::write(disk.join(format!("rbd{id}p1/partition")), "1\n").unwrap();
            fs::create_dir_all(root.dev("")).unwrap();
            fs::write(root.dev(format!("rbd{id}")), "").unwrap();
        }
        (folder, root)
    }

    fn mappings(root: &Root) -> Vec<Mapping> {
        bus::list(root).unwrap()
    }

    #[test]
    fn links_are_udevs_and_leave_nothing_behind() {
        let (_folder, root) = fake(&[(0, "rbd", "a"), (1, "rbd", "b")]);
        let all = mappings(&root);
        for _ in 0..2 {
            all.iter().for_each(|mapping| make(&root, mapping).unwrap());
        }
        assert_eq!(
            fs::read_link(root.dev("rbd/rbd/a")).unwrap(),
            Path::new("../../rbd0")
        );
        assert_eq!(
            fs::read_link(root.dev("rbd/rbd/a-part1")).unwrap(),
            Path::new("../../rbd0p1")
        );
        remove(&root, &all[0].spec, &device::nodes(&root, "rbd0")).unwrap();
        assert!(
            root.dev("rbd/rbd/a").symlink_metadata().is_err() && root.dev("rbd/rbd/b").exists()
        );
        remove(&root, &all[1].spec, &device::nodes(&root, "rbd1")).unwrap();
        assert!(!root.dev("rbd").exists() && root.dev("rbd1").exists());
        remove(&root, &all[1].spec, &device::nodes(&root, "rbd1")).unwrap();
    }

    #[test]
    fn a_stale_link_is_replaced_and_that_of_another_image_of_the_name_is_not() {
        let (_folder, root) = fake(&[(0, "rbd", "a"), (1, "rbd", "other")]);
        fs::create_dir_all(root.dev("rbd/rbd")).unwrap();
        std::os::unix::fs::symlink("../../rbd1", root.dev("rbd/rbd/a")).unwrap();
        make(&root, &mappings(&root)[0]).unwrap();
        assert_eq!(
            fs::read_link(root.dev("rbd/rbd/a")).unwrap(),
            Path::new("../../rbd0")
        );
        let second = Mapping {
            id: 1,
            ..mappings(&root)[0].clone()
        };
        let error = format!("{:#}", make(&root, &second).unwrap_err());
        assert!(
            error.contains("/dev/rbd/rbd/a leads to another device of that name, ../../rbd0"),
            "{error}"
        );
        remove(&root, &second.spec, &device::nodes(&root, "rbd1")).unwrap();
        assert!(root.dev("rbd/rbd/a").exists());
    }

    #[test]
    fn nothing_is_made_or_removed_outside_of_the_folder() {
        let (folder, root) = fake(&[(0, "..", "a"), (1, "evil", "a"), (2, "rbd", "..")]);
        let outside = folder.path().join("outside");
        fs::create_dir_all(&outside).unwrap();
        fs::create_dir_all(root.dev("rbd")).unwrap();
        std::os::unix::fs::symlink(&outside, root.dev("rbd/evil")).unwrap();
        std::os::unix::fs::symlink("../../rbd1", outside.join("a")).unwrap();
        for mapping in mappings(&root) {
            assert!(make(&root, &mapping).is_err(), "{mapping:?}");
            let _ = remove(&root, &mapping.spec, &device::nodes(&root, &mapping.name()));
        }
        assert_eq!(fs::read_dir(&outside).unwrap().count(), 1);
        assert!(root.dev("a").symlink_metadata().is_err());
    }

    #[test]
    fn a_folder_or_file_in_its_place_and_a_missing_node_are_told() {
        let (_folder, root) = fake(&[(0, "rbd", "a")]);
        fs::create_dir_all(root.dev("rbd/rbd/a")).unwrap();
        let mapping = &mappings(&root)[0];
        assert!(
            format!("{:#}", make(&root, mapping).unwrap_err())
                .contains("/dev/rbd/rbd/a is there and is not a link")
        );
        fs::remove_file(root.dev("rbd0")).unwrap();
        assert!(
            make(&root, mapping)
                .unwrap_err()
                .to_string()
                .contains("is this the /dev of the host?")
        );
    }
}
