//! rbdmap maps Ceph RBD images at boot, mounts them, and unmaps them at shutdown. This file is the entry point: it parses the
//! command line and returns the exit status.

mod ceph; // from an entry to a request to the kernel
mod cli; // what can be typed
mod commands; // one file for each command
mod config; // files that administrators write
mod diagnose; // why a mapping failed, in a sentence
mod engine; // executes a plan: in this process, or by asking systemd
mod generator; // writes units for systemd
mod model; // the nouns of the program, as plain data
mod plan; // what to do, as plain data
mod report; // events, failures, logging
mod runtime; // paths, time limits, threads
mod sys; // everything that touches the machine

use std::ffi::OsString;
use std::path::Path;
use std::process::ExitCode;

use clap::Parser;

use cli::Cli;

fn main() -> ExitCode {
    let cli = Cli::parse_from(with_command(std::env::args_os().collect()));
    commands::run(cli)
}

/// systemd runs a generator by its name, with three directories: `rbdmap-generator A B C` is `rbdmap generator A B C`.
fn with_command(mut arguments: Vec<OsString>) -> Vec<OsString> {
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
    fn the_name_of_the_generator_is_its_command() {
        let called_as = |name: &str| with_command(vec![name.into(), "a".into()]);
        assert_eq!(
            called_as("/usr/lib/systemd/system-generators/rbdmap-generator"),
            [
                "/usr/lib/systemd/system-generators/rbdmap-generator",
                "generator",
                "a"
            ]
        );
        assert_eq!(called_as("/usr/bin/rbdmap"), ["/usr/bin/rbdmap", "a"]);
    }
}
