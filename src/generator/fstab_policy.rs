//! How an fstab entry is served, decided by its options alone: which unit systemd's own generator makes for it, whether boot
//! mounts it, and whether boot waits for it. Of an option and its opposite, the last counts, as for systemd.

#[cfg(test)]
mod tests;

use std::path::Path;

use anyhow::{Result, bail, ensure};

use super::unit_syntax::is_unit_name;
use crate::model::fstab_entry::FstabEntry;
use crate::model::unit_name;

/// The unit that systemd-fstab-generator makes for an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SystemdUnit {
    /// A unit with the ordering of a remote mount: a drop-in is sufficient.
    Remote,
    /// A unit without ordering (`noauto,nofail`): a drop-in that adds `_netdev` is sufficient.
    Unordered,
    /// A unit with the ordering of a local mount, which no drop-in can remove: the unit is replaced (`netdev_units`).
    Local,
    /// No unit, because the mount is declared in our settings.
    Missing,
}

/// How an entry is served.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MountPolicy {
    /// The unit that exists without us.
    pub systemd_unit: SystemdUnit,
    /// No `noauto`: one of systemd's targets wants the unit as well.
    pub auto: bool,
    /// Boot does not wait for it.
    pub nofail: bool,
    /// It is mounted at the first access.
    pub automount: bool,
}

/// File system types that systemd treats as remote without `_netdev` (systemd `src/basic/mount-util.c`, fstype_is_network).
const NETWORK_TYPES: &[&str] = &[
    "afs",
    "ceph",
    "cifs",
    "davfs",
    "gfs",
    "gfs2",
    "glusterfs",
    "gpfs",
    "lustre",
    "ncp",
    "ncpfs",
    "nfs",
    "nfs4",
    "ocfs2",
    "orangefs",
    "pvfs2",
    "smb3",
    "smbfs",
    "sshfs",
];

/// Options that a unit in the early directory can implement, or that systemd implements without the unit.
const SERVED_EARLY: &[&str] = &[
    "x-systemd.after",
    "x-systemd.automount",
    "x-systemd.before",
    "x-systemd.device-timeout",
    "x-systemd.growfs",
    "x-systemd.idle-timeout",
    "x-systemd.makefs",
    "x-systemd.mount-timeout",
    "x-systemd.required-by",
    "x-systemd.requires",
    "x-systemd.requires-mounts-for",
    "x-systemd.rw-only",
    "x-systemd.wanted-by",
];

/// Options that systemd's generator implements, and that therefore work in fstab and not in our settings.
const FSTAB_ONLY: &[&str] = &[
    "x-systemd.growfs",
    "x-systemd.makefs",
    "x-systemd.required-by",
    "x-systemd.wanted-by",
    "x-systemd.device-timeout",
];

impl MountPolicy {
    /// The policy of an entry of fstab. Fails if it cannot be served; the error is the reason and the remedy.
    pub fn new(entry: &FstabEntry) -> Result<Self> {
        ensure_not_for_initrd(entry)?;
        let automount = entry.has("x-systemd.automount")
            || entry
                .options
                .iter()
                .any(|option| option == "comment=systemd.automount");
        // A target of systemd's wants an automount unit even with `noauto`.
        let auto = automount || !entry.is_enabled("noauto", "auto");
        let nofail = entry.is_nofail();
        // The unit of swap is ordered before the network whatever the options are.
        let systemd_unit = if entry.fstype == "swap" {
            SystemdUnit::Local
        } else if is_remote(entry) {
            SystemdUnit::Remote
        } else if !auto && nofail {
            SystemdUnit::Unordered
        } else {
            SystemdUnit::Local
        };
        if systemd_unit != SystemdUnit::Remote {
            ensure_writable(entry)?;
        }
        Ok(Self {
            systemd_unit,
            auto,
            nofail,
            automount,
        })
    }

    /// The policy of a mount that our settings declare.
    pub fn for_declared(entry: &FstabEntry) -> Result<Self> {
        ensure_not_for_initrd(entry)?;
        if let Some(option) = FSTAB_ONLY.iter().find(|option| entry.has(option)) {
            bail!("{option} works only in fstab; declare the mount there");
        }
        ensure_writable(entry)?;
        Ok(Self {
            systemd_unit: SystemdUnit::Missing,
            auto: false,
            ..Self::new(entry)?
        })
    }

    /// The unit to start so that the entry is mounted on `target`: its automount unit, if it has one.
    pub fn start_unit(&self, target: &Path) -> String {
        let kind = if self.automount { "automount" } else { "mount" };
        format!("{}.{kind}", unit_name::escape_path(target))
    }
}

/// The options for systemd that have no effect in a unit of the early directory.
pub fn ignored_options(entry: &FstabEntry) -> Vec<&str> {
    entry
        .options
        .iter()
        .filter_map(|option| name_if_ignored(option))
        .collect()
}

fn name_if_ignored(option: &str) -> Option<&str> {
    let (name, value) = option.split_once('=').unwrap_or((option, ""));
    let is_path = value.starts_with('/') && !value.contains(char::is_whitespace);
    let is_ignored = match name {
        "x-systemd.after" | "x-systemd.before" | "x-systemd.requires" => {
            !is_path && !is_unit_name(value)
        }
        "x-systemd.requires-mounts-for" => !is_path,
        _ => name.starts_with("x-systemd.") && !SERVED_EARLY.contains(&name),
    };
    is_ignored.then_some(name)
}

fn is_remote(entry: &FstabEntry) -> bool {
    // systemd ignores this prefix as well.
    let fstype = entry.fstype.strip_prefix("fuse.").unwrap_or(&entry.fstype);
    entry.has("_netdev") || NETWORK_TYPES.contains(&fstype)
}

fn ensure_not_for_initrd(entry: &FstabEntry) -> Result<()> {
    ensure!(
        !entry.has("x-initrd.mount"),
        "x-initrd.mount mounts it in the initrd, where no image is mapped; remove it"
    );
    Ok(())
}

/// Fails if a field cannot be written into a unit.
fn ensure_writable(entry: &FstabEntry) -> Result<()> {
    let target = entry.target.to_string_lossy();
    let options = entry.option_string();
    for text in [entry.source.as_str(), &target, &entry.fstype, &options] {
        // A line break (`\012` in fstab) would begin another line of the unit; a backslash at the end would join two lines.
        let is_writable = !text.ends_with('\\')
            && !text.contains(|c: char| c.is_control() || c == char::REPLACEMENT_CHARACTER);
        ensure!(
            is_writable,
            "{text:?} cannot be written into a unit; use another name"
        );
    }
    Ok(())
}
