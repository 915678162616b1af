//! `rbdmap map`: maps the images that the table lists, or one that the command line describes, and mounts what fstab lists on
//! them.

mod by_hand; // images that the command line describes
mod dependents; // what an image with `nofail` starts when it is mapped
mod dry_run;
mod from_table; // images that the table or the settings list
mod nofail; // the retries in the unit of an image with `nofail`
mod options; // from the arguments to the settings of the engines

use anyhow::Result;

use crate::cli::MapArguments;
use crate::engine::direct::retry_policy::RetryPolicy;
use crate::report::failures::Report;
use crate::report::logging::Attempts;
use crate::runtime::root::Root;

/// Maps what the arguments name, or the whole table.
pub fn run(root: &Root, arguments: &MapArguments, attempts: &Attempts) -> Result<Report> {
    if arguments.by_hand.is_given() {
        by_hand::map(root, arguments)
    } else if dependents::is_nofail_unit() {
        nofail::map(root, arguments, attempts)
    } else {
        from_table::map(root, arguments, RetryPolicy::UntilTimeout)
    }
}
