//! Checks documents against the repository: the files that they name (`paths`), and the output that the README shows (`status`).

#![allow(clippy::unwrap_used, reason = "a test that cannot continue has failed")]

mod paths;
mod status;
