//! The drop-in of the unit for swap on an image, or in a file on a mount of ours.
//!
//! systemd makes the unit, lets swap.target require it unless it is `noauto`, and orders swap.target before the network. So
//! swap.target no longer requires it, and rbdmap.service wants it instead.

use std::path::Path;

use super::fstab_policy::MountPolicy;
use super::unit_file::{GeneratedFile, UnitDirectory};
use crate::model::fstab_entry::FstabEntry;
use crate::model::unit_name;

/// The name of the entry's unit.
pub fn unit_for(entry: &FstabEntry) -> String {
    format!("{}.swap", unit_name::escape_path(&entry.device_node()))
}

/// The files of an entry. `instance` maps the image that is its source, if one is.
pub fn files(
    entry: &FstabEntry,
    policy: MountPolicy,
    instance: Option<&str>,
) -> Vec<GeneratedFile> {
    let unit = unit_for(entry);
    let mut text = "[Unit]\n".to_owned();
    if let Some(instance) = instance {
        text += &format!("Requires={instance}\nAfter={instance}\n");
    }
    if !policy.nofail && policy.auto {
        text += "Before=rbdmap.service\n";
    }
    text += "# Off before the network goes, and never on before it is there.
DefaultDependencies=no
Conflicts=umount.target
Before=umount.target
After=remote-fs-pre.target network.target
";
    let mut files = vec![GeneratedFile::drop_in(&unit, &text)];
    if policy.auto {
        let kind = if policy.nofail { "wants" } else { "requires" };
        let link = format!("swap.target.{kind}/{unit}");
        files.push(GeneratedFile::mask(UnitDirectory::Early, link));
    }
    files
}

/// Whether the source is a file below one of these mount points.
pub fn is_file_below(entry: &FstabEntry, targets: &[&Path]) -> bool {
    let source = Path::new(&entry.source);
    !source.starts_with("/dev") && targets.iter().any(|target| source.starts_with(target))
}
