//! The direct engine: maps, mounts, unmounts and unmaps in this process. The units run it, and so does a machine
//! without systemd. `up` maps and `down` unmaps; both keep what they know in a run, and each does one step with
//! one other file.

mod add_request; // one request to the kernel
pub mod blockers; // what keeps an image from being unmapped
mod double_mount; // a mount that systemd made at the same moment
pub mod down; // unmaps many images
mod layer; // removes one layer of a stack
mod map_image; // maps one image
pub mod map_run; // the state of one run that maps
pub mod monitor_wait; // waits until a monitor answers
mod mount_job; // mounts one entry
pub mod retry_policy; // how long a run retries
mod shutdown; // how long a run waits at shutdown
pub mod shutdown_check; // whether the system shuts down
mod shutdown_progress; // whether a run makes progress at shutdown
mod unmap_image; // unmaps one image
pub mod unmap_run; // the state of one run that unmaps
pub mod up; // maps many images and mounts what stands on them
