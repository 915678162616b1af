//! The settings of an fstab entry's unit that order it after its image's instance and before shutdown stops the network.
//! `mount_files` writes them into a drop-in, `netdev_units` into a replacement of systemd's unit.

use std::path::Path;

use super::fstab_policy::MountPolicy;
use super::unit_syntax::path_word;
use crate::model::fstab_entry::FstabEntry;
use crate::model::overlay_options;

/// An entry that stands on an image, and how it is served.
#[derive(Debug)]
pub struct MountUnit<'a> {
    /// The entry.
    pub entry: &'a FstabEntry,
    /// The file with the entry, as it is named in units.
    pub path: &'a Path,
    /// How it is served.
    pub policy: MountPolicy,
    /// The instance that maps the image that is its source, if one is.
    pub instance: Option<String>,
    /// Whether an image that we map carries it, so that rbdmap.service starts it.
    pub is_ours: bool,
}

impl MountUnit<'_> {
    /// Settings for `[Unit]`. The ordering is what systemd derives from `_netdev`.
    pub fn dependencies(&self) -> String {
        let mut text = String::new();
        if let Some(instance) = &self.instance {
            text += "# The image is there before it is mounted, and until it is unmounted.\n";
            text += &format!("Requires={instance}\nAfter={instance}\n");
        }
        let directories = self.overlay_directories();
        if !directories.is_empty() {
            text += "# What it is made of; systemd does not look into the options of an overlay.\n";
            text += &format!("RequiresMountsFor={}\n", directories.join(" "));
        }
        text + &self.ordering()
    }

    fn overlay_directories(&self) -> Vec<String> {
        if self.entry.fstype != "overlay" {
            return Vec::new();
        }
        let options = self.entry.options.iter().map(String::as_str);
        let directories = overlay_options::directories(options);
        directories
            .iter()
            .filter_map(|path| path_word(path))
            .collect()
    }

    fn ordering(&self) -> String {
        let boot = self.before_rbdmap_service();
        let target = if self.policy.nofail {
            ""
        } else {
            " remote-fs.target"
        };
        // systemd takes the options of a mounted file system from the kernel and from utab. After a mount by hand, neither
        // may have _netdev: systemd would order the unit as a local mount and stop it after the network.
        format!(
            "{boot}# On the network, whether or not the kernel remembers _netdev.
DefaultDependencies=no
Conflicts=umount.target
Before=umount.target{target}
After=remote-fs-pre.target network.target
"
        )
    }

    /// Settings for `[Mount]`.
    pub fn time_limit(&self) -> &'static str {
        if self.entry.has("x-systemd.mount-timeout") {
            return "";
        }
        // To stop a mount takes systemd up to three time-outs (umount, SIGTERM, SIGKILL), and it unmounts nested file systems one
        // after the other.
        "TimeoutSec=30\n"
    }

    /// Settings for `[Unit]` of the automount unit.
    pub fn automount_ordering(&self) -> String {
        // It may lie inside another mount of ours, so it must not have the ordering of a local mount.
        format!(
            "{}DefaultDependencies=no\nConflicts=umount.target\nBefore=umount.target\n",
            self.before_rbdmap_service()
        )
    }

    fn before_rbdmap_service(&self) -> &'static str {
        if self.policy.nofail || !self.is_ours {
            ""
        } else {
            "Before=rbdmap.service\n"
        }
    }
}
