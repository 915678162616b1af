//! One file for each command: it reads the configuration and the machine, plans, and has systemd or this process carry the
//! plan out. This file chooses the command and runs it, in a child process if it may block.

mod engine_choice; // systemd or this process
mod hook;
mod list;
mod map;
mod prepare;
mod reload;
mod start_nofail;
mod status;
mod stop_images;
mod summary;
mod unmap;
mod unmap_all;

use std::process::ExitCode;

use detached::child::{self, Outcome};

use crate::cli::{Cli, Command, UnmapAllArguments, UnmapArguments};
use crate::generator::{self, Directories};
use crate::report::logging;
use crate::runtime::root::Root;
use crate::sys::notify;

/// Runs the command and returns the exit status of the process.
pub fn run(cli: Cli) -> ExitCode {
    let root = Root::new(cli.root);
    if let Command::Generator { normal, early, .. } = cli.command {
        return generator::run(&root, &Directories { normal, early });
    }
    let status = if may_block(&cli.command) {
        run_in_child_process(|| run_command(&root, &cli.command))
    } else {
        run_command(&root, &cli.command)
    };
    ExitCode::from(status)
}

/// Whether the command mounts or unmounts in this process, or may do so.
fn may_block(command: &Command) -> bool {
    match command {
        Command::Map(arguments) => !arguments.no_mount && !arguments.engine.dry_run,
        Command::Unmap(UnmapArguments { engine, .. })
        | Command::UnmapAll(UnmapAllArguments { engine, .. })
        | Command::Reload(engine) => !engine.dry_run,
        _ => false,
    }
}

/// Runs the work in a child process and returns its exit status.
fn run_in_child_process(work: impl FnOnce() -> u8) -> u8 {
    // A thread in mount(2) or umount(2) cannot be killed while the cluster does not answer, and its process does not end.
    // The child reports its exit status first, so that this process returns all the same.
    match child::run(work) {
        Ok(Outcome::Ended(status)) => status,
        Ok(Outcome::Killed(signal)) => fail(&format!(
            "killed by {signal}; run the command again to complete the work"
        )),
        Ok(Outcome::Interrupted(signal)) => {
            fail(&format!(
                "ended by {signal}; systemd and the kernel finish what they were asked to do, see `rbdmap status`; \
                 run the command again to complete the work"
            ));
            // As a shell reports a command that a signal ended.
            128u8.saturating_add(signal as u8)
        }
        Ok(Outcome::Silent) => fail(
            "the child process ended without an exit status; run the command again to complete the work",
        ),
        Err(error) => fail(&format!("cannot start a child process: {error}")),
    }
}

/// Logs why the child process did not complete the work, and returns the exit status of a failure.
fn fail(why: &str) -> u8 {
    // Not earlier: fork(2) copies only the calling thread, so this process has no other one before.
    logging::start();
    tracing::error!("{why}");
    1
}

/// Runs the command in this process and returns the exit status.
fn run_command(root: &Root, command: &Command) -> u8 {
    let attempts = logging::start();
    let result = match command {
        Command::Map(arguments) => map::run(root, arguments, &attempts),
        Command::Unmap(arguments) => unmap::run(root, arguments),
        Command::UnmapAll(arguments) => unmap_all::run(root, arguments),
        Command::Reload(engine) => reload::run(root, engine),
        Command::Status(arguments) => status::run(root, arguments),
        Command::List { format } => list::run(root, *format),
        Command::StartNofail => start_nofail::run(root),
        Command::StopImages => stop_images::run(root),
        Command::Prepare => prepare::run(root),
        Command::Hook { call, instance } => Ok(hook::run(root, *call, instance)),
        // `run` has returned for the generator, which must not log to a journal that may not run yet.
        Command::Summary | Command::Generator { .. } => Ok(summary::run(root)),
    };
    let status = match result {
        Ok(report) => report.exit_status(),
        Err(error) => {
            tracing::error!("{error:#}");
            1
        }
    };
    // systemd finds the unit of a status text by its sender's process, so it must read the text before this process ends.
    notify::settle();
    status
}
