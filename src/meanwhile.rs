//! Tells what a write to the bus is waiting for while it lasts: the kernel itself says it in its log only, if at all.

use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::thread;
use std::time::{Duration, Instant};

use crate::event::Event;
use crate::reason::{Facts, Wait, waits_for};
use crate::root::Root;
use crate::sys::kernel_log::Since;
use crate::sys::notify;

/// An answer that comes sooner is worth no word.
const PATIENCE: Duration = Duration::from_secs(4);
/// Between two looks into the log.
const PERIOD: Duration = Duration::from_secs(1);

/// Tells until it is dropped.
pub struct Meanwhile(#[expect(dead_code, reason = "its end is the message")] Sender<()>);

/// Tells of a mapping, in the journal once for each thing that is waited for, in the unit's status how long it has been.
/// `is_met`: the kernel had a session with the cluster before.
pub fn tell(root: &Root, facts: Facts, is_met: bool) -> Meanwhile {
    let (sender, end) = mpsc::channel::<()>();
    let (mut log, begun) = (Since::now(root), Instant::now());
    thread::spawn(move || {
        let (mut lines, mut told) = (Vec::new(), None::<Wait>);
        let mut pause = PATIENCE;
        while end.recv_timeout(pause) == Err(RecvTimeoutError::Timeout) {
            pause = PERIOD;
            lines.extend(log.lines());
            let wait = waits_for(&lines, is_met);
            let text = format!("waiting for {}", facts.waiting(wait));
            notify::status(&format!("{text}, for {} s now", begun.elapsed().as_secs()));
            if told.replace(wait) != Some(wait) {
                Event::MapWaits.tell(facts.spec(), text);
            }
        }
    });
    Meanwhile(sender)
}
