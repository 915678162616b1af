//! The configuration that administrators write. Each grammar has a file of its own, which turns text into plain data and
//! faults with file, line and column. Nothing in here changes the machine.

pub mod ceph_conf; // ceph.conf
pub mod environment; // Ceph's environment variables
pub mod fstab; // fstab(5)
pub mod keyring; // keyrings and key files
pub mod load; // reads and merges all files
pub mod map_options; // options of a mapping, for the kernel
pub mod mon_host; // addresses of monitors
pub mod settings; // /etc/rbdmap.toml
pub mod table; // /etc/ceph/rbdmap
