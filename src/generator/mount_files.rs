//! The files of an fstab entry that stands on an image, by itself or through others: a drop-in for systemd's unit, or a unit
//! that replaces it. The replacement has the settings of the drop-in, because each file takes time to write and to read.

use super::fstab_policy::SystemdUnit;
use super::mount_unit::MountUnit;
use super::netdev_units;
use super::unit_file::{GeneratedFile, UnitDirectory};
use crate::model::unit_name::{self, escape_specifiers};

/// The files of the entry.
pub fn files(unit: &MountUnit) -> Vec<GeneratedFile> {
    let policy = unit.policy;
    let target = &unit.entry.target;
    let mut files = match directory_of_replacement(unit) {
        Some(directory) => netdev_units::units(unit, directory),
        None => vec![GeneratedFile::drop_in(
            &unit_name::mount(target),
            &drop_in_text(unit),
        )],
    };
    if policy.automount && policy.systemd_unit != SystemdUnit::Missing {
        let text = format!("[Unit]\n{}", unit.automount_ordering());
        files.push(GeneratedFile::drop_in(&policy.start_unit(target), &text));
    }
    // Only these are in local-fs.target: `noauto` units are in no target.
    if policy.systemd_unit == SystemdUnit::Local && policy.auto {
        files.extend(move_to_remote_fs(&policy.start_unit(target), policy.nofail));
    }
    files
}

/// The directory of the unit that replaces systemd's, if one does.
pub fn directory_of_replacement(unit: &MountUnit) -> Option<UnitDirectory> {
    match unit.policy.systemd_unit {
        SystemdUnit::Local => Some(UnitDirectory::Early),
        // Nothing to override, and the administrator's unit of the same name must win.
        SystemdUnit::Missing => Some(UnitDirectory::Normal),
        SystemdUnit::Remote | SystemdUnit::Unordered => None,
    }
}

fn drop_in_text(unit: &MountUnit) -> String {
    let mut mount = String::new();
    if unit.policy.systemd_unit == SystemdUnit::Unordered {
        let options = escape_specifiers(&netdev_units::options(unit.entry));
        mount += &format!("Options={options}\n");
    }
    mount += unit.time_limit();
    let mut text = format!("[Unit]\n{}", unit.dependencies());
    if !mount.is_empty() {
        text += &format!("\n[Mount]\n{mount}");
    }
    text
}

/// Moves a unit from local-fs.target to remote-fs.target, as systemd does for `_netdev`. Boot enters the emergency shell when
/// local-fs.target fails.
fn move_to_remote_fs(unit: &str, nofail: bool) -> [GeneratedFile; 2] {
    let kind = if nofail { "wants" } else { "requires" };
    [
        GeneratedFile::mask(
            UnitDirectory::Early,
            format!("local-fs.target.{kind}/{unit}"),
        ),
        GeneratedFile::dependency(&format!("remote-fs.target.{kind}"), unit),
    ]
}
