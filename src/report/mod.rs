//! What the program reports: events with fields for the journal, failures that decide the exit status, and where both go.

pub mod event; // what happens to images
pub mod failures; // the failures of a run
pub mod logging; // to the journal or to the terminal
