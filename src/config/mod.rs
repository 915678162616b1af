//! What administrators write: each file's grammar in a file of its own, read into plain data, with faults that name
//! file, line and column. Nothing here acts.

pub mod ceph_conf; // ceph.conf
pub mod environment; // Ceph's environment variables
pub mod fstab; // fstab(5)
pub mod keyring; // keyrings and key files
pub mod load; // reads all of it
pub mod map_options; // options for the kernel
pub mod mon_host; // addresses of monitors
pub mod settings; // /etc/rbdmap.toml
pub mod table; // /etc/ceph/rbdmap
