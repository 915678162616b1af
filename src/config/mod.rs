//! What administrators write: each file's grammar in a file of its own, read into plain data, with faults that name
//! file, line and column. Nothing here acts.

pub mod ceph_conf;
pub mod environment;
pub mod fstab;
pub mod keyring;
pub mod map_options;
pub mod monitors;
pub mod settings;
pub mod table;
