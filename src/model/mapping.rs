//! One mapped image as the kernel reports it on its rbd bus. `sys::rbd::bus` reads it from sysfs.

use super::image_spec::ImageSpec;
use super::owner_tag::{Origin, OwnerTag};
use super::wanted::Wanted;

/// One mapped image, as the kernel tells it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mapping {
    /// N of /dev/rbdN.
    pub id: u32,
    /// Which image.
    pub spec: ImageSpec,
    /// The cluster's id; empty on kernels before 4.9.
    pub fsid: String,
    /// Whether it is read-only.
    pub read_only: bool,
    /// Our mark, if we mapped it. Only root can see it.
    pub tag: Option<OwnerTag>,
    /// Major and minor number of the whole disk.
    pub number: (u32, u32),
}

impl Mapping {
    /// `rbdN`.
    pub fn name(&self) -> String {
        format!("rbd{}", self.id)
    }

    /// Whether this is what is asked for, so that mapping it again would be a second device. Where ceph.conf
    /// says no fsid, equal names have to do.
    pub fn serves(&self, wanted: &Wanted) -> bool {
        let same_cluster = wanted
            .fsid
            .as_ref()
            .is_none_or(|fsid| self.fsid.is_empty() || *fsid == self.fsid);
        self.spec == wanted.spec && same_cluster && self.read_only == wanted.read_only
    }

    /// Whether it carries our tag with this origin.
    pub fn has_origin(&self, origin: Origin) -> bool {
        self.tag.as_ref().is_some_and(|tag| tag.origin == origin)
    }
}
