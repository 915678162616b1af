//! Whether a run that unmaps makes progress at shutdown, from what its looks have found, and what it has reported.

use std::collections::HashSet;
use std::mem;
use std::time::{Duration, Instant};

use crate::model::image_spec::ImageSpec;
use crate::model::unit_status::UnitStatus;
use crate::report::event::Event;

/// The time until the first look; most runs end sooner.
const FIRST_LOOK_DELAY: Duration = Duration::from_secs(2);

/// What the looks have found so far.
#[derive(Debug)]
pub struct ShutdownProgress {
    next_look: Instant,
    last_progress: Instant,
    written_sectors: u64,
    mapped: usize,
    reported: HashSet<String>,
}

/// What one look finds.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct ProgressSigns {
    /// systemd stops a unit that uses an image, or that may use one.
    pub is_stopping: bool,
    /// The sectors that have ever been written to the images that are left.
    pub written_sectors: u64,
}

impl ShutdownProgress {
    /// The state before the first look.
    pub fn new() -> Self {
        let now = Instant::now();
        Self {
            next_look: now + FIRST_LOOK_DELAY,
            last_progress: now,
            written_sectors: 0,
            mapped: 0,
            reported: HashSet::new(),
        }
    }

    /// Reports what the run waits for, each reason once.
    pub fn report_once(&mut self, spec: &ImageSpec, status: &UnitStatus) {
        if self.reported.insert(status.subject.clone()) {
            Event::UnmapWaits.log(spec, status);
        }
    }

    /// Whether it is time for a look.
    pub fn is_look_due(&self) -> bool {
        Instant::now() >= self.next_look
    }

    /// Sets the time of the next look.
    pub fn look_after(&mut self, pause: Duration) {
        self.next_look = Instant::now() + pause;
    }

    /// Whether it is time for a look; if so, the next one is due after `pause`.
    pub fn start_look(&mut self, pause: Duration) -> bool {
        let is_due = self.is_look_due();
        if is_due {
            self.look_after(pause);
        }
        is_due
    }

    /// Whether fewer images are mapped than at the last look. At shutdown each image has a process of its own, and the kernel
    /// removes one image after the other, so this process comes nearer to its turn when others are removed.
    pub fn is_fewer(&mut self, mapped: usize) -> bool {
        mem::replace(&mut self.mapped, mapped) > mapped
    }

    /// A layer or an image was removed.
    pub fn note(&mut self, now: Instant) {
        self.last_progress = now;
    }

    /// Takes what a look has found. Whether there was progress within the time limit before `now`.
    pub fn continues(&mut self, signs: &ProgressSigns, limit: Duration, now: Instant) -> bool {
        if signs.is_stopping || signs.written_sectors != self.written_sectors {
            self.last_progress = now;
        }
        self.written_sectors = signs.written_sectors;
        now.duration_since(self.last_progress) < limit
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: Duration = Duration::from_secs(20);

    #[test]
    fn stopping_units_and_written_sectors_are_progress() {
        let mut progress = ShutdownProgress::new();
        let start = Instant::now();
        let mut continues_at = |seconds, is_stopping, written_sectors| {
            let signs = ProgressSigns {
                is_stopping,
                written_sectors,
            };
            progress.continues(&signs, LIMIT, start + Duration::from_secs(seconds))
        };
        assert!(
            continues_at(2, false, 100),
            "the first look cannot know that these sectors were written before"
        );
        assert!(continues_at(21, false, 100));
        assert!(!continues_at(22, false, 100), "no progress for 20 s");
        assert!(continues_at(23, true, 100));
        assert!(continues_at(42, true, 100), "a unit is still being stopped");
        assert!(continues_at(60, false, 108), "sectors were written");
        assert!(continues_at(79, false, 108) && !continues_at(80, false, 108));
    }

    #[test]
    fn fewer_mapped_images_are_progress() {
        let mut progress = ShutdownProgress::new();
        let fewer = [500, 500, 499, 600, 0].map(|mapped| progress.is_fewer(mapped));
        assert_eq!(fewer, [false, false, true, false, true]);
    }

    #[test]
    fn noted_progress_starts_the_time_limit_again() {
        let mut progress = ShutdownProgress::new();
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let nothing = ProgressSigns::default();
        progress.note(at(15));
        assert!(progress.continues(&nothing, LIMIT, at(34)));
        progress.note(at(34));
        assert!(progress.continues(&nothing, LIMIT, at(53)));
        assert!(
            !progress.continues(&nothing, LIMIT, at(60)),
            "no progress for 20 s"
        );
    }
}
