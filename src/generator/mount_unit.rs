//! What is written for an fstab entry that stands on an image, by itself or through others: what orders its unit and ties it
//! to the image's instance. That is a drop-in of systemd's unit; where that is ordered as local, or there is none, it is
//! said in the unit of `as_netdev`, for a file less is less for us to write and for systemd to read.

use std::path::Path;

use super::fstab_policy::{MountPolicy, SystemdUnit};
use super::instance_unit::quoted;
use super::mount_files;
use super::unit_file::{Folder, GeneratedFile};
use crate::model::fstab_entry::FstabEntry;
use crate::model::overlay_options;
use crate::model::unit_name::{self, escape_specifiers};

/// An entry with how it is served.
#[derive(Debug)]
pub struct MountUnit<'a> {
    /// The entry.
    pub entry: &'a FstabEntry,
    /// The file that says it, as units name it.
    pub path: &'a Path,
    /// How it is served.
    pub row: MountPolicy,
    /// The instance of the image that is its source, if one is.
    pub instance: Option<String>,
    /// Whether it stands on an image of ours, so that rbdmap.service has it mounted.
    pub is_ours: bool,
}

impl MountUnit<'_> {
    /// Where the unit is that is made in the place of systemd's, if one is.
    pub fn folder(&self) -> Option<Folder> {
        match self.row.made {
            SystemdUnit::Local => Some(Folder::Early),
            SystemdUnit::Nothing => Some(Folder::Normal),
            SystemdUnit::Remote | SystemdUnit::Unordered => None,
        }
    }

    /// The files of the entry.
    pub fn files(&self) -> Vec<GeneratedFile> {
        let MountPolicy {
            made,
            automount,
            auto,
            nofail,
        } = self.row;
        let start = || self.row.start_unit(&self.entry.target);
        let mut files = match self.folder() {
            Some(folder) => mount_files::units(self, folder),
            None => vec![GeneratedFile::drop_in(
                &unit_name::mount(&self.entry.target),
                &self.drop_in(),
            )],
        };
        if automount && made != SystemdUnit::Nothing {
            files.push(GeneratedFile::drop_in(
                &start(),
                &format!("[Unit]\n{}", self.order_of_automount()),
            ));
        }
        if made == SystemdUnit::Local && auto {
            files.extend(moved_to_remote(&start(), nofail));
        }
        files
    }

    fn drop_in(&self) -> String {
        let mut text = format!("[Unit]\n{}", self.dependencies());
        let options = escape_specifiers(&mount_files::options(self.entry));
        let options =
            (self.row.made == SystemdUnit::Unordered).then(|| format!("Options={options}\n"));
        let mount = options.unwrap_or_default() + self.time_limit();
        if !mount.is_empty() {
            text += &format!("\n[Mount]\n{mount}");
        }
        text
    }

    /// What is said in `[Unit]`. The order is no more than what systemd derives from `_netdev`, but it holds also when it
    /// forgets that: it reads the options of a mounted file system from the kernel and from utab, and a mount made by hand
    /// may have left no `_netdev` there; it would then order the unit as a local one, and stop it after the network.
    pub fn dependencies(&self) -> String {
        let mut text = String::new();
        if let Some(instance) = &self.instance {
            text += "# The image is there before it is mounted, and until it is unmounted.\n";
            text += &format!("Requires={instance}\nAfter={instance}\n");
        }
        let layers = overlay_options::directories(self.entry.options.iter().map(String::as_str));
        let layers: Vec<String> = layers
            .iter()
            .filter_map(|folder| quoted(&folder.to_string_lossy()))
            .collect();
        if self.entry.fstype == "overlay" && !layers.is_empty() {
            text += "# What it is made of; systemd does not look into the options of an overlay.\n";
            text += &format!("RequiresMountsFor={}\n", layers.join(" "));
        }
        text + &self.order()
    }

    /// What is said in `[Mount]`: one umount and up to three time-outs, and all file systems of a chain one after the other.
    pub fn time_limit(&self) -> &'static str {
        if self.entry.has("x-systemd.mount-timeout") {
            ""
        } else {
            "TimeoutSec=30\n"
        }
    }

    /// What is said in `[Unit]` of the automount: it may lie in another mount of ours, and so must not be ordered as local.
    pub fn order_of_automount(&self) -> String {
        format!(
            "{}DefaultDependencies=no\nConflicts=umount.target\nBefore=umount.target\n",
            self.waited_for()
        )
    }

    fn waited_for(&self) -> &'static str {
        if self.row.nofail || !self.is_ours {
            ""
        } else {
            "Before=rbdmap.service\n"
        }
    }

    fn order(&self) -> String {
        let waits = self.waited_for();
        let target = if self.row.nofail {
            ""
        } else {
            " remote-fs.target"
        };
        format!(
            "{waits}# On the network, whether or not the kernel remembers _netdev.
DefaultDependencies=no
Conflicts=umount.target
Before=umount.target{target}
After=remote-fs-pre.target network.target
"
        )
    }
}

/// Takes a unit away from local-fs.target, without which there is no boot but the emergency shell, and gives it to
/// remote-fs.target, as systemd does for `_netdev`.
fn moved_to_remote(unit: &str, nofail: bool) -> [GeneratedFile; 2] {
    let kind = if nofail { "wants" } else { "requires" };
    [
        GeneratedFile::mask(Folder::Early, format!("local-fs.target.{kind}/{unit}")),
        GeneratedFile::hook(&format!("remote-fs.target.{kind}"), unit),
    ]
}
