//! The kernel's rbd bus: what is mapped, mapping by one write, unmapping by one write.
//!
//! Interface (linux `Documentation/ABI/testing/sysfs-bus-rbd`): `/sys/bus/rbd/devices/N/` has an attribute a file;
//! `add_single_major` takes the line of `request`, `remove_single_major` takes `N`; without the module's
//! parameter single_major they are `add` and `remove`. All want CAP_SYS_ADMIN. Surprises: the kernel executes each
//! write(2) as a command of its own, so there is exactly one, never a loop; success does not tell the device's
//! number, so it is found by the line's tag; `key=` is looked up in the credentials of whoever writes; and a fatal signal
//! during the write does harm, so that each has a process of its own ([`detached::write`]).

use std::ffi::CString;
use std::fs::{self, DirEntry, File, OpenOptions};
use std::io::{self, Read};
use std::os::fd::AsFd;
use std::os::unix::fs::DirEntryExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use detached::write::{Answer, WriteRequest, write};
use nix::errno::Errno;
use nix::unistd::{AccessFlags, access};

use super::image_lock::Lock;
use super::privilege;
use crate::model::image_spec::ImageSpec;
use crate::model::mapping::Mapping;
use crate::model::owner_tag::OwnerTag;
use crate::model::secret::Secret;
use crate::runtime::deadline::Wait;
use crate::runtime::root::Root;
use crate::sys::file;
use zeroize::Zeroizing;

/// How a write to the bus failed.
#[derive(Debug)]
pub enum BusError {
    /// The kernel answered with an errno.
    Kernel(io::Error),
    /// The file of the bus could not be opened.
    Open(PathBuf, io::Error),
    /// The kernel would not take the secret into its keyring.
    Key(io::Error),
    /// The kernel would not hear us; why.
    Unprivileged(&'static str),
    /// No answer until the deadline. The kernel is still at it, and the image's lock is held until it is not.
    NoAnswer,
    /// The process that asked the kernel was killed.
    Killed,
}

impl BusError {
    /// The kernel's answer, if it gave one.
    pub fn answer(&self) -> Option<Errno> {
        match self {
            Self::Kernel(error) => error.raw_os_error().map(Errno::from_raw),
            _ => None,
        }
    }
}

/// Every mapping, in the order in which `rbd device list` prints them: that of their numbers as text.
pub fn list(root: &Root) -> Result<Vec<Mapping>> {
    let mut entries = entries(root)?;
    entries.sort_by_cached_key(|(id, _)| id.to_string());
    // A device that goes while it is read has no attributes any more: it is not mapped.
    Ok(entries
        .into_iter()
        .filter_map(|(id, _)| find(root, id))
        .collect())
}

/// The numbers of all mappings, sorted, each with the inode of its entry on the bus.
pub fn entries(root: &Root) -> Result<Vec<(u32, u64)>> {
    let folder = root.rbd_bus().join("devices");
    let entries = match fs::read_dir(&folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error).with_context(|| format!("reading {}", folder.display())),
    };
    let number = |entry: &DirEntry| entry.file_name().to_str()?.parse().ok();
    let mut found: Vec<(u32, u64)> = entries
        .flatten()
        .filter_map(|entry| Some((number(&entry)?, entry.ino())))
        .collect();
    found.sort_unstable();
    Ok(found)
}

/// The mapping of this number, if there is one.
pub fn find(root: &Root, id: u32) -> Option<Mapping> {
    look(root, id).map(|(mapping, _)| mapping)
}

/// The same, and whether it has its disk already, which tells that it is read-only.
pub fn look(root: &Root, id: u32) -> Option<(Mapping, bool)> {
    read(
        root,
        &root.rbd_bus().join("devices").join(id.to_string()),
        id,
    )
}

/// An attribute of a mapping, such as `config_info`, the line that it was made with. Some are for root only.
pub fn attribute(root: &Root, id: u32, name: &str) -> Option<String> {
    file::attribute(
        &root
            .rbd_bus()
            .join("devices")
            .join(id.to_string())
            .join(name),
    )
}

/// Whether the bus would take what is written, as far as can be told without writing: before others are waited for.
pub fn may_write(root: &Root) -> Result<(), BusError> {
    let mut path = root.rbd_bus().join("add_single_major");
    if !path.exists() {
        path.set_file_name("add");
    }
    access(&path, AccessFlags::W_OK).map_err(|errno| BusError::Open(path, errno.into()))?;
    privilege::lacking(root).map_or(Ok(()), |why| Err(BusError::Unprivileged(why)))
}

/// What maps an image: the line for the bus, and the key that the line names.
pub struct AddCommand {
    /// The line, as `ceph::request` describes it.
    pub line: Zeroizing<String>,
    /// `None` where the line names no key.
    pub key: Option<ClientKey>,
}

/// A key under the name by which the kernel looks for it, `client.ID`.
#[derive(Clone)]
pub struct ClientKey {
    /// `client.ID`.
    pub name: String,
    /// The key's payload.
    pub secret: Secret,
}

