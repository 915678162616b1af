//! Reports what a run waits for, while it waits: once in the journal or on the terminal, and all the time in the status of
//! the unit. What the kernel waits for shows in its log only, so a thread reads the log from time to time.

use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::thread;
use std::time::{Duration, Instant};

use crate::diagnose::facts::RequestFacts;
use crate::diagnose::kernel_wait::KernelWait;
use crate::model::unit_status::{Activity, UnitStatus};
use crate::report::event::{Event, Subject};
use crate::runtime::deadline::REPORT_AFTER;
use crate::runtime::root::Root;
use crate::sys::kmsg::KmsgReader;
use crate::sys::notify;

/// The pauses between two looks. Each is twice as long as the one before, because hundreds of processes may wait at once.
const SHORTEST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(8);

/// A thread that reports until this is dropped.
pub struct ProgressReporter(#[expect(dead_code, reason = "dropping it is the message")] Sender<()>);

impl ProgressReporter {
    /// Calls `look` for the first time when the wait has lasted a while, and then at growing intervals.
    pub fn start(mut look: impl FnMut() + Send + 'static) -> Self {
        let (sender, end) = mpsc::channel::<()>();
        thread::spawn(move || {
            // Dropping the sender ends the pause at once, and with it the thread.
            let mut pause = REPORT_AFTER;
            let mut next_pause = SHORTEST_PAUSE;
            while end.recv_timeout(pause) == Err(RecvTimeoutError::Timeout) {
                look();
                pause = next_pause;
                next_pause = LONGEST_PAUSE.min(next_pause * 2);
            }
        });
        Self(sender)
    }
}

/// Shows in the unit's status what the unit waits for.
pub fn show(status: &UnitStatus) {
    notify::status(&status.to_string());
}

/// Reports once that a run waits for `what`, and shows it in the unit's status.
pub fn report_wait<'a>(event: Event, about: impl Into<Subject<'a>>, what: &str) {
    let status = UnitStatus::new(Activity::WaitingFor, what);
    show(&status);
    event.log(about, status);
}

/// Reports what the kernel waits for while it maps an image: each thing once, and in the unit's status also how long the wait
/// has lasted. `is_met`: the kernel had a session with the cluster before.
pub fn report_kernel_wait(root: &Root, facts: RequestFacts, is_met: bool) -> ProgressReporter {
    // From here on only: older lines are about other requests.
    let mut log = KmsgReader::now(root);
    let start = Instant::now();
    let mut lines = Vec::new();
    let mut reported = None::<KernelWait>;
    ProgressReporter::start(move || {
        lines.extend(log.lines());
        let wait = KernelWait::from_log(&lines, is_met);
        let status = UnitStatus::new(Activity::WaitingFor, facts.waiting(wait));
        show(&status.after(start.elapsed()));
        if reported.replace(wait) != Some(wait) {
            Event::MapWaits.log(facts.spec(), status);
        }
    })
}
