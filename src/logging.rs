//! Where messages go: to the journal with fields when systemd runs us, else results to stdout and trouble to stderr.
//!
//! systemd.exec(5): `$JOURNAL_STREAM` is `DEVICE:INODE` of the stream that stderr is; where it does not match, stderr
//! was redirected and is where messages are wanted. The generator logs elsewhere: journald may not run yet.

use std::env;
use std::fmt::{Debug, Write as _};
use std::io::{self, Write as _};

use nix::sys::stat::fstat;
use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_journald::{Priority, PriorityMappings};
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::layer::{Context, Layer, SubscriberExt};
use tracing_subscriber::util::SubscriberInitExt;

/// Starts logging for the rest of the process.
pub fn start() {
    let journal = journal_listens().then(|| tracing_journald::layer().ok()).flatten().map(|layer| {
        layer.with_field_prefix(None).with_syslog_identifier("rbdmap".to_owned()).with_priority_mappings(
            PriorityMappings { info: Priority::Informational, debug: Priority::Debug, ..PriorityMappings::new() },
        )
    });
    let terminal = journal.is_none().then_some(Terminal);
    tracing_subscriber::registry().with(LevelFilter::INFO).with(journal).with(terminal).init();
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
        let mut message = Message(String::new());
        event.record(&mut message);
        // A closed terminal must not stop the work.
        let _ = match *event.metadata().level() {
            Level::ERROR | Level::WARN => writeln!(io::stderr(), "rbdmap: {}", message.0),
            _ => writeln!(io::stdout(), "{}", message.0),
        };
    }
}

/// The `message` of an event; its other fields are for the journal.
struct Message(String);

impl Visit for Message {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        if field.name() == "message" {
            // Writing to a String cannot fail.
            let _ = write!(self.0, "{value:?}");
        }
    }
}