/// Maps an image: adds the key to the keyring of the writing process, then writes the line once. The caller holds the image's lock.
pub fn add(root: &Root, command: &AddCommand, way: BusAccess<'_>) -> Result<(), BusError> {
    write_once(
        &root.rbd_bus(),
        &Command {
            verb: "add",
            text: &command.line,
            key: command.key.as_ref(),
        },
        way,
    )
}

/// Unmaps by number; whatever has the device open makes it fail with EBUSY.
pub fn remove(root: &Root, id: u32, way: BusAccess<'_>) -> Result<(), BusError> {
    write_once(
        &root.rbd_bus(),
        &Command {
            verb: "remove",
            text: &id.to_string(),
            key: None,
        },
        way,
    )
}

/// Unmaps whoever has it open; what has not been written is lost. It waits for what is under way all the same.
pub fn remove_by_force(root: &Root, id: u32, way: BusAccess<'_>) -> Result<(), BusError> {
    write_once(
        &root.rbd_bus(),
        &Command {
            verb: "remove",
            text: &format!("{id} force"),
            key: None,
        },
        way,
    )
}

/// How the bus may be written to.
#[derive(Clone, Copy)]
pub struct BusAccess<'a> {
    /// The image's lock. It is held until the kernel has answered, even if nobody waits for that any more.
    pub lock: &'a Lock,
    /// How long to wait for the answer.
    pub wait: Wait<'a>,
}

/// Eight random bytes for a tag.
pub fn nonce(root: &Root) -> Result<[u8; 8]> {
    let (path, mut bytes) = (root.dev("urandom"), [0; 8]);
    let read = File::open(&path).and_then(|mut file| file.read_exact(&mut bytes));
    read.with_context(|| format!("reading {}", path.display()))
        .map(|()| bytes)
}

/// What is written to which file of the bus.
struct Command<'a> {
    verb: &'static str,
    text: &'a str,
    key: Option<&'a ClientKey>,
}

/// Writes once to `VERB_single_major`, or to `VERB` where the module gives each device a major number of its own.
fn write_once(bus: &Path, command: &Command<'_>, way: BusAccess<'_>) -> Result<(), BusError> {
    let file = open(bus, command.verb)?;
    let length = command.text.len();
    match have_written(file, command, way).map_err(BusError::Kernel)? {
        Some(Answer::Wrote(Ok(written))) if written == length => Ok(()),
        Some(Answer::Wrote(Ok(written))) => Err(BusError::Kernel(io::Error::other(format!(
            "the kernel accepted {written} of {length} bytes"
        )))),
        Some(Answer::Wrote(Err(error))) => Err(BusError::Kernel(error)),
        Some(Answer::NoKey(error)) => Err(BusError::Key(error)),
        Some(Answer::Killed) => Err(BusError::Killed),
        None => Err(BusError::NoAnswer),
    }
}

/// The bus's file for a verb.
fn open(bus: &Path, verb: &str) -> Result<File, BusError> {
    let open = |path: &Path| OpenOptions::new().write(true).open(path);
    let single = bus.join(format!("{verb}_single_major"));
    let (path, opened) = match open(&single) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            (bus.join(verb), open(&bus.join(verb)))
        }
        opened => (single, opened),
    };
    opened.map_err(|error| BusError::Open(path, error))
}

/// The answer, or `None` if there is none before the deadline.
fn have_written(
    file: File,
    command: &Command<'_>,
    way: BusAccess<'_>,
) -> io::Result<Option<Answer>> {
    let key = match command.key {
        Some(key) => Some((CString::new(key.name.as_str())?, key.secret.clone())),
        None => None,
    };
    let keep = Some(way.lock.as_fd().try_clone_to_owned()?);
    let answer = write(WriteRequest {
        file,
        text: command.text.as_bytes().to_owned(),
        key,
        keep,
    })?;
    way.wait.receive(&answer).transpose()
}

/// One mapping's attributes, and whether it has a disk.
fn read(root: &Root, folder: &Path, id: u32) -> Option<(Mapping, bool)> {
    let attribute = |name: &str| file::attribute(&folder.join(name));
    let number = |name: &str| attribute(name).and_then(|text| text.parse().ok());
    let name = format!("rbd{id}");
    let spec = ImageSpec {
        pool: attribute("pool")?,
        namespace: attribute("pool_ns").filter(|namespace| !namespace.is_empty()),
        image: attribute("name")?,
        snapshot: attribute("current_snap").filter(|snapshot| snapshot != "-"),
    };
    let read_only = file::attribute(&root.block(&name).join("ro"));
    let mapping = Mapping {
        id,
        spec,
        fsid: attribute("cluster_fsid").unwrap_or_default(),
        read_only: read_only.as_deref() == Some("1"),
        tag: attribute("config_info").and_then(|line| OwnerTag::from_config_info(&line)),
        number: (number("major")?, number("minor").unwrap_or(0)),
    };
    Some((mapping, read_only.is_some()))
}
