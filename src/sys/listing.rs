//! What is mapped, for a run that asks again and again: each mapping is read once, and of those of other images the name only.
//!
//! A mapping is nine files of sysfs. A run that maps many images would read them all for each, and at boot there is a run for
//! each image. What does not change while a device lives is remembered by the inode of its entry in
//! `/sys/bus/rbd/devices`, which the kernel hands out anew for each device (linux `fs/kernfs/dir.c`, kernfs_fop_readdir), so
//! that a number that is another image's now is not mistaken.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use anyhow::Result;

use super::rbd::{self, Mapping};
use crate::root::Root;

/// A device by its number and inode.
type Key = (u32, u64);

/// The mappings that have been seen.
pub struct Listing {
    root: Root,
    known: Mutex<Known>,
}

#[derive(Default)]
struct Known {
    names: HashMap<Key, String>,
    mappings: HashMap<Key, Mapping>,
}

impl Listing {
    /// Nothing has been seen.
    pub fn new(root: &Root) -> Self {
        Self { root: root.clone(), known: Mutex::default() }
    }

    /// Every mapping there is now.
    pub fn mappings(&self) -> Result<Vec<Mapping>> {
        self.of_images(|_| true)
    }

    /// Those of images with such names, in whatever pool.
    pub fn of_images(&self, is_wanted: impl Fn(&str) -> bool) -> Result<Vec<Mapping>> {
        let (keys, mut known) = (rbd::entries(&self.root)?, self.known());
        let found = keys.into_iter().filter_map(|key| known.of_image(&self.root, key, &is_wanted));
        Ok(found.collect())
    }

    /// Whether anything of this cluster is mapped.
    pub fn knows_cluster(&self, fsid: &str) -> Result<bool> {
        let (keys, known) = (rbd::entries(&self.root)?, self.known());
        let is_known = |key: &Key| known.mappings.get(key).is_some_and(|mapping| mapping.fsid == fsid);
        let is_its = |key: &Key| rbd::attribute(&self.root, key.0, "cluster_fsid").is_some_and(|read| read == fsid);
        Ok(keys.iter().any(is_known) || keys.iter().any(is_its))
    }

    /// Who else wants to know waits while something is read, for that is no waiting for anybody (linux `drivers/block/rbd.c`:
    /// these attributes take no lock).
    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Known {
    /// One that is just being made has no disk yet, and so is not remembered: whether it is read-only is the disk's word.
    fn of_image(&mut self, root: &Root, key: Key, is_wanted: impl Fn(&str) -> bool) -> Option<Mapping> {
        if let Some(mapping) = self.mappings.get(&key) {
            return is_wanted(&mapping.spec.image).then(|| mapping.clone());
        }
        if let Some(name) = self.names.get(&key)
            && !is_wanted(name)
        {
            return None;
        }
        let name = rbd::attribute(root, key.0, "name")?;
        let is_wanted = is_wanted(&name);
        self.names.insert(key, name);
        if !is_wanted {
            return None;
        }
        let (mapping, has_disk) = rbd::look(root, key.0)?;
        if has_disk {
            self.mappings.insert(key, mapping.clone());
        }
        Some(mapping)
    }
}
