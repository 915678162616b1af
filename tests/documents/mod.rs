//! The documents are true: the README shows what the program prints (`status`), and the files that they name exist (`paths`).

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod paths;
mod status;
