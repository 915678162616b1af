//! The status text of a unit that waits (sd_notify(3), `STATUS=`). `systemctl status` shows it to people, and a process that
//! waits for the unit reads it. It has one of these forms, each with or without the time in parentheses:
//!
//!     waiting (12 s so far) for SUBJECT
//!     waiting (12 s so far): REASON
//!     retrying (12 s so far): REASON
//!
//! A status of any other form, such as the result of a run, is for people only.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

/// What a unit does while it makes no progress.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Activity {
    /// It waits for what the subject names.
    WaitingFor,
    /// It waits because of what the subject states.
    Blocked,
    /// It repeats what failed for the reason that the subject states.
    Retrying,
}

/// What a unit waits for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnitStatus {
    /// How the unit waits.
    pub activity: Activity,
    /// For what, or why.
    pub subject: String,
    /// For how long, in whole seconds, if that is known.
    pub elapsed: Option<Duration>,
}

/// The text is not the status of a unit that waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NotAWait;

const ACTIVITIES: [Activity; 3] = [Activity::WaitingFor, Activity::Blocked, Activity::Retrying];

impl Activity {
    /// The words before and after the time.
    fn words(self) -> (&'static str, &'static str) {
        match self {
            Self::WaitingFor => ("waiting", " for "),
            Self::Blocked => ("waiting", ": "),
            Self::Retrying => ("retrying", ": "),
        }
    }
}

impl UnitStatus {
    /// A status without a time.
    pub fn new(activity: Activity, subject: impl Into<String>) -> Self {
        Self {
            activity,
            subject: subject.into(),
            elapsed: None,
        }
    }

    /// The same status with the time since `self` began.
    pub fn after(&self, elapsed: Duration) -> Self {
        Self {
            elapsed: Some(Duration::from_secs(elapsed.as_secs())),
            ..self.clone()
        }
    }

    /// The same status without its time, which is equal as long as the unit waits for the same.
    pub fn without_time(self) -> Self {
        Self {
            elapsed: None,
            ..self
        }
    }

    fn read(activity: Activity, text: &str) -> Option<Self> {
        let (before, after) = activity.words();
        let rest = text.strip_prefix(before)?;
        let time = rest
            .strip_prefix(" (")
            .and_then(|rest| rest.split_once(" s so far)"));
        let (elapsed, rest) = match time {
            Some((seconds, rest)) => (Some(Duration::from_secs(seconds.parse().ok()?)), rest),
            None => (None, rest),
        };
        Some(Self {
            activity,
            subject: rest.strip_prefix(after)?.to_owned(),
            elapsed,
        })
    }
}

impl fmt::Display for UnitStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (before, after) = self.activity.words();
        f.write_str(before)?;
        if let Some(elapsed) = self.elapsed {
            write!(f, " ({} s so far)", elapsed.as_secs())?;
        }
        write!(f, "{after}{}", self.subject)
    }
}

impl FromStr for UnitStatus {
    type Err = NotAWait;

    fn from_str(text: &str) -> Result<Self, NotAWait> {
        ACTIVITIES
            .into_iter()
            .find_map(|activity| Self::read(activity, text))
            // Exactly what Display writes: no sign and no leading zero in the time.
            .filter(|status| status.to_string() == text)
            .ok_or(NotAWait)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn every_status_is_read_as_it_was_written(
            activity in prop::sample::select(&ACTIVITIES[..]),
            subject in "(for |\\([0-9]{1,3} s so far\\)|: |waiting|\\PC){0,9}",
            elapsed in prop::option::of(any::<u64>().prop_map(Duration::from_secs)),
        ) {
            let status = UnitStatus { activity, subject, elapsed };
            prop_assert_eq!(status.to_string().parse(), Ok(status));
        }

        #[test]
        fn any_text_is_read_without_a_panic(text in "(waiting|retrying)?( \\()?\\PC*") {
            let _ = text.parse::<UnitStatus>();
        }
    }

    #[test]
    fn people_read_sentences() {
        let osds = UnitStatus::new(Activity::WaitingFor, "OSDs to answer");
        assert_eq!(osds.to_string(), "waiting for OSDs to answer");
        assert_eq!(
            osds.after(Duration::from_millis(5900)).to_string(),
            "waiting (5 s so far) for OSDs to answer"
        );
        let retry = UnitStatus::new(Activity::Retrying, "no route to host");
        assert_eq!(retry.to_string(), "retrying: no route to host");
    }

    #[test]
    fn results_are_no_waits() {
        for text in [
            "",
            "mapping",
            "mapped as /dev/rbd0",
            "waiting",
            "waiting (x s so far) for y",
            "waiting (+5 s so far) for y",
            "waiting (05 s so far): y",
        ] {
            assert_eq!(text.parse::<UnitStatus>(), Err(NotAWait), "{text}");
        }
    }

    #[test]
    fn the_same_wait_is_equal_without_its_time() {
        let status = UnitStatus::new(Activity::Blocked, "/srv is in use by pid 9");
        assert_eq!(status.after(Duration::from_secs(3)).without_time(), status);
    }
}
