//! The nouns of the program as plain data: no I/O, and no import from the layers above.

pub mod block_node; // a disk or a partition
pub mod fault; // what is wrong in a file, and where
pub mod fstab_entry; // one entry of fstab
pub mod holder; // what keeps a device busy
pub mod hook_call; // whether and when an image's hook is called
pub mod image_spec; // the name of an image
pub mod mapping; // an image that is mapped
pub mod messenger; // the versions of Ceph's protocol
pub mod mount_snapshot; // the mounts of one moment
pub mod overlay_options; // the directories of an overlay
pub mod owner_tag; // the tag by which a mapping is known as ours
pub mod secret; // a cluster key
pub mod timeouts; // the time limits of the settings
pub mod unit_name; // systemd's names
pub mod unit_status; // what a unit waits for
pub mod wanted; // what an entry asks for
