//! Everything that touches the machine: system calls, sysfs, D-Bus, child processes. Decisions are made elsewhere,
//! and nothing outside this folder acts.

pub mod child;
pub mod device;
pub mod file;
pub mod holders;
pub mod hook;
pub mod journal;
pub mod kernel_log;
pub mod link;
pub mod listing;
pub mod lock;
pub mod loops;
pub mod module;
pub mod monitor;
pub mod mounts;
pub mod names;
pub mod notify;
pub mod peer;
pub mod privilege;
pub mod rbd;
pub mod record;
pub mod session;
pub mod systemd;
pub mod udev;
