//! The kernel's rbd bus, and what has to be asked before a write to it or after one.

pub mod bus; // what is mapped; mapping and unmapping by one write
pub mod cluster_lock; // one first session with a cluster at a time
pub mod image_lock; // one process at a time for each image
pub mod lock_owner; // the owner of an image's exclusive lock
pub mod mapping_cache; // what is mapped, read once
pub mod module; // loads the kernel module
pub mod monitor_probe; // whether a monitor answers
pub mod name_record;
pub mod privilege; // whether this process may write to the bus
