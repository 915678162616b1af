//! Turns what the rbd bus answered, with what the kernel logged, into one sentence: what failed, why, what to do.
//!
//! What an errno means is `facts`', which lines of the log belong to an image `kernel`'s; `harm` is what befalls one that is mapped.

pub mod device_health;
pub mod errno;
pub mod log_attribution;

use std::fmt;

use nix::errno::Errno;

use crate::ceph::request::RequestError;
use crate::sys::rbd::bus::BusError;
use errno::RequestFacts;
use log_attribution::{KernelLog, KernelWait};

/// Why an image is not mapped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MapFailure {
    /// The sentence.
    pub why: String,
    /// The kernel's answer, if it gave one.
    pub errno: Option<i32>,
    /// Whether the same request may succeed a moment later.
    pub is_transient: bool,
}

impl From<anyhow::Error> for MapFailure {
    fn from(error: anyhow::Error) -> Self {
        Self {
            why: format!("{error:#}"),
            errno: None,
            is_transient: false,
        }
    }
}

impl From<RequestError> for MapFailure {
    fn from(error: RequestError) -> Self {
        let is_transient = matches!(&error, RequestError::MonitorNames(names) if names.may_pass());
        Self {
            why: error.to_string(),
            errno: None,
            is_transient,
        }
    }
}

impl fmt::Display for MapFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.why)
    }
}

impl std::error::Error for MapFailure {}

/// What the kernel had come to when it failed.
#[derive(Debug, Clone, Copy)]
pub struct KernelContext<'a> {
    /// Its log since before the write.
    pub lines: &'a [String],
    /// The devices that are mapped, by number.
    pub mapped: &'a [u32],
    /// Whether it had met the cluster before.
    pub had_session: bool,
}

impl KernelContext<'_> {
    /// It was not asked.
    pub const NOTHING: Self = Self {
        lines: &[],
        mapped: &[],
        had_session: false,
    };
}

/// Why a mapping failed.
pub fn map_failure(facts: &RequestFacts, error: &BusError, heard: KernelContext<'_>) -> MapFailure {
    let said = log_attribution::sort(heard.lines, facts, heard.mapped);
    let errno = match error {
        BusError::Kernel(error) | BusError::Key(error) => error.raw_os_error(),
        _ => None,
    };
    let cause = match error {
        BusError::NoAnswer => facts.no_answer(KernelWait::from_log(heard.lines, heard.had_session)),
        BusError::Killed => "the process that asked the kernel was killed; run it again".to_owned(),
        BusError::Open(path, error) => format!(
            "{} cannot be opened: {error}; {}",
            path.display(),
            open_remedy(error)
        ),
        BusError::Key(error) => facts.key(error),
        BusError::Unprivileged(why) => format!("{why}: rbdmap must run as root on the host"),
        BusError::Kernel(error) => match errno {
            Some(errno) => facts.cause(errno, &said),
            None => error.to_string(),
        },
    };
    MapFailure {
        why: with_what_was_said(cause, &said),
        errno,
        is_transient: is_transient(error),
    }
}

/// Whether the same request may succeed a moment later: the cluster did not answer, or the kernel was short of something. All
/// else stays as it is until somebody mends it.
fn is_transient(error: &BusError) -> bool {
    matches!(
        error.answer(),
        Some(Errno::ETIMEDOUT | Errno::EINTR | Errno::EAGAIN | Errno::ENOMEM)
    )
}

fn with_what_was_said(cause: String, said: &KernelLog) -> String {
    let (of_it, perhaps) = (said.of_it.join("; "), said.perhaps.join("; "));
    match (of_it.is_empty(), perhaps.is_empty()) {
        (true, true) => cause,
        (false, true) => format!("{cause} (the kernel: {of_it})"),
        (true, false) => format!("{cause} (the kernel also said: {perhaps})"),
        (false, false) => format!("{cause} (the kernel: {of_it}; it also said: {perhaps})"),
    }
}

fn open_remedy(error: &std::io::Error) -> &'static str {
    match error.raw_os_error().map(Errno::from_raw) {
        Some(Errno::EROFS) => "/sys is read-only, as in a container; rbdmap must run on the host",
        _ => "rbdmap must run as root on the host",
    }
}

#[cfg(test)]
mod tests;
