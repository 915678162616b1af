//! A client of systemd's manager, PID 1, over D-Bus (org.freedesktop.systemd1(5)): queries units, reloads their files,
//! starts and stops them, and follows the jobs.
//!
//! Every function blocks the calling thread and returns within a time limit: the caller's, or one of `timeouts`. Callers
//! decide what to start and when. The result of a job describes only the job; a caller that needs the state of the unit
//! reads it afterwards ([`Manager::unit_state`]).
//!
//! Facts seen on systemd 252:
//! - A stop job ends as `done` even if the unit failed to stop. A start job ends as `done` even if a condition of the
//!   unit did not hold and systemd started nothing.
//! - If somebody else requests a conflicting job, it replaces ours, which ends as `canceled`. A request for the same job
//!   shares it.
//! - During shutdown systemd still accepts a start job, unless it conflicts with a job of the shutdown.
//! - PID 1 answers no call while it reloads. Jobs and connections to the private socket survive a reload; of these, only
//!   jobs survive `systemctl daemon-reexec`.

mod batch; // units to start or stop
mod commands; // changes the state of units
mod connection; // reaches PID 1
#[cfg(test)]
mod fake; // stands for PID 1 in tests
mod follower; // requests jobs and follows them
mod job_deadline; // when to stop following
mod job_signals; // receives the end of jobs
mod manager; // the client
mod outcome; // how a job ended
mod private; // the private socket
mod proxy; // the D-Bus interfaces
mod queries; // reads the state of units
mod reasons; // why a unit failed
mod requirements; // which units depend on a unit
mod state; // states as data
mod timeouts; // how long PID 1 may take

pub use manager::Manager;
pub use outcome::{JobOutcome, JobReport};
pub use state::{BriefState, SystemState};
