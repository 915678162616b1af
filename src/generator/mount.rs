//! What is written for an fstab entry on an image: a drop-in that ties its mount unit to the image's instance, the link
//! that makes rbdmap.service want it, and for `noauto` alone the units of `as_netdev`.

use super::as_netdev;
use super::file::GeneratedFile;
use super::row::Row;
use crate::config::fstab::FstabEntry;
use crate::image::ImageSpec;
use crate::unit;

/// The files of one entry.
pub fn files(entry: &FstabEntry, spec: &ImageSpec, row: Row) -> Vec<GeneratedFile> {
    let mount = unit::mount(&entry.target);
    let mut files = vec![
        GeneratedFile::hook("rbdmap.service.wants", &mount),
        GeneratedFile::drop_in(&mount, &drop_in(entry, &unit::instance(spec))),
    ];
    if row == Row::NoAuto {
        files.extend(as_netdev::units(entry));
    }
    files
}

/// The dependencies say no more than systemd derives from `_netdev`, but they hold also when it forgets that: it reads the
/// options of a mounted file system from the kernel and from utab, and a mount made by hand may have left no
/// `_netdev` there; it would then order the unit as a local one, and stop it after the network.
fn drop_in(entry: &FstabEntry, instance: &str) -> String {
    let unit = format!(
        "[Unit]
# The image is there before it is mounted, and until it is unmounted.
Requires={instance}
After={instance}
Before=rbdmap.service
# On the network, whether or not the kernel remembers _netdev.
DefaultDependencies=no
Conflicts=umount.target
Before=umount.target remote-fs.target
After=remote-fs-pre.target network.target
"
    );
    if entry.has("x-systemd.mount-timeout") {
        return unit;
    }
    // systemd tries up to three times, and all file systems of a chain one after the other.
    format!("{unit}\n[Mount]\nTimeoutSec=30\n")
}
