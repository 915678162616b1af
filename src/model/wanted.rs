//! What distinguishes the mapping that an entry asks for from all other mappings.

use super::image_spec::ImageSpec;

/// The mapping that an entry asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanted {
    /// The image or snapshot.
    pub spec: ImageSpec,
    /// The fsid of the cluster, if ceph.conf or an option has it.
    pub fsid: Option<String>,
    /// Whether the mapping is read-only: on request, or because it is of a snapshot.
    pub read_only: bool,
}
