//! The nouns of the program as plain data: no I/O, and no import from the layers above.

pub mod block_node; // a disk or a partition
pub mod fault; // an error in a file, with its place
pub mod fstab_entry; // an entry of fstab
pub mod holder; // what keeps a device in use
pub mod hook_call; // when an image's hook is called
pub mod image_features; // the features of an image
pub mod image_spec; // the name of an image
pub mod mapping; // a mapped image
pub mod messenger; // the versions of Ceph's protocol
pub mod mount_snapshot; // the mounts at one moment
pub mod overlay_options; // the directories of an overlay
pub mod owner_tag; // the tag that marks a mapping as ours
pub mod secret; // the key of a Ceph user
pub mod timeouts; // the time limits of the settings
pub mod udev_name; // names in udev's links
pub mod unit_name; // names of systemd units
pub mod unit_status; // what a unit waits for
pub mod wanted; // the mapping that an entry asks for
