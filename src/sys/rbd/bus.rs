//! The kernel's rbd bus: which images are mapped, mapping by one write, unmapping by one write.
//!
//! Interface (linux `Documentation/ABI/testing/sysfs-bus-rbd`): `/sys/bus/rbd/devices/N/` has a file for each attribute;
//! `add_single_major` takes the line that `ceph::request` makes, `remove_single_major` takes `N`. If the module was loaded
//! without single_major, the files are `add` and `remove`. All require CAP_SYS_ADMIN. The kernel
//! - executes each write(2) as a separate command, so a line is written by exactly one call;
//! - does not return the new device's number, so the device is found by the tag in its line;
//! - looks for the key of `key=` in the credentials of the writing thread;
//! - leaves an exclusive lock behind when a fatal signal interrupts the write, so a process of its own writes
//!   ([`detached::write`]).

use std::ffi::CString;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read};
use std::os::fd::AsFd;
use std::os::unix::fs::DirEntryExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use detached::write::{WriteOutcome, WriteRequest, write};
use nix::errno::Errno;
use nix::unistd::{AccessFlags, access};
use zeroize::Zeroizing;

use super::image_lock::Lock;
use super::privilege;
use crate::model::image_spec::ImageSpec;
use crate::model::mapping::Mapping;
use crate::model::owner_tag::OwnerTag;
use crate::model::secret::Secret;
use crate::runtime::deadline::Wait;
use crate::runtime::root::Root;
use crate::sys::file;

/// How a write to the bus failed.
#[derive(Debug)]
pub enum BusError {
    /// The kernel returned an errno.
    Kernel(io::Error),
    /// The file of the bus could not be opened.
    Open(PathBuf, io::Error),
    /// The kernel did not accept the key into its keyring.
    Key(io::Error),
    /// The kernel accepts no request from this process; why.
    Unprivileged(&'static str),
    /// The kernel did not answer before the deadline. The request is still running, and holds the image's lock until it ends.
    NoAnswer,
    /// The process that made the request was killed.
    Killed,
}

impl BusError {
    /// The errno that the kernel returned, if it returned one.
    pub fn answer(&self) -> Option<Errno> {
        match self {
            Self::Kernel(error) => error.raw_os_error().map(Errno::from_raw),
            _ => None,
        }
    }
}

/// A device on the bus. The kernel reuses numbers but not inodes, so the two together identify a device for as long as the
/// kernel runs (linux `fs/kernfs/dir.c`, __kernfs_new_node).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct DeviceKey {
    /// The N of rbdN.
    pub id: u32,
    /// The inode of its entry in `/sys/bus/rbd/devices`.
    pub inode: u64,
}

/// All mappings in the order of `rbd device list`, which sorts their numbers as text.
pub fn list(root: &Root) -> Result<Vec<Mapping>> {
    let mut keys = entries(root)?;
    keys.sort_by_cached_key(|key| key.id.to_string());
    // A device that disappears while it is read has no attributes any more.
    Ok(keys.iter().filter_map(|key| find(root, key.id)).collect())
}

/// All devices, sorted by their numbers.
pub fn entries(root: &Root) -> Result<Vec<DeviceKey>> {
    let directory = devices(root);
    let entries = match fs::read_dir(&directory) {
        Ok(entries) => entries,
        // The module is not loaded.
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => {
            return Err(error).with_context(|| format!("reading {}", directory.display()));
        }
    };
    let mut keys = Vec::new();
    for entry in entries.flatten() {
        // readdir(3) returns the inode as well, so no stat(2) is needed for hundreds of devices.
        let inode = entry.ino();
        let id = entry
            .file_name()
            .to_str()
            .and_then(|name| name.parse().ok());
        keys.extend(id.map(|id| DeviceKey { id, inode }));
    }
    keys.sort_unstable();
    Ok(keys)
}

/// The mapping with this number, if there is one.
pub fn find(root: &Root, id: u32) -> Option<Mapping> {
    read(root, id).map(|device| device.mapping)
}

/// A mapping, as it is in sysfs at this moment.
pub struct BusDevice {
    /// The mapping.
    pub mapping: Mapping,
    /// Whether the kernel has created the disk already. Before that, `mapping.read_only` is not known.
    pub has_disk: bool,
}

/// Reads the attributes of a device; `None` if there is no such device.
pub fn read(root: &Root, id: u32) -> Option<BusDevice> {
    let spec = ImageSpec {
        pool: attribute(root, id, "pool")?,
        namespace: attribute(root, id, "pool_ns").filter(|namespace| !namespace.is_empty()),
        image: attribute(root, id, "name")?,
        snapshot: attribute(root, id, "current_snap").filter(|snapshot| snapshot != "-"),
    };
    let read_only = file::attribute(&root.block(&format!("rbd{id}")).join("ro"));
    let line = attribute(root, id, "config_info");
    let mapping = Mapping {
        id,
        spec,
        fsid: attribute(root, id, "cluster_fsid").unwrap_or_default(),
        read_only: read_only.as_deref() == Some("1"),
        tag: line.and_then(|line| OwnerTag::from_config_info(&line)),
        number: (
            number(root, id, "major")?,
            // Exists with single_major only; otherwise each disk has a major number of its own.
            number(root, id, "minor").unwrap_or(0),
        ),
    };
    Some(BusDevice {
        mapping,
        has_disk: read_only.is_some(),
    })
}

fn number(root: &Root, id: u32, name: &str) -> Option<u32> {
    attribute(root, id, name)?.parse().ok()
}

