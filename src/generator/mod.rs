//! `rbdmap-generator`: writes units for the RBD images and for what stands on them.
//!
//! systemd runs it at boot and at every reload (systemd.generator(7)), when there may be no network, no D-Bus and no journal,
//! and waits until it ends. `enabled` decides whether it does anything, `unit_set` decides what to write and what to report,
//! and `writer` writes it. It fails only if no file can be written: faulty lines are reported in the kernel log, and boot
//! continues.

mod admin_units;
mod device_units;
mod enabled;
mod fstab_policy;
mod instance_unit;
mod mount_files;
mod mount_unit;
mod netdev_units;
mod service_units;
mod swap_units;
mod unit_file;
mod unit_set;
mod unit_syntax;
mod warnings;
mod writer;

use std::collections::HashSet;
use std::process::ExitCode;

use anyhow::Result;

use crate::config::fstab::Images;
use crate::config::load::Configuration;
use crate::engine::hook;
use crate::model::fault::Fault;
use crate::model::image_spec::ImageSpec;
use crate::runtime::root::Root;
use crate::sys::kmsg_writer::{KernelMessage, KmsgWriter};
use crate::sys::real_path::MountPointResolver;
use admin_units::AdministratorUnits;
use unit_set::{UnitSetInputs, generate_unit_set};
pub use writer::Directories;

/// Reads the configuration and the administrator's units, and writes units into `directories`.
pub fn run(root: &Root, directories: &Directories) -> ExitCode {
    let log = KmsgWriter::open(root);
    match generate(root, directories, &log) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let text = format!("{error:#}; no units were generated, so systemd maps no image");
            log.write(&KernelMessage::warning(text));
            ExitCode::FAILURE
        }
    }
}

fn generate(root: &Root, directories: &Directories, log: &KmsgWriter) -> Result<()> {
    let administrator = read_administrator_units(root, log);
    if !enabled::is_enabled(root, &administrator) {
        return Ok(());
    }
    let mut configuration = Configuration::read(root);
    for fault in &configuration.faults {
        log.write(&KernelMessage::warning(
            without_root(fault, root).to_string(),
        ));
    }
    let mut mount_points = MountPointResolver::new(root);
    // systemd names a mount unit after the path without symbolic links.
    for line in &mut configuration.lines {
        line.target = mount_points.resolve(&line.target);
    }
    let unlisted = unlisted_images(&configuration);
    let with_hook = hook::entries_with_hook(root, &configuration.entries).into_iter();
    let hooked: HashSet<ImageSpec> = with_hook.map(|entry| entry.spec.clone()).collect();
    let unit_set = generate_unit_set(&UnitSetInputs {
        entries: &configuration.entries,
        unlisted: &unlisted,
        lines: &configuration.lines,
        hooked: &hooked,
        administrator: &administrator,
        root,
    });
    for message in &unit_set.messages {
        log.write(message);
    }
    writer::write_all(unit_set.files, directories, log)
}

fn read_administrator_units(root: &Root, log: &KmsgWriter) -> AdministratorUnits {
    AdministratorUnits::read(root).unwrap_or_else(|error| {
        log.write(&KernelMessage::warning(format!(
            "{error:#}; continuing as if the administrator had no units"
        )));
        AdministratorUnits::default()
    })
}

fn without_root(fault: &Fault, root: &Root) -> Fault {
    Fault {
        path: root.path_inside(&fault.path).to_owned(),
        ..fault.clone()
    }
}

/// The images that fstab names and no table lists. Somebody maps them by hand, and their mounts need the network as well.
fn unlisted_images(configuration: &Configuration) -> Vec<ImageSpec> {
    let entries = configuration.entries.iter();
    let listed: Vec<&ImageSpec> = entries.map(|entry| &entry.spec).collect();
    let listed = Images::new(&listed);
    let mut unlisted = Vec::new();
    for line in &configuration.lines {
        if listed.below(line).is_none() {
            unlisted.extend(line.image());
        }
    }
    unlisted
}
