//! Where messages go: with fields to the journal if stderr is connected to it, otherwise results to stdout and errors to stderr.
//!
//! `$JOURNAL_STREAM` has the device and inode number of the journal's stream (systemd.exec(5)). If stderr is another file, it was
//! redirected, and messages are wanted there. The generator logs to the kernel instead: journald may not run yet.
//!
//! A process that repeats an attempt logs only the messages that the attempt before did not have ([`Attempts`]).

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

/// Starts logging for the rest of the process, in its first attempt.
pub fn start() -> Attempts {
    let attempts = Attempts::default();
    let journal = is_stderr_journal()
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
    // One of the two: with both, a unit would log each message twice.
    let terminal = journal.is_none().then_some(Terminal);
    tracing_subscriber::registry()
        .with(LevelFilter::INFO)
        .with(attempts.clone())
        .with(journal)
        .with(terminal)
        .init();
    attempts
}

/// The messages of this attempt and of the attempt before. A message of the attempt before is not logged again.
#[derive(Debug, Default, Clone)]
pub struct Attempts(Arc<Mutex<Messages>>);

#[derive(Debug, Default)]
struct Messages {
    before: HashSet<String>,
    now: HashSet<String>,
}

impl Attempts {
    /// Begins another attempt.
    pub fn next(&self) {
        let mut messages = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        messages.before = std::mem::take(&mut messages.now);
    }

    /// Adds a message to this attempt. Returns whether the attempt before did not have it.
    fn add(&self, message: String) -> bool {
        let mut messages = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let is_new = !messages.before.contains(&message);
        messages.now.insert(message);
        is_new
    }
}

impl<S: Subscriber> Layer<S> for Attempts {
    fn event_enabled(&self, event: &Event<'_>, _: Context<'_, S>) -> bool {
        self.add(message_text(event))
    }
}

/// Whether stderr is the journal's stream.
fn is_stderr_journal() -> bool {
    let named = env::var("JOURNAL_STREAM").unwrap_or_default();
    fstat(io::stderr()).is_ok_and(|stat| named == format!("{}:{}", stat.st_dev, stat.st_ino))
}

/// Prints the message without fields: results to stdout, warnings and errors to stderr.
struct Terminal;

impl<S: Subscriber> Layer<S> for Terminal {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let message = message_text(event);
        // The run goes on even if the terminal has been closed.
        let _ = match *event.metadata().level() {
            Level::ERROR | Level::WARN => writeln!(io::stderr(), "rbdmap: {message}"),
            _ => writeln!(io::stdout(), "{message}"),
        };
    }
}

/// The message of an event, without its fields.
fn message_text(event: &Event<'_>) -> String {
    let mut message = MessageVisitor(String::new());
    event.record(&mut message);
    message.0
}

struct MessageVisitor(String);

impl Visit for MessageVisitor {
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

    /// The messages of one attempt that are logged.
    fn attempt(attempts: &Attempts, messages: &[&str]) -> Vec<String> {
        let messages = messages.iter().map(|message| (*message).to_owned());
        let logged = messages
            .filter(|message| attempts.add(message.clone()))
            .collect();
        attempts.next();
        logged
    }

    #[test]
    fn an_attempt_logs_what_the_attempt_before_did_not() {
        let attempts = Attempts::default();
        let first = attempt(&attempts, &["waits", "waits", "fails"]);
        assert_eq!(first, ["waits", "waits", "fails"]);
        assert!(attempt(&attempts, &["waits", "fails"]).is_empty());
        assert_eq!(
            attempt(&attempts, &["waits", "fails otherwise"]),
            ["fails otherwise"]
        );
        assert_eq!(
            attempt(&attempts, &["waits", "fails"]),
            ["fails"],
            "it has changed back"
        );
    }
}
