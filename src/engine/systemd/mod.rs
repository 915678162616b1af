//! The systemd engine: asks PID 1 to start or stop the units that the generator has written from the same plan, follows the
//! jobs, and reports the result for each image in the unit's own words.
//!
//! systemd decides the order, the dependencies and the time limits. What has no unit, or has a mapping that no unit knows,
//! such as one made with `--direct`, is handed to the direct engine.

mod connection; // to a manager that accepts jobs
mod dependents; // starts what waited for an image
mod failure_reason; // why a job failed
mod generated_units; // whether systemd must reload
mod job_options; // how jobs are requested
mod job_progress; // reports what units wait for
mod nofail; // starts images that boot does not wait for
mod planned_unit; // the units of a plan
mod remap_race; // stops units that would map an image again
mod sorted_images; // which images systemd holds
mod start; // maps
mod stop; // unmaps

pub use dependents::start_dependents;
pub use job_options::JobOptions;
pub use nofail::{has_restarted, is_booting, start_nofail};
pub use remap_race::{stop_images, stop_remapping, stop_unfinished, wait_for_devices};
pub use start::{map, reload_if_stale};
pub use stop::{StopRequest, unmap};
