//! From an entry to a request to the kernel, by Ceph's rules and without ceph-common.

pub mod add_line; // the line for the kernel
pub mod cluster; // ceph.conf and the monitors
pub mod file_cache; // reads each file once in a run
pub mod key_search; // where the user's key is
pub mod request; // everything that one mapping needs
