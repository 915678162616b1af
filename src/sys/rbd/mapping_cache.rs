//! What is mapped, for a run that asks again and again: each mapping is read once, and of those of other images the name only.
//!
//! A mapping is nine files of sysfs. A run that maps many images would read them all for each, and at boot there is a run for
//! each image. What does not change while a device lives is remembered by the inode of its entry in
//! `/sys/bus/rbd/devices`, which the kernel hands out anew for each device (linux `fs/kernfs/dir.c`, kernfs_fop_readdir), so
//! that a number that is another image's now is not mistaken. Names are remembered from run to run as well ([`record`]).

use std::collections::btree_map::{BTreeMap, Entry};
use std::sync::{Mutex, MutexGuard, PoisonError};

use anyhow::Result;

use super::bus;
use super::name_record::{self, Key};
use crate::model::image_spec::ImageSpec;
use crate::model::mapping::Mapping;
use crate::runtime::root::Root;

/// The mappings that have been seen.
pub struct MappingCache {
    root: Root,
    known: Mutex<Known>,
}

#[derive(Default)]
struct Known {
    /// Those of the record when the first is needed.
    names: Option<BTreeMap<Key, Name>>,
    mappings: BTreeMap<Key, Mapping>,
}

/// An image's.
struct Name {
    text: String,
    /// Whether the record has it.
    is_recorded: bool,
}

impl MappingCache {
    /// Nothing has been seen.
    pub fn new(root: &Root) -> Self {
        Self {
            root: root.clone(),
            known: Mutex::default(),
        }
    }

    /// Every mapping there is now.
    pub fn mappings(&self) -> Result<Vec<Mapping>> {
        let (keys, mut known) = (bus::entries(&self.root)?, self.known());
        Ok(keys
            .into_iter()
            .filter_map(|key| known.mapping(&self.root, key))
            .collect())
    }

    /// That of this image; each of the others is read once, as always.
    pub fn of_image(&self, spec: &ImageSpec) -> Result<Option<Mapping>> {
        let (keys, mut known) = (bus::entries(&self.root)?, self.known());
        let is_it = |mapping: &Mapping| mapping.spec == *spec;
        Ok(keys
            .into_iter()
            .find_map(|key| match known.mappings.get(&key) {
                Some(mapping) => is_it(mapping).then(|| mapping.clone()),
                None => known.mapping(&self.root, key).filter(is_it),
            }))
    }

    /// Those of images with such names, in whatever pool.
    pub fn of_images(&self, is_wanted: impl Fn(&str) -> bool) -> Result<Vec<Mapping>> {
        let (keys, mut known) = (bus::entries(&self.root)?, self.known());
        let found = keys
            .into_iter()
            .filter_map(|key| known.of_image(&self.root, key, &is_wanted));
        Ok(found.collect())
    }

    /// Whether anything of this cluster is mapped.
    pub fn knows_cluster(&self, fsid: &str) -> Result<bool> {
        let (keys, known) = (bus::entries(&self.root)?, self.known());
        let is_known = |key: &Key| {
            known
                .mappings
                .get(key)
                .is_some_and(|mapping| mapping.fsid == fsid)
        };
        let is_its = |key: &Key| {
            bus::attribute(&self.root, key.0, "cluster_fsid").is_some_and(|read| read == fsid)
        };
        Ok(keys.iter().any(is_known) || keys.iter().any(is_its))
    }

    /// Who else wants to know waits while something is read, for that is no waiting for anybody (linux `drivers/block/rbd.c`:
    /// these attributes take no lock).
    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Known {
    /// One that is wanted is written down: of hundreds, each then is read by its own run only.
    fn of_image(
        &mut self,
        root: &Root,
        key: Key,
        is_wanted: impl Fn(&str) -> bool,
    ) -> Option<Mapping> {
        let recorded = || {
            name_record::read(root).into_iter().map(|(key, text)| {
                (
                    key,
                    Name {
                        text,
                        is_recorded: true,
                    },
                )
            })
        };
        let name = match self
            .names
            .get_or_insert_with(|| recorded().collect())
            .entry(key)
        {
            Entry::Occupied(name) => name.into_mut(),
            Entry::Vacant(place) => place.insert(Name {
                text: bus::attribute(root, key.0, "name")?,
                is_recorded: false,
            }),
        };
        if !is_wanted(&name.text) {
            return None;
        }
        if !name.is_recorded {
            name.is_recorded = true;
            if let Err(error) = name_record::add(root, key, &name.text) {
                tracing::debug!("{}: its name is not remembered: {error}", name.text);
            }
        }
        self.mapping(root, key)
    }

    /// One that is just being made has no disk yet, and so is not remembered: whether it is read-only is the disk's word.
    fn mapping(&mut self, root: &Root, key: Key) -> Option<Mapping> {
        if let Some(mapping) = self.mappings.get(&key) {
            return Some(mapping.clone());
        }
        let (mapping, has_disk) = bus::look(root, key.0)?;
        if has_disk {
            self.mappings.insert(key, mapping.clone());
        }
        Some(mapping)
    }
}
