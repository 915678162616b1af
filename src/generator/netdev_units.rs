//! The units that systemd-fstab-generator would make for an entry if it had `_netdev`.
//!
//! For the entry as it is written, that generator makes units ordered before local-fs.target. Together with the ordering after
//! the network they form a cycle, and no drop-in can remove an ordering. So the units here override them completely. What
//! `_netdev` does not change (links to the makefs unit and for wanted-by=, device-timeout=) still comes from systemd. For the
//! mounts that our settings declare, there are only the units here.
//!
//! The text is line by line that of systemd 252, followed by the settings of `mount_unit`, with three differences: the growfs
//! unit has `%f` for the mount point, where systemd's text breaks at a blank; a time-out is written as in fstab; and one
//! drop-in covers all devices below /dev/rbd, where systemd writes one for each (`device_units`).

use std::path::Path;

use super::fstab_policy::SystemdUnit;
use super::mount_unit::MountUnit;
use super::unit_file::{GeneratedFile, UnitDirectory};
use super::unit_syntax::{is_unit_name, setting};
use crate::model::fstab_entry::FstabEntry;
use crate::model::unit_name::{self, escape_path, escape_specifiers};

/// The mount unit, the automount unit, and the units that grow the file system. `MountPolicy` has ensured that the entry can
/// be written into a unit.
pub fn units(unit: &MountUnit, directory: UnitDirectory) -> Vec<GeneratedFile> {
    let entry = unit.entry;
    let mount = unit_name::mount(&entry.target);
    let mut files = vec![GeneratedFile::text(directory, mount, &mount_text(unit))];
    // systemd's own automount unit has no ordering to remove, so a drop-in is sufficient for it.
    if unit.policy.automount && unit.policy.systemd_unit == SystemdUnit::Missing {
        let automount = unit.policy.start_unit(&entry.target);
        let text = automount_text(unit);
        files.push(GeneratedFile::text(directory, automount, &text));
    }
    if entry.has("x-systemd.growfs") {
        files.extend(growfs(&escape_path(&entry.target)));
    }
    files
}

/// Whether the entry is mounted from a device node.
pub fn is_device(entry: &FstabEntry) -> bool {
    entry.device_node().starts_with("/dev")
}

fn mount_text(unit: &MountUnit) -> String {
    let entry = unit.entry;
    let fstype = Some(entry.fstype.as_str());
    let fstype = fstype.filter(|fstype| !fstype.is_empty() && *fstype != "auto");
    let timeout = entry.value("x-systemd.mount-timeout");
    let read_write_only = entry.has("x-systemd.rw-only").then_some("yes");
    format!(
        "{}{}{}{}{}
[Mount]
What={}
Where={}
{}{}{}Options={}
{}",
        head(unit),
        dependencies(entry),
        file_system_check(entry),
        device_preparation(entry),
        unit.dependencies(),
        escape_specifiers(&entry.device_node().to_string_lossy()),
        escape_specifiers(&entry.target.to_string_lossy()),
        setting("Type", fstype),
        setting("TimeoutSec", timeout),
        unit.time_limit(),
        escape_specifiers(&options(entry)),
        setting("ReadWriteOnly", read_write_only),
    )
}

fn automount_text(unit: &MountUnit) -> String {
    let target = escape_specifiers(&unit.entry.target.to_string_lossy());
    let idle_timeout = unit.entry.value("x-systemd.idle-timeout");
    format!(
        "{}{}\n[Automount]\nWhere={target}\n{}",
        head(unit),
        unit.automount_ordering(),
        setting("TimeoutIdleSec", idle_timeout)
    )
}

fn head(unit: &MountUnit) -> String {
    let path = unit.path.display();
    format!(
        "[Unit]\nDocumentation=man:fstab(5) man:systemd-fstab-generator(8)\nSourcePath={path}\n"
    )
}

