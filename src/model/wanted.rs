//! What distinguishes the mapping that an entry asks for from all others.

use super::image_spec::ImageSpec;

/// What tells a mapping from others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanted {
    /// The image.
    pub spec: ImageSpec,
    /// The cluster's id, where ceph.conf or an option says it.
    pub fsid: Option<String>,
    /// Whether it is read-only: asked for, or of a snapshot.
    pub read_only: bool,
}
