//! What is mapped, for a run that asks again and again: each mapping is read once.
//!
//! A mapping is eight files of sysfs, and mapping many images would read them all for each. What does not change while a
//! device lives is remembered by the inode of its entry in `/sys/bus/rbd/devices`, which the kernel hands out anew for each
//! device (linux `fs/kernfs/dir.c`, kernfs_fop_readdir), so that a number that is another image's now is not mistaken.

use std::collections::HashMap;
use std::fs;
use std::io;
use std::os::unix::fs::DirEntryExt;
use std::sync::{Mutex, PoisonError};

use anyhow::{Context, Result};

use super::rbd::{self, Mapping};
use crate::root::Root;

/// The mappings that have been seen, by number and inode.
pub struct Listing {
    root: Root,
    known: Mutex<HashMap<(u32, u64), Mapping>>,
}

impl Listing {
    /// Nothing has been seen.
    pub fn new(root: &Root) -> Self {
        Self { root: root.clone(), known: Mutex::default() }
    }

    /// Every mapping there is now, in no order.
    pub fn mappings(&self) -> Result<Vec<Mapping>> {
        let folder = self.root.rbd_bus().join("devices");
        let entries = match fs::read_dir(&folder) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(error).with_context(|| format!("reading {}", folder.display())),
        };
        let entries = entries.flatten();
        let found = entries.filter_map(|entry| Some((entry.file_name().to_str()?.parse().ok()?, entry.ino())));
        Ok(found.filter_map(|key| self.mapping(key)).collect())
    }

    /// One that is just being made has no disk yet, and so is not remembered: whether it is read-only is the disk's word.
    /// Who else wants to know waits meanwhile, for reading it is no waiting for anybody (linux `drivers/block/rbd.c`: these
    /// attributes take no lock).
    fn mapping(&self, key: (u32, u64)) -> Option<Mapping> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(mapping) = known.get(&key) {
            return Some(mapping.clone());
        }
        let (mapping, has_disk) = rbd::look(&self.root, key.0)?;
        if has_disk {
            known.insert(key, mapping.clone());
        }
        Some(mapping)
    }
}
