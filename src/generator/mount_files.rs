//! For an fstab entry that is not ordered as remote, the units that systemd-fstab-generator would have made of it
//! with `_netdev`.
//!
//! That generator makes them of the entry as it is, ordered before local-fs.target, where they close a circle with the
//! network. No drop-in can take an ordering back, so these override them as a whole; what it makes the same either
//! way (the links to its makefs unit and to wanted-by= units, device-timeout=) is left to it. Of the mounts that our
//! settings declare it knows nothing: for them these are all there is.
//!
//! Line by line this is what systemd 252 writes, and what `mount` says of every mount, with three differences: `%f` for the
//! mount point in the growfs unit, where systemd's text breaks at a blank; a time-out in the administrator's own words; and
//! one drop-in for all devices below /dev/rbd, where systemd writes one for each.

use std::path::Path;

use super::fstab_policy::{SystemdUnit, is_unit_name};
use super::mount_unit::MountUnit;
use super::unit_file::{Folder, GeneratedFile};
use crate::model::fstab_entry::FstabEntry;
use crate::model::unit_name::{self, escape_path, escape_specifiers};

/// The mount unit, that of the automount, and what growing needs; the device's drop-in is `device`'s. The entry has been found writable
/// by `Row::of`.
pub fn units(line: &MountUnit, folder: Folder) -> Vec<GeneratedFile> {
    let entry = line.entry;
    let mut files = vec![GeneratedFile::text(
        folder,
        unit_name::mount(&entry.target),
        &mount_text(line),
    )];
    // An automount has no order that would have to be taken back.
    if line.row.automount && line.row.made == SystemdUnit::Nothing {
        files.push(GeneratedFile::text(
            folder,
            line.row.start_unit(&entry.target),
            &automount_text(line),
        ));
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

fn mount_text(line: &MountUnit) -> String {
    let entry = line.entry;
    let fstype =
        Some(entry.fstype.as_str()).filter(|fstype| !fstype.is_empty() && *fstype != "auto");
    let timeout = entry.value("x-systemd.mount-timeout");
    let read_write_only = entry.has("x-systemd.rw-only").then_some("yes");
    let node = entry.device_node();
    let device = escape_path(&node);
    let prepared = if is_device(entry) {
        format!("After=blockdev@{device}.target\n")
    } else {
        String::new()
    };
    format!(
        "{}{}{}{prepared}{}
[Mount]
What={}
Where={}
{}{}{}Options={}
{}",
        head(line),
        dependencies(entry),
        file_system_check(entry),
        line.dependencies(),
        escape_specifiers(&node.to_string_lossy()),
        escape_specifiers(&entry.target.to_string_lossy()),
        setting("Type", fstype),
        setting("TimeoutSec", timeout),
        line.time_limit(),
        escape_specifiers(&options(entry)),
        setting("ReadWriteOnly", read_write_only),
    )
}

fn automount_text(line: &MountUnit) -> String {
    let target = escape_specifiers(&line.entry.target.to_string_lossy());
    let idle = line.entry.value("x-systemd.idle-timeout");
    format!(
        "{}{}\n[Automount]\nWhere={target}\n{}",
        head(line),
        line.order_of_automount(),
        setting("TimeoutIdleSec", idle)
    )
}

fn head(line: &MountUnit) -> String {
    let path = line.path.display();
    format!(
        "[Unit]\nDocumentation=man:fstab(5) man:systemd-fstab-generator(8)\nSourcePath={path}\n"
    )
}

/// What the `x-systemd.` options ask for, in systemd's order.
fn dependencies(entry: &FstabEntry) -> String {
    let units = |option| -> Option<String> {
        let usable = |value: &&str| value.starts_with('/') || is_unit_name(value);
        let units: Vec<String> = values(entry, option)
            .into_iter()
            .filter(usable)
            .map(unit_name)
            .collect();
        (!units.is_empty()).then(|| units.join(" "))
    };
    let requires = units("x-systemd.requires");
    let paths = values(entry, "x-systemd.requires-mounts-for").join(" ");
    [
        setting("After", units("x-systemd.after").as_deref()),
        setting("After", requires.as_deref()),
        setting("Requires", requires.as_deref()),
        setting("Before", units("x-systemd.before").as_deref()),
        setting(
            "RequiresMountsFor",
            Some(paths.as_str()).filter(|paths| !paths.is_empty()),
        ),
    ]
    .concat()
}

/// systemd leaves these out where there is no fsck for the type; systemd-fsck looks for itself and is content.
fn file_system_check(entry: &FstabEntry) -> String {
    if entry.pass == 0 || !is_device(entry) {
        return String::new();
    }
    let check = format!("systemd-fsck@{}.service", escape_path(&entry.device_node()));
    // /usr is never unmounted, so it must not go when its check does.
    let needs = if entry.target == Path::new("/usr") {
        "Wants"
    } else {
        "Requires"
    };
    format!("{needs}={check}\nAfter={check}\n")
}

/// The options less the device's time-out, which is the device's, and with `_netdev`.
pub fn options(entry: &FstabEntry) -> String {
    let of_the_device = |option: &str| {
        option.starts_with("x-systemd.device-timeout=")
            || option.starts_with("comment=systemd.device-timeout=")
    };
    let netdev = (!entry.has("_netdev")).then_some("_netdev");
    let kept = entry
        .options
        .iter()
        .map(String::as_str)
        .filter(|option| !of_the_device(option));
    kept.chain(netdev).collect::<Vec<_>>().join(",")
}

/// The unit that grows the file system (systemd up to 253 writes it as a whole), and the drop-in by which later ones
/// order local-fs.target after it, taken away.
fn growfs(mount: &str) -> [GeneratedFile; 2] {
    let unit = format!("systemd-growfs@{mount}.service");
    let order = format!("local-fs.target.d/50-order-{unit}.conf");
    [
        GeneratedFile::text(Folder::Early, unit, GROWFS),
        GeneratedFile::mask(Folder::Early, order),
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

/// Every value of an option that may be there more than once.
fn values<'a>(entry: &'a FstabEntry, option: &str) -> Vec<&'a str> {
    entry
        .options
        .iter()
        .filter_map(|text| text.strip_prefix(option)?.strip_prefix('='))
        .collect()
}

/// A unit's name as it is, a path as the unit of its device or mount.
fn unit_name(value: &str) -> String {
    match Path::new(value) {
        path if path.starts_with("/dev") => unit_name::device(path),
        path if path.is_absolute() => unit_name::mount(path),
        _ => value.to_owned(),
    }
}

/// A line of a unit file, if there is a value.
fn setting(key: &str, value: Option<&str>) -> String {
    value.map_or_else(String::new, |value| {
        format!("{key}={}\n", escape_specifiers(value))
    })
}
