//! Turns a failed mapping into one sentence: what failed, why, and what to do. The cause comes from the answer of the rbd bus and
//! from the kernel log.

pub mod device_health; // write errors of mapped devices
mod device_line; // lines of the kernel log about a device
mod errno; // from an errno to a cause
pub mod facts; // what diagnoses need of a request
pub mod kernel_wait; // what the kernel waits for
mod log_attribution; // which image a line is about

use std::fmt;

use nix::errno::Errno;

use crate::ceph::request::RequestError;
use crate::sys::rbd::bus::BusError;
use facts::RequestFacts;
use kernel_wait::KernelWait;

/// Why an image is not mapped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MapFailure {
    /// The sentence, without the name of the image.
    pub why: String,
    /// The kernel's answer, if it gave one.
    pub errno: Option<i32>,
    /// Whether the same request may succeed later without any change.
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

/// The state of the kernel when a request failed.
#[derive(Debug, Clone, Copy)]
pub struct KernelContext<'a> {
    /// The lines of its log since the request began.
    pub lines: &'a [String],
    /// The numbers of the mapped devices.
    pub mapped: &'a [u32],
    /// Whether it had a session with the cluster before.
    pub had_session: bool,
}

impl KernelContext<'_> {
    /// For a request that did not reach the kernel.
    pub const NOTHING: Self = Self {
        lines: &[],
        mapped: &[],
        had_session: false,
    };
}

/// Diagnoses a mapping that failed.
pub fn map_failure(
    facts: &RequestFacts,
    error: &BusError,
    context: KernelContext<'_>,
) -> MapFailure {
    let log = log_attribution::sort(context.lines, facts, context.mapped);
    // Only these two answer the request itself. ERRNO= in the journal has no other meaning.
    let errno = match error {
        BusError::Kernel(error) | BusError::Key(error) => error.raw_os_error(),
        _ => None,
    };
    let cause = match error {
        BusError::NoAnswer => {
            facts.no_answer(KernelWait::from_log(context.lines, context.had_session))
        }
        BusError::Killed => {
            "the process that asked the kernel was killed; run `rbdmap map` again".to_owned()
        }
        BusError::Open(path, error) => format!(
            "{} cannot be opened: {error}; {}",
            path.display(),
            open_remedy(error)
        ),
        BusError::Key(error) => facts.refused_key(error),
        BusError::Unprivileged(why) => format!("{why}; run rbdmap as root on the host"),
        BusError::Kernel(error) => match errno {
            Some(errno) => facts.cause(errno, &log),
            None => error.to_string(),
        },
    };
    MapFailure {
        why: log.append_to(cause),
        errno,
        is_transient: is_transient(error),
    }
}

/// The cluster did not answer, or the kernel lacked something for a moment. All other answers stay the same until somebody fixes
/// the cause.
fn is_transient(error: &BusError) -> bool {
    matches!(
        error.answer(),
        Some(Errno::ETIMEDOUT | Errno::EINTR | Errno::EAGAIN | Errno::ENOMEM)
    )
}

fn open_remedy(error: &std::io::Error) -> &'static str {
    match error.raw_os_error().map(Errno::from_raw) {
        Some(Errno::EROFS) => {
            "/sys is read-only, as in a container; run rbdmap on the host, as root"
        }
        _ => "run rbdmap as root on the host",
    }
}

#[cfg(test)]
mod tests;
