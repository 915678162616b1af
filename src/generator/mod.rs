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

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};
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
        .for_each(|line| line.target = places.resolved(&line.target));
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
    let images = Images::of(&listed);
    let unlisted = inputs
        .lines
        .iter()
        .filter(|line| images.below(line).is_none());
    unlisted.filter_map(FstabEntry::image).collect()
}

/// Finds where mount points are, each folder on the way once.
struct MountPointResolver<'a> {
    root: &'a Root,
    base: Option<PathBuf>,
    /// Folders, and where they really are, if they exist.
    known: HashMap<PathBuf, Option<PathBuf>>,
}

impl<'a> MountPointResolver<'a> {
    fn new(root: &'a Root) -> Self {
        Self {
            root,
            base: root.join("/").canonicalize().ok(),
            known: HashMap::new(),
        }
    }

    /// A mount point without double or trailing slashes and without symbolic links, as far as it exists: systemd names
    /// the unit so.
    fn resolved(&mut self, target: &Path) -> PathBuf {
        let plain: PathBuf = target.components().collect();
        let Some(base) = self.base.clone() else {
            return plain;
        };
        if !plain.is_absolute() {
            return plain; // Swap has no mount point but a word.
        }
        for there in plain.ancestors() {
            if let Some(real) = self.real(there, there == plain) {
                let rest = plain.strip_prefix(there).unwrap_or(Path::new(""));
                let below = real
                    .strip_prefix(&base)
                    .map(|real| Path::new("/").join(real).join(rest));
                return below.map_or(plain.clone(), |path| path.components().collect());
            }
        }
        plain
    }

    /// Of a mount point that is a plain folder in a folder that is known, nothing has to be followed.
    fn real(&mut self, path: &Path, is_mount_point: bool) -> Option<PathBuf> {
        if let Some(known) = self.known.get(path) {
            return known.clone();
        }
        let place = self.root.join(path);
        let real = match path.parent().filter(|_| is_mount_point) {
            Some(parent) => self.real(parent, false).and_then(|real| {
                match fs::symlink_metadata(&place).ok()? {
                    metadata if metadata.is_symlink() => place.canonicalize().ok(),
                    _ => Some(real.join(path.file_name()?)),
                }
            }),
            None => place.canonicalize().ok(),
        };
        self.known.insert(path.to_owned(), real.clone());
        real
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mount_points_are_resolved_as_far_as_they_exist() {
        let folder = tempfile::tempdir().unwrap();
        let root = Root::new(folder.path());
        std::fs::create_dir_all(root.join("srv/deep")).unwrap();
        std::os::unix::fs::symlink("srv", root.join("data")).unwrap();
        std::os::unix::fs::symlink("/", root.join("outside")).unwrap();
        let rows = [
            ("/data/deep", "/srv/deep"),
            ("/data/new/x", "/srv/new/x"),
            ("/mnt//x/", "/mnt/x"),
            ("/outside/x", "/outside/x"),
            ("none", "none"),
        ];
        for (target, expected) in rows {
            assert_eq!(
                MountPointResolver::new(&root).resolved(Path::new(target)),
                Path::new(expected),
                "{target}"
            );
        }
    }
}
