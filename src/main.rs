//! rbdmap: maps Ceph RBD images at boot, mounts them, and takes them down cleanly. This file is the edge of the process:
//! what was called, where messages go, which exit status.

mod broken; // of what is mapped, what is of no use
mod by_systemd; // the engine that asks systemd over D-Bus
mod cli; // what can be typed
mod config; // what administrators write: table, fstab, ceph.conf, keyrings
mod deadline; // until when something may take
mod direct; // the engine that works in this process
mod event; // what happens to images, by kinds
mod generator; // units for systemd, from table and fstab
mod hook; // the administrator's program for an image
mod inputs; // all that administrators have written, together
mod list; // `rbdmap list`
mod logging; // journal or terminal
mod map; // one image upward
mod meanwhile; // what is waited for, told while it is
mod model; // the nouns, as plain data
mod plan; // what is to be done, as data
mod pool; // a bounded number of threads
mod prepare; // what needs no network, before it is there
mod reason; // errno to sentence
mod removal; // one mapping removed
mod report; // what came of it
mod request; // what one mapping needs
mod retry; // when to try again
mod root; // every absolute path
mod status; // `rbdmap status`
mod summary; // the status of rbdmap.service
mod sys; // everything that touches the machine
mod unmap; // mappings downward
mod verb; // from what was typed to an engine

use std::ffi::OsString;
use std::path::Path;
use std::process::ExitCode;

use clap::Parser;

use cli::Cli;

fn main() -> ExitCode {
    let cli = Cli::parse_from(with_verb(std::env::args_os().collect()));
    verb::run(cli)
}

/// systemd calls generators by name with three folders: `rbdmap-generator A B C` is `rbdmap generator A B C`.
fn with_verb(mut arguments: Vec<OsString>) -> Vec<OsString> {
    let name = arguments.first().and_then(|name| Path::new(name).file_name());
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
            ["/usr/lib/systemd/system-generators/rbdmap-generator", "generator", "a"]
        );
        assert_eq!(called("/usr/bin/rbdmap"), ["/usr/bin/rbdmap", "a"]);
    }
}