/// What the `x-systemd.` options request, in the order in which systemd writes it.
fn dependencies(entry: &FstabEntry) -> String {
    let after = units_in(entry, "x-systemd.after");
    let requires = units_in(entry, "x-systemd.requires");
    let before = units_in(entry, "x-systemd.before");
    let paths = values(entry, "x-systemd.requires-mounts-for").join(" ");
    let paths = Some(paths.as_str()).filter(|paths| !paths.is_empty());
    [
        setting("After", after.as_deref()),
        setting("After", requires.as_deref()),
        setting("Requires", requires.as_deref()),
        setting("Before", before.as_deref()),
        setting("RequiresMountsFor", paths),
    ]
    .concat()
}

/// The units that the values of an option name, separated by blanks.
fn units_in(entry: &FstabEntry, option: &str) -> Option<String> {
    let mut names = values(entry, option);
    names.retain(|name| name.starts_with('/') || is_unit_name(name));
    let units: Vec<String> = names.into_iter().map(unit_for).collect();
    (!units.is_empty()).then(|| units.join(" "))
}

/// A unit's name unchanged; for a path, the unit of its device or mount.
fn unit_for(name: &str) -> String {
    let path = Path::new(name);
    if path.starts_with("/dev") {
        unit_name::device(path)
    } else if path.is_absolute() {
        unit_name::mount(path)
    } else {
        name.to_owned()
    }
}

/// Every value of an option that may occur several times.
fn values<'a>(entry: &'a FstabEntry, option: &str) -> Vec<&'a str> {
    entry
        .options
        .iter()
        .filter_map(|text| text.strip_prefix(option)?.strip_prefix('='))
        .collect()
}

fn file_system_check(entry: &FstabEntry) -> String {
    // systemd omits this if no fsck program exists for the type. systemd-fsck looks for it as well, and succeeds without.
    if entry.pass == 0 || !is_device(entry) {
        return String::new();
    }
    let check = format!("systemd-fsck@{}.service", escape_path(&entry.device_node()));
    // /usr stays mounted until the end, so it must not be stopped together with its check.
    let needs = if entry.target == Path::new("/usr") {
        "Wants"
    } else {
        "Requires"
    };
    format!("{needs}={check}\nAfter={check}\n")
}

/// Orders the mount after what prepares the device, such as makefs.
fn device_preparation(entry: &FstabEntry) -> String {
    if !is_device(entry) {
        return String::new();
    }
    let device = escape_path(&entry.device_node());
    format!("After=blockdev@{device}.target\n")
}

/// The options with `_netdev`, and without the time-out of the device, which belongs to the device unit.
pub fn options(entry: &FstabEntry) -> String {
    let mut options: Vec<&str> = entry.options.iter().map(String::as_str).collect();
    // systemd-fstab-generator removes both spellings as well.
    options.retain(|option| {
        !option.starts_with("x-systemd.device-timeout=")
            && !option.starts_with("comment=systemd.device-timeout=")
    });
    if !entry.has("_netdev") {
        options.push("_netdev");
    }
    options.join(",")
}

/// The unit that grows the file system, which systemd up to 253 writes for each mount, and a mask for the drop-in with which
/// later versions order local-fs.target after it.
fn growfs(mount: &str) -> [GeneratedFile; 2] {
    let unit = format!("systemd-growfs@{mount}.service");
    let ordering = format!("local-fs.target.d/50-order-{unit}.conf");
    [
        GeneratedFile::text(UnitDirectory::Early, unit, GROWFS),
        GeneratedFile::mask(UnitDirectory::Early, ordering),
    ]
}

const GROWFS: &str = "[Unit]
Description=Grow File System on %f
Documentation=man:systemd-growfs@.service(8)
DefaultDependencies=no
BindsTo=%i.mount
Conflicts=shutdown.target
After=systemd-repart.service %i.mount
Before=shutdown.target remote-fs.target

[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/lib/systemd/systemd-growfs %f
TimeoutSec=0
";
