//! What is written for swap on an image, or in a file on a mount of ours. systemd makes the unit, requires it in swap.target
//! unless it is `noauto`, and orders that before the network: so it is taken from there, and rbdmap.service wants it.

use std::path::Path;

use super::fstab_policy::MountPolicy;
use super::unit_file::{Folder, GeneratedFile};
use crate::model::fstab_entry::FstabEntry;
use crate::model::unit_name;

/// The files of one entry; `instance` where the image is its source.
pub fn files(entry: &FstabEntry, row: MountPolicy, instance: Option<&str>) -> Vec<GeneratedFile> {
    let unit = format!("{}.swap", unit_name::escape_path(&entry.device_node()));
    let mut text = "[Unit]\n".to_owned();
    if let Some(instance) = instance {
        text += &format!("Requires={instance}\nAfter={instance}\n");
    }
    if !row.nofail && row.auto {
        text += "Before=rbdmap.service\n";
    }
    text += "# Off before the network goes, and never on before it is there.
DefaultDependencies=no
Conflicts=umount.target
Before=umount.target
After=remote-fs-pre.target network.target
";
    let mut files = vec![GeneratedFile::drop_in(&unit, &text)];
    if row.auto {
        let kind = if row.nofail { "wants" } else { "requires" };
        files.push(GeneratedFile::mask(
            Folder::Early,
            format!("swap.target.{kind}/{unit}"),
        ));
    }
    files
}

/// Whether the source is a file below one of these mount points.
pub fn lies_on(entry: &FstabEntry, targets: &[&Path]) -> bool {
    let source = Path::new(&entry.source);
    !source.starts_with("/dev") && targets.iter().any(|target| source.starts_with(target))
}
