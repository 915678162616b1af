//! `rbdmap-generator`: tells systemd, before it starts anything, which images there are and what stands on them.
//!
//! systemd runs it at boot and at every reload (systemd.generator(7)), before there is a network, D-Bus or a journal,
//! and waits for it: it reads the table, settings, fstab and /etc/systemd/system, and writes links, drop-ins and units.
//! Owns the order of that: `environment` says whether to be silent, `decide` says what to write and what to say,
//! `write` and `kernel_log` do it. Nothing but a folder that cannot be written is an error: a boot never fails here.

mod admin_units;
mod device_units;
mod enabled;
mod fstab_policy;
mod instance_unit;
mod mount_files;
mod mount_unit;
mod service_units;
mod swap_units;
mod unit_file;
mod unit_set;
mod warnings;
mod writer;

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;

use crate::config::fstab::Images;
use crate::config::load::Configuration;
use crate::engine::hook;
use crate::model::fault::Fault;
use crate::model::fstab_entry::FstabEntry;
use crate::model::image_spec::ImageSpec;
use crate::runtime::root::Root;
use crate::sys::kmsg_writer::{KmsgWriter, Message};
use crate::sys::real_path::MountPointResolver;
use admin_units::AdministratorUnits;
use unit_set::decide;

/// Where systemd wants the units. The third folder that it offers, for what all others override, is of no use here.
#[derive(Debug, Clone)]
pub struct Directories {
    /// Overridden by the administrator's files.
    pub normal: PathBuf,
    /// Overrides everything, the administrator's files too.
    pub early: PathBuf,
}

/// Reads what there is, decides, writes, and says in the kernel's log what is not served.
pub fn run(root: &Root, directories: &Directories) -> ExitCode {
    let log = KmsgWriter::open(root);
    match generate(root, directories, &log) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            log.write(&Message::warning(format!("{error:#}; no image is mapped")));
            ExitCode::FAILURE
        }
    }
}

fn generate(root: &Root, directories: &Directories, log: &KmsgWriter) -> Result<()> {
    let administrator = AdministratorUnits::read(root).unwrap_or_else(|error| {
        log.write(&Message::warning(format!(
            "{error:#}; going on as if there were no units there"
        )));
        AdministratorUnits::default()
    });
    if enabled::is_silent(root, &administrator) {
        return Ok(());
    }
    let mut inputs = Configuration::read(root);
    for fault in &inputs.faults {
        let fault = Fault {
            path: root.path_inside(&fault.path).to_owned(),
            ..fault.clone()
        };
        log.write(&Message::warning(fault.to_string()));
    }
    let mut places = MountPointResolver::new(root);
    inputs
        .lines
        .iter_mut()
        .for_each(|line| line.target = places.resolve(&line.target));
    let hooked = hook::entries_with_hook(root, &inputs.entries)
        .into_iter()
        .map(|entry| entry.spec.clone())
        .collect();
    let unlisted = unlisted(&inputs);
    let decision = decide(&unit_set::UnitSetInputs {
        entries: &inputs.entries,
        unlisted: &unlisted,
        lines: &inputs.lines,
        hooked: &hooked,
        administrator: &administrator,
        root,
    });
    decision
        .messages
        .iter()
        .for_each(|message| log.write(message));
    let written = writer::all(decision.parts, directories, log);
    // The process ends here: to give back a thousand texts one by one is of no use.
    std::mem::forget(inputs);
    written
}

/// The images in fstab that no table has: somebody maps them by hand, and what is mounted on them is no less remote.
fn unlisted(inputs: &Configuration) -> Vec<ImageSpec> {
    let listed: Vec<&ImageSpec> = inputs.entries.iter().map(|entry| &entry.spec).collect();
    let images = Images::new(&listed);
    let unlisted = inputs
        .lines
        .iter()
        .filter(|line| images.below(line).is_none());
    unlisted.filter_map(FstabEntry::image).collect()
}
