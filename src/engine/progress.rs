//! Something that is told while somebody waits, by a thread that looks again and again and ends with the wait: what the kernel
//! waits for it says in its log only, what a unit waits for systemd in its status.

use std::iter;
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::thread;
use std::time::{Duration, Instant};

use crate::diagnose::errno::RequestFacts;
use crate::diagnose::log_attribution::KernelWait;
use crate::report::event::{Event, Subject};
use crate::runtime::deadline::REPORT_AFTER;
use crate::runtime::root::Root;
use crate::sys::kmsg::KmsgReader;
use crate::sys::notify;

/// Between two looks: twice as long each time, for hundreds may wait at a time.
const SHORTEST: Duration = Duration::from_secs(1);
const LONGEST: Duration = Duration::from_secs(8);

/// Looks until it is dropped.
pub struct ProgressReporter(#[expect(dead_code, reason = "its end is the message")] Sender<()>);

impl ProgressReporter {
    /// Looks for the first time when somebody has waited for a while.
    pub fn every_now_and_then(mut look: impl FnMut() + Send + 'static) -> Self {
        let (sender, end) = mpsc::channel::<()>();
        thread::spawn(move || {
            let mut pauses =
                iter::successors(Some(SHORTEST), |pause| Some(LONGEST.min(*pause * 2)));
            let mut pause = Some(REPORT_AFTER);
            while pause
                .is_some_and(|pause| end.recv_timeout(pause) == Err(RecvTimeoutError::Timeout))
            {
                look();
                pause = pauses.next();
            }
        });
        Self(sender)
    }
}

/// Tells once that something is waited for, to whoever waits and in the unit's status.
pub fn report_wait<'a>(event: Event, about: impl Into<Subject<'a>>, what: &str) {
    let text = format!("waiting for {what}");
    notify::status(&text);
    event.log(about, text);
}

/// Tells of a mapping, in the journal once for each thing that is waited for, in the unit's status how long it has been.
/// `is_met`: the kernel had a session with the cluster before.
pub fn report_kernel_wait(root: &Root, facts: RequestFacts, is_met: bool) -> ProgressReporter {
    let (mut log, begun) = (KmsgReader::now(root), Instant::now());
    let (mut lines, mut told) = (Vec::new(), None::<KernelWait>);
    ProgressReporter::every_now_and_then(move || {
        lines.extend(log.lines());
        let wait = KernelWait::from_log(&lines, is_met);
        let text = format!("waiting for {}", facts.waiting(wait));
        notify::status(&format!("{text}, for {} s now", begun.elapsed().as_secs()));
        if told.replace(wait) != Some(wait) {
            Event::MapWaits.log(facts.spec(), text);
        }
    })
}
