//! Everything that touches the host: system calls, sysfs, D-Bus, other programs. It carries out what other modules decide; only
//! here is anything changed.

pub mod device; // block devices
pub mod file; // files and attributes of sysfs
pub mod file_trust; // whether root may trust a file
pub mod holders; // what keeps a device busy
pub mod hook_process; // runs a hook
pub mod journal; // what units logged
pub mod kmsg; // reads the kernel log
pub mod kmsg_writer; // writes to the kernel log
pub mod link; // waits for links below /dev/rbd
pub mod link_maker; // makes links below /dev/rbd
pub mod loops; // loop devices
pub mod mounts; // what is mounted, and mounting
pub mod notify; // sd_notify(3)
pub mod rbd; // the rbd bus
pub mod real_path; // paths without symbolic links
pub mod resolver; // host names of monitors
pub mod subprocess; // runs programs with a time limit
pub mod systemd; // PID 1 over D-Bus
pub mod udev; // waits for udev
