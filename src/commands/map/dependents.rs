//! The unit of an image with `nofail` starts the mounts on the image itself. Boot does not wait for the image, so by the time
//! it is mapped, systemd may have given up on its mounts.

use std::env;

use crate::engine::systemd;
use crate::model::unit_name;
use crate::runtime::root::Root;

/// Whether this process runs in such a unit. Its environment says so, even if nothing is mounted on the image.
pub fn is_nofail_unit() -> bool {
    env::var_os(unit_name::NOFAIL_DEPENDENTS_VARIABLE).is_some()
}

/// Has systemd start the units that the environment lists.
pub fn start(root: &Root) {
    let names = env::var(unit_name::NOFAIL_DEPENDENTS_VARIABLE).unwrap_or_default();
    let units: Vec<String> = names.split_whitespace().map(str::to_owned).collect();
    if units.is_empty() {
        return;
    }
    // The image is mapped, so this unit has not failed.
    if let Err(error) = systemd::start_dependents(root, &units) {
        tracing::warn!("{error:#}");
    }
}
