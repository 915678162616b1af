//! A mapped image, as the kernel reports it on its rbd bus. `sys::rbd::bus` reads it from sysfs.

use super::image_spec::ImageSpec;
use super::owner_tag::{Origin, OwnerTag};
use super::wanted::Wanted;

/// A mapped image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mapping {
    /// N of /dev/rbdN.
    pub id: u32,
    /// The image or snapshot.
    pub spec: ImageSpec,
    /// The fsid of the cluster; empty on kernels before 4.9.
    pub fsid: String,
    /// Whether the device is read-only.
    pub read_only: bool,
    /// Our tag, if rbdmap mapped the image. Only root can read it.
    pub tag: Option<OwnerTag>,
    /// Major and minor number of the disk.
    pub number: (u32, u32),
}

impl Mapping {
    /// The name of the disk, `rbdN`.
    pub fn name(&self) -> String {
        format!("rbd{}", self.id)
    }

    /// Whether this mapping is the wanted one, so that mapping the image again would create a second device. If either fsid is
    /// unknown, equal names are enough.
    pub fn serves(&self, wanted: &Wanted) -> bool {
        // Two clusters may have images of the same name. A snapshot and its image, or a read-only and a writable mapping, are
        // different devices.
        let same_cluster = wanted
            .fsid
            .as_ref()
            .is_none_or(|fsid| self.fsid.is_empty() || *fsid == self.fsid);
        self.spec == wanted.spec && same_cluster && self.read_only == wanted.read_only
    }

    /// Whether the mapping has our tag with this origin.
    pub fn has_origin(&self, origin: Origin) -> bool {
        self.tag.as_ref().is_some_and(|tag| tag.origin == origin)
    }
}

/// Whether one of these mappings is of the image.
pub fn is_mapped(mappings: &[Mapping], spec: &ImageSpec) -> bool {
    mappings.iter().any(|mapping| mapping.spec == *spec)
}
