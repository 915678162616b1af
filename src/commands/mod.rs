//! From what was typed to an engine: each verb reads, plans, and has systemd or this process carry the plan out.

mod list;
mod map;
mod prepare;
mod reload;
mod status;
mod summary;
mod unmap;

use std::env;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use detached::work::{self, Outcome};

use crate::cli::{Cli, Command, Engine, Format, UnmapAllArguments, UnmapArguments};
use crate::config::load::Configuration;
use crate::config::settings::Settings;
use crate::engine::hook::ImageHook;
use crate::engine::systemd;
use crate::generator::{self, Directories};
use crate::model::hook_call::HookCall;
use crate::model::image_spec::ImageSpec;
use crate::model::timeouts::Timeouts;
use crate::model::unit_name;
use crate::report::event::Event;
use crate::report::failures::Report;
use crate::report::logging;
use crate::runtime::deadline::Deadline;
use crate::runtime::root::Root;
use crate::sys::notify;
use crate::sys::rbd::bus;

/// Does what was asked; the answer is the exit status.
pub fn run(cli: Cli) -> ExitCode {
    let root = Root::new(cli.root);
    if let Command::Generator { normal, early, .. } = cli.command {
        return generator::run(&root, &Directories { normal, early });
    }
    let status = if may_not_come_back(&cli.command) {
        in_detached_process(|| carry_out(&root, &cli.command))
    } else {
        carry_out(&root, &cli.command)
    };
    ExitCode::from(status)
}

/// Whether it mounts or unmounts here, or may.
fn may_not_come_back(command: &Command) -> bool {
    match command {
        Command::Map(arguments) => !arguments.no_mount && !arguments.engine.dry_run,
        Command::Unmap(UnmapArguments { engine, .. })
        | Command::UnmapAll(UnmapAllArguments { engine, .. })
        | Command::Reload(engine) => !engine.dry_run,
        _ => false,
    }
}

fn in_detached_process(work: impl FnOnce() -> u8) -> u8 {
    let failed = |why: String| -> u8 {
        logging::start();
        tracing::error!("{why}");
        1
    };
    match work::run(work) {
        Ok(Outcome::Ended(status)) => status,
        Ok(Outcome::Killed(signal)) => failed(format!(
            "killed by {signal}; run it again, and it completes the work"
        )),
        Ok(Outcome::Interrupted(signal)) => {
            failed(format!(
                "ended by {signal}; what systemd or the kernel has been asked goes on: `rbdmap status` shows it, and the \
                 same command again completes it"
            ));
            128u8.saturating_add(signal as u8)
        }
        Ok(Outcome::Silent) => {
            failed("its process ended without saying what it came to".to_owned())
        }
        Err(error) => failed(format!("starting a process: {error}")),
    }
}

/// The answer is the exit status.
fn carry_out(root: &Root, command: &Command) -> u8 {
    let attempts = logging::start();
    let report = match command {
        Command::Map(arguments) => map::run(root, arguments, &attempts),
        Command::Unmap(arguments) => unmap::run(root, arguments),
        Command::UnmapAll(arguments) => unmap::all(root, arguments),
        Command::Reload(engine) => reload::run(root, engine),
        Command::Status(arguments) => status::run(root, arguments),
        Command::List { format } => show(root, *format),
        Command::StartNofail => start_nofail(root),
        Command::StopImages => systemd::stop_images(root).map(|()| Report::default()),
        Command::Prepare => prepare::run(root).map(|()| Report::default()),
        Command::Hook { call, instance } => Ok(hooked(root, *call, instance)),
        Command::Summary | Command::Generator { .. } => summarize(root),
    };
    let status = report.map_or_else(
        |error| {
            tracing::error!("{error:#}");
            1
        },
        |report| report.exit_status(),
    );
    notify::settle();
    status
}

fn show(root: &Root, format: Format) -> Result<Report> {
    print!("{}", list::render(&bus::list(root)?, format));
    Ok(Report::default())
}

/// The units that rbdmap-nofail.service is told of (generator::service).
fn start_nofail(root: &Root) -> Result<Report> {
    let told = env::var(unit_name::NOFAIL_INSTANCES_VARIABLE).unwrap_or_default();
    let units: Vec<String> = told.split_whitespace().map(str::to_owned).collect();
    systemd::start_nofail(root, &Configuration::read(root).entries, &units)
        .map(|()| Report::default())
}

/// For an image's unit: its hook, and nothing else.
fn hooked(root: &Root, call: HookCall, spec: &ImageSpec) -> Report {
    let inputs = Configuration::read(root);
    let (own, mut report) = (inputs.own_hooks(), Report::default());
    let limit = match call {
        HookCall::Map => inputs.settings.timeouts.map,
        HookCall::Unmap => inputs.settings.timeouts.unmap,
    };
    let hook = ImageHook {
        spec,
        declared: own.get(spec).map(PathBuf::as_path),
    };
    if let Err(error) = hook.run(root, call, &Deadline::after(limit)) {
        report.image_failed(Event::HookFailed, spec, format!("{error:#}"));
    }
    report
}

/// The time limits of the settings, or that of `--timeout`.
fn timeouts(engine: &Engine, settings: &Settings) -> Timeouts {
    settings.timeouts.overridden_by(engine.timeout)
}

fn summarize(root: &Root) -> Result<Report> {
    summary::run(root, &Configuration::read(root));
    Ok(Report::default())
}

/// systemd is asked where it runs, unless this is to be done here. A table of one's own is not what its units were
/// made from.
fn asks_systemd(root: &Root, engine: &Engine, inputs: &Configuration) -> bool {
    if engine.direct {
        return false;
    }
    let reason = match (root.systemd().exists(), inputs.is_machines_own(root)) {
        (true, true) => return true,
        (false, _) => "systemd does not run here".to_owned(),
        (true, false) => format!("systemd's units are not of {}", inputs.table.display()),
    };
    tracing::info!("{reason}: done in this process, as with --direct");
    false
}

/// The same for mapping: what mounts waits for a device, of which systemd hears by udev.
fn asks_systemd_to_map(root: &Root, engine: &Engine, inputs: &Configuration) -> bool {
    let asks = asks_systemd(root, engine, inputs);
    let hears = root.udev_control().exists();
    if asks && !hears {
        tracing::info!(
            "udevd does not run, and systemd hears of no device: done in this process, as with --direct"
        );
    }
    asks && hears
}
