//! Which fstab entries are served, and how: decided by their options alone.
//!
//! `noauto` and `noauto,_netdev` are. The others are refused with a reason that says what to write instead. Where an
//! option and its opposite are both there, the last counts, as for systemd.

use std::path::Path;

use crate::config::fstab::FstabEntry;

/// How an entry is served.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Row {
    /// systemd's unit would be ordered as local: replaced, see `as_netdev`.
    NoAuto,
    /// systemd's unit is ordered as remote: a drop-in is enough.
    NoAutoNetdev,
}

/// Options of systemd's own that a unit in the early folder can honour, or that systemd honours without the unit.
const SERVED_EARLY: &[&str] = &[
    "x-systemd.after",
    "x-systemd.before",
    "x-systemd.device-timeout",
    "x-systemd.growfs",
    "x-systemd.makefs",
    "x-systemd.mount-timeout",
    "x-systemd.required-by",
    "x-systemd.requires",
    "x-systemd.requires-mounts-for",
    "x-systemd.rw-only",
    "x-systemd.wanted-by",
];

/// Options for which newer systemd makes units of their own, ordered as the mount is.
const QUOTA: &[&str] = &["quota", "usrquota", "grpquota", "usrjquota", "grpjquota"];

impl Row {
    /// The row of an entry, or why it has none yet.
    pub fn of(entry: &FstabEntry) -> Result<Self, String> {
        if entry.fstype == "swap" {
            return Err("swap on an image is not served yet; remove the line".to_owned());
        }
        if !entry.target.is_absolute() || entry.target == Path::new("/") {
            return Err("only mount points below / are served; choose one".to_owned());
        }
        if !last_of(entry, "noauto", "auto") {
            return Err("lines without noauto are not served yet; add noauto, and rbdmap.service mounts it".to_owned());
        }
        if last_of(entry, "nofail", "fail") {
            return Err("nofail is not served yet; remove it".to_owned());
        }
        if entry.has("x-systemd.automount") || entry.options.iter().any(|option| option == "comment=systemd.automount")
        {
            return Err("x-systemd.automount is not served yet; remove it, and rbdmap.service mounts it".to_owned());
        }
        if entry.has("_netdev") {
            return Ok(Self::NoAutoNetdev);
        }
        let early_only = ["x-initrd.mount"].iter().chain(QUOTA).find(|option| entry.has(option)).copied();
        match early_only.or_else(|| entry.options.iter().find_map(|option| unserved_early(option))) {
            Some(option) => Err(format!("{option} is not served without _netdev; add _netdev")),
            None => writable(entry).map(|()| Self::NoAuto),
        }
    }
}

/// Whether `yes` is there and no `no` after it.
fn last_of(entry: &FstabEntry, yes: &str, no: &str) -> bool {
    entry.options.iter().rfind(|option| *option == yes || *option == no).is_some_and(|option| option == yes)
}

/// The name of an option for systemd that is unknown here, or whose value is not one that units can depend on.
fn unserved_early(option: &str) -> Option<&str> {
    let (name, value) = option.split_once('=').unwrap_or((option, ""));
    let is_dependency = ["x-systemd.after", "x-systemd.before", "x-systemd.requires"].contains(&name);
    let is_path = value.starts_with('/') && !value.contains(char::is_whitespace);
    let unknown = name.starts_with("x-systemd.") && !SERVED_EARLY.contains(&name);
    let unusable = is_dependency && !is_path && !is_unit_name(value);
    let unreadable = name == "x-systemd.requires-mounts-for" && !is_path;
    (unknown || unusable || unreadable).then_some(name)
}

/// A whole name of a unit, which needs no completion.
fn is_unit_name(value: &str) -> bool {
    let suffixes = ["service", "mount", "target", "socket", "device", "path", "timer", "swap", "slice", "automount"];
    let allowed = |c: char| c.is_ascii_alphanumeric() || r":-_.\@".contains(c);
    let (name, suffix) = value.rsplit_once('.').unwrap_or_default();
    !name.is_empty() && suffixes.contains(&suffix) && value.chars().all(allowed)
}

/// A line break in a field (`\012`) would begin a line of the unit, and a backslash at its end would join two.
fn writable(entry: &FstabEntry) -> Result<(), String> {
    let target = entry.target.to_string_lossy();
    let bad = |text: &str| {
        text.ends_with('\\') || text.contains(|c: char| c.is_control() || c == char::REPLACEMENT_CHARACTER)
    };
    let options = entry.option_string();
    match [entry.source.as_str(), &target, &entry.fstype, &options].into_iter().find(|text| bad(text)) {
        Some(text) => Err(format!("{text:?} cannot be written into a unit; use another name")),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(options: &str) -> FstabEntry {
        FstabEntry {
            source: "/dev/rbd/rbd/a".into(),
            target: "/a".into(),
            fstype: "xfs".into(),
            options: options.split(',').map(str::to_owned).collect(),
            pass: 0,
        }
    }

    #[test]
    fn rows_are_told_by_their_options() {
        let rows = [
            ("noauto", Ok(Row::NoAuto)),
            ("rw,noauto,noatime", Ok(Row::NoAuto)),
            ("auto,noauto", Ok(Row::NoAuto)),
            ("noauto,_netdev", Ok(Row::NoAutoNetdev)),
            ("_netdev,noauto,x-systemd.anything-new", Ok(Row::NoAutoNetdev)),
            ("noauto,nofail,fail", Ok(Row::NoAuto)),
            ("noauto,x-systemd.requires=a@b.service,x-systemd.after=/srv/x", Ok(Row::NoAuto)),
            ("defaults", Err("add noauto")),
            ("noauto,auto", Err("add noauto")),
            ("_netdev,nofail", Err("add noauto")),
            ("noauto,nofail", Err("remove it")),
            ("noauto,_netdev,x-systemd.automount", Err("automount")),
            ("noauto,comment=systemd.automount", Err("automount")),
            ("noauto,x-systemd.pcrfs", Err("x-systemd.pcrfs is not served without _netdev; add _netdev")),
            ("noauto,x-systemd.requires=a", Err("x-systemd.requires is not served without _netdev")),
            ("noauto,x-systemd.requires=", Err("x-systemd.requires is not served without _netdev")),
            ("noauto,usrquota", Err("usrquota is not served without _netdev")),
            ("noauto,x=\n[Service]", Err("cannot be written into a unit")),
        ];
        for (options, expected) in rows {
            match (Row::of(&entry(options)), expected) {
                (Ok(row), Ok(expected)) => assert_eq!(row, expected, "{options}"),
                (Err(reason), Err(expected)) => assert!(reason.contains(expected), "{options}: {reason}"),
                (found, _) => panic!("{options}: {found:?}"),
            }
        }
    }

    #[test]
    fn swap_and_the_root_are_refused() {
        let swap = FstabEntry { fstype: "swap".into(), target: "none".into(), ..entry("noauto") };
        let root = FstabEntry { target: "/".into(), ..entry("noauto") };
        assert!(Row::of(&swap).is_err() && Row::of(&root).is_err());
    }
}
