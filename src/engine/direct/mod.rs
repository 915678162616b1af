//! The direct engine: maps, mounts, unmounts and unmaps in this process. The units run it, and so does a machine
//! without systemd. Upward: `up`, which runs `map_image` and `mount_job`. Downward: `down`, which runs `layer` and
//! `unmap_image`.

pub mod blockers; // what keeps an image from being unmapped
mod double_mount; // a mount that systemd made at the same moment
pub mod down; // unmaps many images
mod layer; // takes one layer of a stack away
pub mod map_image; // maps one image
mod mount_job; // mounts one entry
mod shutdown; // how long a shutdown waits
pub mod shutdown_check; // whether the system shuts down
mod shutdown_progress; // whether waiting still makes sense
mod unmap_image; // unmaps one image
pub mod unmap_run; // the state of one unmapping
pub mod up; // maps many images and mounts what stands on them
