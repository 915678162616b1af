//! What the program reports: events with fields for the journal, failures that decide the exit status, and where both go.

pub mod event; // kinds of events
pub mod failures; // what decides the exit status
pub mod logging; // journal or terminal
