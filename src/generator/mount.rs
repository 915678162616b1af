//! What is written for an fstab entry that stands on an image, by itself or through others: a drop-in that orders its unit
//! and ties it to the image's instance, the link that makes rbdmap.service want it, and where systemd's own unit is
//! ordered as local, or there is none, the units of `as_netdev`.

use std::path::Path;

use super::as_netdev;
use super::file::{Folder, GeneratedFile};
use super::instance::quoted;
use super::row::{Made, Row};
use crate::config::fstab::FstabEntry;
use crate::plan::overlay;
use crate::unit::{self, escape_specifiers};

/// An entry with how it is served.
#[derive(Debug, Clone, Copy)]
pub struct Line<'a> {
    /// The entry.
    pub entry: &'a FstabEntry,
    /// The file that says it, as units name it.
    pub path: &'a Path,
    /// How it is served.
    pub row: Row,
    /// The instance of the image that is its source, if one is.
    pub instance: Option<&'a str>,
    /// Whether it stands on an image of ours, so that rbdmap.service has it mounted.
    pub is_ours: bool,
}

impl Line<'_> {
    /// The files of the entry.
    pub fn files(&self) -> Vec<GeneratedFile> {
        let start = self.row.start_unit(&self.entry.target);
        let mut files = vec![GeneratedFile::drop_in(&unit::mount(&self.entry.target), &self.drop_in())];
        if self.row.automount {
            files.push(GeneratedFile::drop_in(&start, &format!("[Unit]\n{}{AUTOMOUNT}", self.waited_for())));
        }
        match self.row.made {
            Made::Local => files.extend(as_netdev::units(self, Folder::Early)),
            Made::Nothing => files.extend(as_netdev::units(self, Folder::Normal)),
            Made::Remote | Made::Unordered => {}
        }
        if self.row.made == Made::Local && self.row.auto {
            files.extend(moved_to_remote(&start, self.row.nofail));
        }
        files
    }

    /// The dependencies say no more than systemd derives from `_netdev`, but they hold also when it forgets that: it reads
    /// the options of a mounted file system from the kernel and from utab, and a mount made by hand may have left no
    /// `_netdev` there; it would then order the unit as a local one, and stop it after the network.
    fn drop_in(&self) -> String {
        let mut text = "[Unit]\n".to_owned();
        if let Some(instance) = self.instance {
            text += "# The image is there before it is mounted, and until it is unmounted.\n";
            text += &format!("Requires={instance}\nAfter={instance}\n");
        }
        let layers = overlay::folders(self.entry.options.iter().map(String::as_str));
        let layers: Vec<String> = layers.iter().filter_map(|folder| quoted(&folder.to_string_lossy())).collect();
        if self.entry.fstype == "overlay" && !layers.is_empty() {
            text += "# What it is made of; systemd does not look into the options of an overlay.\n";
            text += &format!("RequiresMountsFor={}\n", layers.join(" "));
        }
        text += &self.order();
        let timeout = (!self.entry.has("x-systemd.mount-timeout")).then_some("TimeoutSec=30\n");
        let options = escape_specifiers(&as_netdev::options(self.entry));
        let options = (self.row.made == Made::Unordered).then(|| format!("Options={options}\n"));
        if timeout.is_some() || options.is_some() {
            // One umount and up to three time-outs, and all file systems of a chain one after the other.
            text += &format!("\n[Mount]\n{}{}", options.unwrap_or_default(), timeout.unwrap_or_default());
        }
        text
    }

    fn waited_for(&self) -> &'static str {
        if self.row.nofail || !self.is_ours { "" } else { "Before=rbdmap.service\n" }
    }

    fn order(&self) -> String {
        let waits = self.waited_for();
        let target = if self.row.nofail { "" } else { " remote-fs.target" };
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

/// It may lie in another mount of ours, and so must not be ordered as local.
const AUTOMOUNT: &str = "DefaultDependencies=no
Conflicts=umount.target
Before=umount.target
";

/// Takes a unit away from local-fs.target, without which there is no boot but the emergency shell, and gives it to
/// remote-fs.target, as systemd does for `_netdev`.
fn moved_to_remote(unit: &str, nofail: bool) -> [GeneratedFile; 2] {
    let kind = if nofail { "wants" } else { "requires" };
    [
        GeneratedFile::mask(Folder::Early, format!("local-fs.target.{kind}/{unit}")),
        GeneratedFile::hook(&format!("remote-fs.target.{kind}"), unit),
    ]
}
