//! The documents are true: the README shows what the program prints (`status`).

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod status;
