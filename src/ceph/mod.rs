//! From an entry to what the kernel is asked, by Ceph's own rules and without ceph-common.

pub mod cluster; // ceph.conf and the monitors
pub mod file_cache; // each file is read once in a run
pub mod key_search; // where the user's key is
pub mod request; // all that one mapping needs
