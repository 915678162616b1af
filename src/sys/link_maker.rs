//! Makes and removes the links below /dev/rbd where no udevd does: in containers, in an initramfs without udev, on systems with
//! mdev. The links are the same as udev's (ceph `udev/50-rbd.rules`): `/dev/rbd/POOL/[NAMESPACE/]IMAGE[@SNAPSHOT]` to
//! `../../rbdN`, with `-partM` for partitions.
//!
//! The names come from the kernel, which does not check them, and /dev may belong to a container. Therefore each directory is
//! opened from the one above without following a symbolic link, and a name that could lead elsewhere is refused. A link is
//! replaced by renaming, so that it exists at every moment. A link to another image of the same name in another cluster stays.

use std::fs::OpenOptions;
use std::os::fd::OwnedFd;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use nix::errno::Errno;
use nix::fcntl::{AtFlags, OFlag, openat, readlinkat, renameat};
use nix::sys::stat::{Mode, fstatat, mkdirat};
use nix::unistd::{UnlinkatFlags, symlinkat, unlinkat};

use super::device;
use super::rbd::bus;
use crate::model::block_node::BlockNode;
use crate::model::image_spec::ImageSpec;
use crate::model::mapping::Mapping;
use crate::runtime::root::Root;

/// Makes the links of a mapping that do not exist yet.
pub fn make(root: &Root, mapping: &Mapping) -> Result<()> {
    let name = mapping.name();
    ensure!(
        root.dev(&name).exists(),
        "mapped as /dev/{name}, which does not exist here; check that /dev is that of the host"
    );
    let mut nodes = vec![BlockNode {
        name: name.clone(),
        number: mapping.number,
        partition: None,
    }];
    let partitions = device::nodes(root, &name).into_iter();
    nodes.extend(partitions.filter(|node| node.partition.is_some()));
    for node in &nodes {
        let link = LinkPath::new(&mapping.spec, node);
        link.and_then(|link| {
            // Twice, because another rbdmap may have removed a directory that was empty.
            make_one(root, &link, node).or_else(|_| make_one(root, &link, node))
        })
        .with_context(|| {
            format!("mapped as /dev/{name}, but it has no link, and no udevd runs that makes one")
        })?;
    }
    Ok(())
}

/// Removes the links of a mapping that lead to its devices, and the directories that become empty.
pub fn remove(root: &Root, spec: &ImageSpec, nodes: &[BlockNode]) -> Result<()> {
    for node in nodes {
        let link = LinkPath::new(spec, node)?;
        let Ok(opened) = open_directories(root, &link.directories) else {
            continue;
        };
        let Some(directory) = opened.last() else {
            continue;
        };
        if target(directory, &link.name)
            .is_some_and(|target| target.file_name() == Some(node.name.as_ref()))
        {
            unlinkat(directory, link.name.as_str(), UnlinkatFlags::NoRemoveDir)
                .with_context(|| format!("removing {}", link.display()))?;
        }
        // The innermost first. A directory that is not empty stays, and so do those above it.
        for (above, name) in opened.iter().zip(&link.directories).rev() {
            if unlinkat(above, name.as_str(), UnlinkatFlags::RemoveDir).is_err() {
                break;
            }
        }
    }
    Ok(())
}

/// Where a link is, below /dev.
struct LinkPath<'a> {
    spec: &'a ImageSpec,
    /// The directories, `rbd` first.
    directories: Vec<String>,
    /// The link's name in the last of them.
    name: String,
}

impl<'a> LinkPath<'a> {
    /// Fails for names that could lead out of /dev/rbd.
    fn new(spec: &'a ImageSpec, node: &BlockNode) -> Result<Self> {
        let link = spec.link();
        let link = link.to_string_lossy();
        let mut directories: Vec<String> = link.split('/').map(str::to_owned).collect();
        ensure!(
            !directories.iter().any(|part| is_unsafe(part)),
            "a link below /dev/rbd cannot have the name {:?}",
            spec.to_string()
        );
        let mut name = directories.pop().unwrap_or_default();
        if let Some(number) = node.partition {
            name = format!("{name}-part{number}");
        }
        Ok(Self {
            spec,
            directories,
            name,
        })
    }

    /// The absolute path.
    fn display(&self) -> String {
        format!("/dev/{}/{}", self.directories.join("/"), self.name)
    }
}

