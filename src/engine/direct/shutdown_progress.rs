//! Whether it is worth waiting any longer for what is in use, from what was seen so far; and what has been said of it.

use std::collections::HashSet;
use std::time::{Duration, Instant};

use crate::model::image_spec::ImageSpec;
use crate::model::unit_status::UnitStatus;
use crate::report::event::Event;

/// Until the first look: what is quicker is worth none.
const FIRST_LOOK: Duration = Duration::from_secs(2);

/// What the looks so far have seen.
#[derive(Debug)]
pub struct ShutdownProgress {
    next_look: Instant,
    last_sign: Instant,
    written: u64,
    mapped: usize,
    told: HashSet<String>,
}

/// What one look sees.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct ProgressSigns {
    /// Somebody who holds something is being stopped, or somebody who may.
    pub stopping: bool,
    /// Sectors that have ever been written to what is left.
    pub written: u64,
}

impl ShutdownProgress {
    /// Before the first look.
    pub fn new() -> Self {
        let now = Instant::now();
        Self {
            next_look: now + FIRST_LOOK,
            last_sign: now,
            written: 0,
            mapped: 0,
            told: HashSet::new(),
        }
    }

    /// Tells what is waited for, once.
    pub fn tell(&mut self, spec: &ImageSpec, status: &UnitStatus) {
        if self.told.insert(status.subject.clone()) {
            Event::UnmapWaits.log(spec, status);
        }
    }

    /// Whether it is time to look again.
    pub fn may_look(&self) -> bool {
        Instant::now() >= self.next_look
    }

    /// Puts that time off.
    pub fn look_again_after(&mut self, pause: Duration) {
        self.next_look = Instant::now() + pause;
    }

    /// Whether there are fewer mappings than at the last look. At a shutdown each image has a process of its own, and the
    /// kernel takes one image after the other: to see others go is to be nearer to one's turn.
    pub fn is_fewer(&mut self, mapped: usize) -> bool {
        std::mem::replace(&mut self.mapped, mapped) > mapped
    }

    /// Something that was to go has gone.
    pub fn something_went(&mut self, now: Instant) {
        self.last_sign = now;
    }

    /// Whether it is time to look again; if so, that time is put off.
    pub fn is_time(&mut self, pause: Duration) -> bool {
        let is_time = self.may_look();
        if is_time {
            self.look_again_after(pause);
        }
        is_time
    }

    /// Takes what was seen; whether to go on.
    pub fn remains(&mut self, signs: &ProgressSigns, without_hope: Duration, now: Instant) -> bool {
        if signs.stopping || signs.written != self.written {
            self.last_sign = now;
        }
        self.written = signs.written;
        now.duration_since(self.last_sign) < without_hope
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_is_hope_while_somebody_is_being_stopped_or_something_is_written() {
        let mut hope = ShutdownProgress::new();
        let start = Instant::now();
        let mut after = |seconds, stopping, written| {
            let now = start + Duration::from_secs(seconds);
            hope.remains(
                &ProgressSigns { stopping, written },
                Duration::from_secs(20),
                now,
            )
        };
        assert!(
            after(2, false, 100),
            "what was written before is no sign, but the first look cannot know"
        );
        assert!(after(21, false, 100));
        assert!(!after(22, false, 100), "nothing for 20 s");
        assert!(after(23, true, 100));
        assert!(after(42, true, 100), "as long as somebody is being stopped");
        assert!(after(60, false, 108), "something was written");
        assert!(after(79, false, 108) && !after(80, false, 108));
    }

    #[test]
    fn there_is_hope_while_others_go() {
        let mut hope = ShutdownProgress::new();
        assert_eq!(
            [500, 500, 499, 600, 0].map(|mapped| hope.is_fewer(mapped)),
            [false, false, true, false, true]
        );
        let at = |seconds| Instant::now() + Duration::from_secs(seconds);
        let mut remains = |went: Option<u64>, seconds| {
            went.into_iter()
                .for_each(|seconds| hope.something_went(at(seconds)));
            hope.remains(
                &ProgressSigns::default(),
                Duration::from_secs(20),
                at(seconds),
            )
        };
        assert!(remains(Some(15), 34));
        assert!(remains(Some(34), 53));
        assert!(!remains(None, 60), "nothing for 20 s");
    }
}
