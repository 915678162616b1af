//! Where messages go: to the journal with fields when systemd runs us, else results to stdout and trouble to stderr.
//!
//! systemd.exec(5): `$JOURNAL_STREAM` is `DEVICE:INODE` of the stream that stderr is; where it does not match, stderr
//! was redirected and is where messages are wanted. The generator logs elsewhere: journald may not run yet.
//!
//! Whoever tries the same again and again tells what has changed since the last try, and nothing else ([`Attempts`]).

use std::collections::HashSet;
use std::env;
use std::fmt::{Debug, Write as _};
use std::io::{self, Write as _};
use std::sync::{Arc, Mutex, PoisonError};

use nix::sys::stat::fstat;
use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_journald::{Priority, PriorityMappings};
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::layer::{Context, Layer, SubscriberExt};
use tracing_subscriber::util::SubscriberInitExt;

/// Starts logging for the rest of the process, which is one attempt until it says that another begins.
pub fn start() -> Attempts {
    let attempts = Attempts::default();
    let journal = journal_listens()
        .then(|| tracing_journald::layer().ok())
        .flatten()
        .map(|layer| {
            layer
                .with_field_prefix(None)
                .with_syslog_identifier("rbdmap".to_owned())
                .with_priority_mappings(PriorityMappings {
                    info: Priority::Informational,
                    debug: Priority::Debug,
                    ..PriorityMappings::new()
                })
        });
    let terminal = journal.is_none().then_some(Terminal);
    tracing_subscriber::registry()
        .with(LevelFilter::INFO)
        .with(attempts.clone())
        .with(journal)
        .with(terminal)
        .init();
    attempts
}

/// What has been said in this attempt and in the one before: what that has said is not said again.
#[derive(Debug, Default, Clone)]
pub struct Attempts(Arc<Mutex<Messages>>);

#[derive(Debug, Default)]
struct Messages {
    before: HashSet<String>,
    now: HashSet<String>,
}

impl Attempts {
    /// Another begins.
    pub fn next(&self) {
        let mut said = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        said.before = std::mem::take(&mut said.now);
    }

    /// Whether a message is one that the last attempt has not had.
    fn is_new(&self, message: String) -> bool {
        let mut said = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let is_new = !said.before.contains(&message);
        said.now.insert(message);
        is_new
    }
}

impl<S: Subscriber> Layer<S> for Attempts {
    fn event_enabled(&self, event: &Event<'_>, _: Context<'_, S>) -> bool {
        self.is_new(Message::of(event))
    }
}

/// Whether stderr is the journal's.
fn journal_listens() -> bool {
    let named = env::var("JOURNAL_STREAM").unwrap_or_default();
    fstat(io::stderr()).is_ok_and(|stat| named == format!("{}:{}", stat.st_dev, stat.st_ino))
}

/// Prints the bare message: what was done to stdout, what is wrong to stderr.
struct Terminal;

impl<S: Subscriber> Layer<S> for Terminal {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let message = Message::of(event);
        // A closed terminal must not stop the work.
        let _ = match *event.metadata().level() {
            Level::ERROR | Level::WARN => writeln!(io::stderr(), "rbdmap: {message}"),
            _ => writeln!(io::stdout(), "{message}"),
        };
    }
}

/// The `message` of an event; its other fields are for the journal.
struct Message(String);

impl Message {
    fn of(event: &Event<'_>) -> String {
        let mut message = Self(String::new());
        event.record(&mut message);
        message.0
    }
}

impl Visit for Message {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        if field.name() == "message" {
            // Writing to a String cannot fail.
            let _ = write!(self.0, "{value:?}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_attempt_tells_what_the_one_before_it_has_not_told() {
        let attempts = Attempts::default();
        let tell = |messages: &[&str]| {
            let told: Vec<String> = messages
                .iter()
                .map(|message| (*message).to_owned())
                .collect();
            let told = told
                .into_iter()
                .filter(|message| attempts.is_new(message.clone()))
                .collect::<Vec<_>>();
            attempts.next();
            told
        };
        assert_eq!(
            tell(&["waits", "waits", "fails"]),
            ["waits", "waits", "fails"]
        );
        assert!(tell(&["waits", "fails"]).is_empty());
        assert_eq!(tell(&["waits", "fails otherwise"]), ["fails otherwise"]);
        assert_eq!(tell(&["waits", "fails"]), ["fails"], "it has changed back");
    }
}
