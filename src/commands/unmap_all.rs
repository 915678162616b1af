//! `rbdmap unmap-all`: unmounts and unmaps every image, including those of other programs.

use anyhow::Result;

use super::unmap::request::UnmapRequest;
use crate::cli::UnmapAllArguments;
use crate::plan::UnmapPlan;
use crate::report::failures::Report;
use crate::runtime::root::Root;
use crate::sys::rbd::bus;

/// Unmaps every image.
pub fn run(root: &Root, arguments: &UnmapAllArguments) -> Result<Report> {
    let plan = UnmapPlan {
        mappings: bus::list(root)?,
        ..UnmapPlan::default()
    };
    UnmapRequest {
        plan: &plan,
        is_everything: true,
        stop_users: arguments.users.stop_users,
        engine: &arguments.engine,
    }
    .carry_out(root)
}
