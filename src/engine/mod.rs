//! The two engines that carry out a plan, side by side, and what both of them use.

pub mod direct; // in this process
pub mod hook; // the administrator's program for an image
pub mod progress; // reports what a run waits for
pub mod systemd; // through PID 1
pub mod write_errors; // writes that did not reach the cluster
