//! rbdmap: maps Ceph RBD images at boot, mounts them, and takes them down cleanly. This file is the edge of the process:
//! what was called, where messages go, which exit status.

mod ceph; // from an entry to what the kernel is asked
mod cli; // what can be typed
mod commands; // one file for each command
mod config; // what administrators write
mod diagnose; // from an errno to a sentence
mod engine; // carries a plan out: in this process, or by asking systemd
mod generator; // units for systemd
mod model; // the nouns, as plain data
mod plan; // what is to be done, as data
mod report; // events, failures, the log
mod runtime; // paths, time limits, threads
mod sys; // everything that touches the machine

use std::ffi::OsString;
use std::path::Path;
use std::process::ExitCode;

use clap::Parser;

use cli::Cli;

fn main() -> ExitCode {
    let cli = Cli::parse_from(with_verb(std::env::args_os().collect()));
    commands::run(cli)
}

/// systemd calls generators by name with three directories: `rbdmap-generator A B C` is `rbdmap generator A B C`.
fn with_verb(mut arguments: Vec<OsString>) -> Vec<OsString> {
    let name = arguments
        .first()
        .and_then(|name| Path::new(name).file_name());
    if name.is_some_and(|name| name == "rbdmap-generator") {
        arguments.insert(1, "generator".into());
    }
    arguments
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_generators_name_is_its_verb() {
        let called = |name: &str| with_verb(vec![name.into(), "a".into()]);
        assert_eq!(
            called("/usr/lib/systemd/system-generators/rbdmap-generator"),
            [
                "/usr/lib/systemd/system-generators/rbdmap-generator",
                "generator",
                "a"
            ]
        );
        assert_eq!(called("/usr/bin/rbdmap"), ["/usr/bin/rbdmap", "a"]);
    }
}