/// An attribute of a mapping, such as `config_info`, the line that it was made with. Only root can read some of them.
pub fn attribute(root: &Root, id: u32, name: &str) -> Option<String> {
    file::attribute(&devices(root).join(id.to_string()).join(name))
}

fn devices(root: &Root) -> PathBuf {
    root.rbd_bus().join("devices")
}

/// Whether the bus would accept a write, as far as that is known without writing. Checked first, so that a caller without
/// privileges does not wait for locks and monitors in vain.
pub fn may_write(root: &Root) -> Result<(), BusError> {
    let mut path = root.rbd_bus().join("add_single_major");
    if !path.exists() {
        path.set_file_name("add");
    }
    access(&path, AccessFlags::W_OK).map_err(|errno| BusError::Open(path, errno.into()))?;
    match privilege::missing(root) {
        Some(reason) => Err(BusError::Unprivileged(reason)),
        None => Ok(()),
    }
}

/// What maps an image: the line for the bus, and the key that the line names.
pub struct AddCommand {
    /// The line, as `ceph::request` describes it.
    pub line: Zeroizing<String>,
    /// `None` if the line names no key.
    pub key: Option<ClientKey>,
}

/// A key with the name by which the kernel looks for it.
#[derive(Clone)]
pub struct ClientKey {
    /// `client.ID`.
    pub name: String,
    /// The key's payload.
    pub secret: Secret,
}

/// Maps an image: the writing process adds the key to its keyring, then writes the line once. The caller holds the image's lock.
pub fn add(root: &Root, command: &AddCommand, access: BusAccess<'_>) -> Result<(), BusError> {
    let command = BusWrite {
        file: "add",
        text: &command.line,
        key: command.key.as_ref(),
    };
    write_once(&root.rbd_bus(), &command, access)
}

/// Unmaps by number. The kernel returns EBUSY while anything has the device open.
pub fn remove(root: &Root, id: u32, access: BusAccess<'_>) -> Result<(), BusError> {
    let command = BusWrite {
        file: "remove",
        text: &id.to_string(),
        key: None,
    };
    write_once(&root.rbd_bus(), &command, access)
}

/// Unmaps even if the device is open; data that has not been written is lost. The kernel waits for requests that are in flight.
pub fn remove_by_force(root: &Root, id: u32, access: BusAccess<'_>) -> Result<(), BusError> {
    let command = BusWrite {
        file: "remove",
        text: &format!("{id} force"),
        key: None,
    };
    write_once(&root.rbd_bus(), &command, access)
}

/// What a caller needs to write to the bus.
#[derive(Clone, Copy)]
pub struct BusAccess<'a> {
    /// The image's lock. It is held until the kernel has answered, even if the caller waits no longer.
    pub lock: &'a Lock,
    /// How long to wait for the answer.
    pub wait: Wait<'a>,
}

/// Eight random bytes for a tag.
pub fn nonce(root: &Root) -> Result<[u8; 8]> {
    let path = root.dev("urandom");
    let mut bytes = [0; 8];
    File::open(&path)
        .and_then(|mut file| file.read_exact(&mut bytes))
        .with_context(|| format!("reading {}", path.display()))?;
    Ok(bytes)
}

/// What is written to which file of the bus.
struct BusWrite<'a> {
    file: &'static str,
    text: &'a str,
    key: Option<&'a ClientKey>,
}

fn write_once(bus: &Path, command: &BusWrite<'_>, access: BusAccess<'_>) -> Result<(), BusError> {
    let file = open(bus, command.file)?;
    let length = command.text.len();
    match write_detached(file, command, access).map_err(BusError::Kernel)? {
        Some(WriteOutcome::Written(written)) if written == length => Ok(()),
        // Writing the rest would be a second command. The kernel takes a line whole, so this is a defect.
        Some(WriteOutcome::Written(written)) => Err(BusError::Kernel(io::Error::other(format!(
            "the kernel accepted {written} of {length} bytes"
        )))),
        Some(WriteOutcome::WriteFailed(error)) => Err(BusError::Kernel(error)),
        Some(WriteOutcome::KeyRefused(error)) => Err(BusError::Key(error)),
        Some(WriteOutcome::Killed) => Err(BusError::Killed),
        None => Err(BusError::NoAnswer),
    }
}

/// Opens `NAME_single_major`, or `NAME` if the module was loaded without single_major.
fn open(bus: &Path, name: &str) -> Result<File, BusError> {
    let mut path = bus.join(format!("{name}_single_major"));
    let mut opened = OpenOptions::new().write(true).open(&path);
    if matches!(&opened, Err(error) if error.kind() == io::ErrorKind::NotFound) {
        path = bus.join(name);
        opened = OpenOptions::new().write(true).open(&path);
    }
    opened.map_err(|error| BusError::Open(path, error))
}

/// Lets another process write; `None` if it has not ended before the deadline.
fn write_detached(
    file: File,
    command: &BusWrite<'_>,
    access: BusAccess<'_>,
) -> io::Result<Option<WriteOutcome>> {
    let key = match command.key {
        Some(key) => Some((CString::new(key.name.as_str())?, key.secret.clone())),
        None => None,
    };
    // If nobody waits for the kernel any more, the lock must still say that the image is in use.
    let held_file = access.lock.as_fd().try_clone_to_owned()?;
    let outcome = write(WriteRequest {
        file,
        text: command.text.as_bytes().to_owned(),
        key,
        held_file: Some(held_file),
    })?;
    access.wait.receive(&outcome).transpose()
}