/// Whether a part of a path leads elsewhere than to an entry of its directory.
fn is_unsafe(part: &str) -> bool {
    matches!(part, "" | "." | "..") || part.contains('\0')
}

fn make_one(root: &Root, link: &LinkPath<'_>, node: &BlockNode) -> Result<()> {
    let opened = make_directories(root, &link.directories)?;
    let directory = opened.last().context("no directory")?;
    let path = link.display();
    let wanted = PathBuf::from("../".repeat(link.directories.len())).join(&node.name);
    match target(directory, &link.name) {
        Some(target) if target == wanted => return Ok(()),
        Some(target) => ensure!(
            !serves_another_mapping(root, link, node, &target),
            "{path} leads to another device with an image of that name, {}",
            target.display()
        ),
        None => ensure!(
            !exists(directory, &link.name),
            "{path} exists and is not a link"
        ),
    }
    let temporary = format!(".{}.new", node.name);
    // It exists if another rbdmap was killed here.
    let _ = unlinkat(directory, temporary.as_str(), UnlinkatFlags::NoRemoveDir);
    symlinkat(&wanted, directory, temporary.as_str()).with_context(|| format!("making {path}"))?;
    renameat(directory, temporary.as_str(), directory, link.name.as_str())
        .with_context(|| format!("making {path}"))
}

/// Whether a link's target is a device of another mapping whose image has the same name: in another cluster, or mapped twice.
fn serves_another_mapping(
    root: &Root,
    link: &LinkPath<'_>,
    node: &BlockNode,
    target: &Path,
) -> bool {
    let Some(name) = target.file_name().and_then(|name| name.to_str()) else {
        return false;
    };
    // A stale link to a device that is another image's now may be replaced.
    name != node.name
        && bus::list(root)
            .unwrap_or_default()
            .iter()
            .any(|mapping| has_node(mapping, name) && mapping.spec.link() == link.spec.link())
}

/// Whether this is the name of the mapping's disk or of one of its partitions.
fn has_node(mapping: &Mapping, name: &str) -> bool {
    let disk = mapping.name();
    name == disk || name.starts_with(&format!("{disk}p"))
}

const DIRECTORY: OFlag = OFlag::O_DIRECTORY
    .union(OFlag::O_NOFOLLOW)
    .union(OFlag::O_CLOEXEC);

/// Opens /dev, then each directory in the one before. Fails if one is missing.
fn open_directories(root: &Root, names: &[String]) -> Result<Vec<OwnedFd>> {
    let mut opened = vec![open_dev(root)?];
    for name in names {
        let directory = open_directory(&opened[opened.len() - 1], name)?;
        opened.push(directory);
    }
    Ok(opened)
}

/// The same, but makes those that are missing.
fn make_directories(root: &Root, names: &[String]) -> Result<Vec<OwnedFd>> {
    let mut opened = vec![open_dev(root)?];
    for name in names {
        let above = &opened[opened.len() - 1];
        match mkdirat(above, name.as_str(), Mode::from_bits_truncate(0o755)) {
            Ok(()) | Err(Errno::EEXIST) => {}
            Err(error) => bail!("making the directory {name} below /dev: {error}"),
        }
        let directory = open_directory(above, name)?;
        opened.push(directory);
    }
    Ok(opened)
}

fn open_dev(root: &Root) -> Result<OwnedFd> {
    let path = root.dev("");
    let dev = OpenOptions::new()
        .read(true)
        .custom_flags(DIRECTORY.bits())
        .open(&path)
        .with_context(|| format!("opening {}", path.display()))?;
    Ok(dev.into())
}

fn open_directory(above: &OwnedFd, name: &str) -> Result<OwnedFd> {
    let flags = OFlag::O_RDONLY | DIRECTORY;
    openat(above, name, flags, Mode::empty())
        .with_context(|| format!("opening the directory {name} below /dev"))
}

/// A link's target as it is written; `None` if it is not a link.
fn target(directory: &OwnedFd, name: &str) -> Option<PathBuf> {
    readlinkat(directory, name).ok().map(PathBuf::from)
}

fn exists(directory: &OwnedFd, name: &str) -> bool {
    fstatat(directory, name, AtFlags::AT_SYMLINK_NOFOLLOW).is_ok()
}

#[cfg(test)]
mod tests;
