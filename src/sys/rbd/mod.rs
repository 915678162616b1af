//! The kernel's rbd bus, and what has to be known before a write to it or after one.

pub mod bus; // what is mapped; mapping and unmapping by one write
pub mod cluster_lock; // one first session with each cluster
pub mod image_lock; // one process for each image
pub mod lock_owner; // the owner of an image's exclusive lock
pub mod mapping_cache; // what is mapped, read once
pub mod module; // loads the kernel module
pub mod monitor_probe; // whether a monitor answers
pub mod privilege; // whether this process may write to the bus
