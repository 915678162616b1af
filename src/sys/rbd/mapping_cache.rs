//! The mappings of the host for a run that needs them again and again: the attributes of each are read once.
//!
//! A mapping has nine files in sysfs, and a run that maps many images would otherwise read those of all mappings for each image.
//! What does not change while a device exists is kept under the device's [`DeviceKey`], so that a number that belongs to another
//! image now is not mistaken. Of images that nobody asks for, only the name is read.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::sync::{Mutex, MutexGuard, PoisonError};

use anyhow::Result;

use super::bus::{self, DeviceKey};
use crate::model::image_spec::ImageSpec;
use crate::model::mapping::Mapping;
use crate::runtime::root::Root;

/// The mappings that have been read so far.
pub struct MappingCache {
    root: Root,
    known: Mutex<KnownDevices>,
}

#[derive(Default)]
struct KnownDevices {
    /// Names of images, without their pools.
    names: BTreeMap<DeviceKey, String>,
    mappings: BTreeMap<DeviceKey, Mapping>,
}

impl MappingCache {
    /// An empty cache.
    pub fn new(root: &Root) -> Self {
        Self {
            root: root.clone(),
            known: Mutex::default(),
        }
    }

    /// All current mappings.
    pub fn mappings(&self) -> Result<Vec<Mapping>> {
        let keys = bus::entries(&self.root)?;
        let mut known = self.known();
        let mut mappings = Vec::new();
        for key in keys {
            mappings.extend(known.mapping(&self.root, key).map(Cow::into_owned));
        }
        Ok(mappings)
    }

    /// The current mapping of an image.
    pub fn of_image(&self, spec: &ImageSpec) -> Result<Option<Mapping>> {
        let keys = bus::entries(&self.root)?;
        let mut known = self.known();
        for key in keys {
            let mapping = known.mapping(&self.root, key);
            if let Some(mapping) = mapping.filter(|mapping| mapping.spec == *spec) {
                return Ok(Some(mapping.into_owned()));
            }
        }
        Ok(None)
    }

    /// The current mappings of images whose names are wanted, in any pool.
    pub fn of_images(&self, is_wanted: impl Fn(&str) -> bool) -> Result<Vec<Mapping>> {
        let keys = bus::entries(&self.root)?;
        let mut known = self.known();
        let mut mappings = Vec::new();
        for key in keys {
            if known.name(&self.root, key).is_some_and(&is_wanted) {
                mappings.extend(known.mapping(&self.root, key).map(Cow::into_owned));
            }
        }
        Ok(mappings)
    }

    /// Whether an image of this cluster is mapped.
    pub fn knows_cluster(&self, fsid: &str) -> Result<bool> {
        let keys = bus::entries(&self.root)?;
        let known = self.known();
        for key in &keys {
            if known.mappings.get(key).is_some_and(|it| it.fsid == fsid) {
                return Ok(true);
            }
        }
        // Among the others, one that is still being mapped may have a session already.
        Ok(keys.iter().any(|key| {
            bus::attribute(&self.root, key.id, "cluster_fsid").is_some_and(|read| read == fsid)
        }))
    }

    /// Other threads wait while one reads. That does not take long: the kernel takes no lock for these attributes (linux
    /// `drivers/block/rbd.c`).
    fn known(&self) -> MutexGuard<'_, KnownDevices> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl KnownDevices {
    fn name(&mut self, root: &Root, key: DeviceKey) -> Option<&str> {
        match self.names.entry(key) {
            Entry::Occupied(name) => Some(name.into_mut()),
            Entry::Vacant(vacant) => Some(vacant.insert(bus::attribute(root, key.id, "name")?)),
        }
    }

    fn mapping(&mut self, root: &Root, key: DeviceKey) -> Option<Cow<'_, Mapping>> {
        let vacant = match self.mappings.entry(key) {
            Entry::Occupied(mapping) => return Some(Cow::Borrowed(mapping.into_mut())),
            Entry::Vacant(vacant) => vacant,
        };
        let device = bus::read(root, key.id)?;
        if !device.has_disk {
            // Whether it is read-only is not known yet, so it is read again next time.
            return Some(Cow::Owned(device.mapping));
        }
        Some(Cow::Borrowed(vacant.insert(device.mapping)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::runtime::fake_root::FakeRoot;
    use std::fs;

    /// rbd/a as rbd0 and rbd/b as rbd1, and an empty cache.
    fn machine() -> (FakeRoot, MappingCache) {
        let root = FakeRoot::new();
        for (id, spec) in [(0, "rbd/a"), (1, "rbd/b")] {
            root.map_image(id, spec);
            root.write(format!("sys/block/rbd{id}/ro"), "0\n");
        }
        let cache = MappingCache::new(&root);
        (root, cache)
    }

    fn specs(mappings: &[Mapping]) -> Vec<String> {
        mappings.iter().map(|it| it.spec.to_string()).collect()
    }

    #[test]
    fn a_device_is_read_once() {
        let (root, cache) = machine();
        assert_eq!(specs(&cache.mappings().unwrap()), ["rbd/a", "rbd/b"]);
        // The kernel does not do that; here it shows what is read again.
        root.write("sys/bus/rbd/devices/0/name", "changed");
        assert_eq!(specs(&cache.mappings().unwrap()), ["rbd/a", "rbd/b"]);
        let found = cache.of_image(&"rbd/a".parse().unwrap()).unwrap();
        assert_eq!(found.map(|mapping| mapping.id), Some(0));
    }

    #[test]
    fn of_other_images_the_name_is_read_once_and_nothing_else() {
        let (root, cache) = machine();
        let wanted = cache.of_images(|name| name == "b").unwrap();
        assert_eq!(specs(&wanted), ["rbd/b"]);
        root.write("sys/bus/rbd/devices/0/name", "changed");
        assert_eq!(cache.of_images(|name| name == "changed").unwrap(), []);
        root.write("sys/bus/rbd/devices/0/name", "a");
        root.write("sys/bus/rbd/devices/0/pool", "changed");
        let wanted = cache.of_images(|name| name == "a").unwrap();
        assert_eq!(specs(&wanted), ["changed/a"]);
    }

    #[test]
    fn a_number_that_belongs_to_another_device_now_is_read_again() {
        let (root, cache) = machine();
        assert_eq!(specs(&cache.mappings().unwrap()), ["rbd/a", "rbd/b"]);
        root.map_image(2, "rbd/c");
        let devices = root.join("sys/bus/rbd/devices");
        fs::rename(devices.join("0"), root.join("old")).unwrap();
        fs::rename(devices.join("2"), devices.join("0")).unwrap();
        assert_eq!(specs(&cache.mappings().unwrap()), ["rbd/c", "rbd/b"]);
        assert_eq!(cache.of_image(&"rbd/a".parse().unwrap()).unwrap(), None);
    }

    #[test]
    fn a_mapping_without_a_disk_is_read_again() {
        let (root, cache) = machine();
        fs::remove_file(root.join("sys/block/rbd0/ro")).unwrap();
        assert!(!cache.mappings().unwrap()[0].read_only);
        root.write("sys/block/rbd0/ro", "1\n");
        assert!(cache.mappings().unwrap()[0].read_only);
    }
}
