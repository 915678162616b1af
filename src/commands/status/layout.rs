//! How the table is laid out: for the terminal that standard output is, or for another program.

use std::env;
use std::io::{IsTerminal, stdout};

use terminal_size::{Width, terminal_size_of};

/// The width of a terminal that does not report one, such as a serial console.
const DEFAULT_WIDTH: usize = 80;

/// How rows are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Layout {
    /// Columns within this many characters; what is too long is wrapped onto lines of its own.
    Terminal(usize),
    /// For programs: fields separated by tabs, sizes in bytes.
    Pipe,
}

impl Layout {
    /// The layout for standard output.
    pub fn from_stdout() -> Self {
        if stdout().is_terminal() {
            Self::Terminal(terminal_width())
        } else {
            Self::Pipe
        }
    }
}

fn terminal_width() -> usize {
    // Shells set COLUMNS and do not export it, so a user who exports it wants another width than the terminal's.
    let exported = env::var("COLUMNS").ok().and_then(|text| text.parse().ok());
    let reported = terminal_size_of(stdout()).map(|(Width(width), _)| width.into());
    exported.or(reported).unwrap_or(DEFAULT_WIDTH)
}
