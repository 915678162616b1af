//! How an fstab entry is served, decided by its options alone: what systemd's own generator makes of it, whether boot mounts
//! it, and whether boot waits for it. Where an option and its opposite are both there, the last counts, as for systemd.

use std::path::Path;

use crate::model::fstab_entry::FstabEntry;
use crate::model::unit_name;

/// What systemd's own generator has made of an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SystemdUnit {
    /// A unit ordered as remote: a drop-in is enough.
    Remote,
    /// A unit without an order of its own (`noauto,nofail`): a drop-in is enough, with `_netdev`.
    Unordered,
    /// A unit ordered as local, which no drop-in can take back: replaced, see `as_netdev`.
    Local,
    /// Nothing: our settings declare it.
    Nothing,
}

/// How an entry is served.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MountPolicy {
    /// What there is.
    pub made: SystemdUnit,
    /// Without `noauto`: a target of systemd's wants it as well.
    pub auto: bool,
    /// Boot does not wait for it.
    pub nofail: bool,
    /// Mounted when somebody comes by.
    pub automount: bool,
}

/// Types of file systems that systemd takes for remote by themselves (systemd `src/basic/mount-util.c`, fstype_is_network).
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

/// Options of systemd's own that a unit in the early folder can honour, or that systemd honours without the unit.
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

/// Options that are served in fstab, by systemd's generator, and not in our settings.
const FSTAB_ONLY: &[&str] = &[
    "x-systemd.growfs",
    "x-systemd.makefs",
    "x-systemd.required-by",
    "x-systemd.wanted-by",
    "x-systemd.device-timeout",
];

impl MountPolicy {
    /// The row of an entry, or why it has none. `declared`: our settings have it, not fstab.
    pub fn of(entry: &FstabEntry, declared: bool) -> Result<Self, String> {
        let automount = entry.has("x-systemd.automount")
            || entry
                .options
                .iter()
                .any(|option| option == "comment=systemd.automount");
        // An automount is always wanted.
        let auto = automount || !entry.is_enabled("noauto", "auto");
        let row = |made| Self {
            made,
            auto,
            nofail: entry.is_nofail(),
            automount,
        };
        if entry.has("x-initrd.mount") {
            return Err(
                "x-initrd.mount is the initrd's, where images are not mapped; remove it".to_owned(),
            );
        }
        if declared {
            let other = FSTAB_ONLY.iter().find(|option| entry.has(option));
            return match other {
                Some(option) => Err(format!(
                    "{option} is served in fstab only; write the mount there"
                )),
                None => writable(entry).map(|()| Self {
                    auto: false,
                    ..row(SystemdUnit::Nothing)
                }),
            };
        }
        let made = match row(SystemdUnit::Local) {
            _ if entry.fstype == "swap" => SystemdUnit::Local,
            _ if is_remote(entry) => SystemdUnit::Remote,
            Self {
                auto: false,
                nofail: true,
                ..
            } => SystemdUnit::Unordered,
            _ => SystemdUnit::Local,
        };
        if made != SystemdUnit::Remote {
            writable(entry)?;
        }
        Ok(row(made))
    }
}

impl MountPolicy {
    /// The unit that is started to have the entry mounted on `target`: the automount, if it has one.
    pub fn start_unit(&self, target: &Path) -> String {
        let kind = if self.automount { "automount" } else { "mount" };
        format!("{}.{kind}", unit_name::escape_path(target))
    }
}

/// Options of systemd's for which there is nothing in a unit of the early folder.
pub fn lost_options(entry: &FstabEntry) -> Vec<&str> {
    entry
        .options
        .iter()
        .filter_map(|option| unserved_early(option))
        .collect()
}

fn is_remote(entry: &FstabEntry) -> bool {
    let fstype = entry.fstype.strip_prefix("fuse.").unwrap_or(&entry.fstype);
    entry.has("_netdev") || NETWORK_TYPES.contains(&fstype)
}

/// The name of an option for systemd that is unknown here, or whose value is not one that units can depend on.
fn unserved_early(option: &str) -> Option<&str> {
    let (name, value) = option.split_once('=').unwrap_or((option, ""));
    let is_dependency =
        ["x-systemd.after", "x-systemd.before", "x-systemd.requires"].contains(&name);
    let is_path = value.starts_with('/') && !value.contains(char::is_whitespace);
    let unknown = name.starts_with("x-systemd.") && !SERVED_EARLY.contains(&name);
    let unusable = is_dependency && !is_path && !is_unit_name(value);
    let unreadable = name == "x-systemd.requires-mounts-for" && !is_path;
    (unknown || unusable || unreadable).then_some(name)
}

/// A whole name of a unit, which needs no completion.
pub fn is_unit_name(value: &str) -> bool {
    let suffixes = [
        "service",
        "mount",
        "target",
        "socket",
        "device",
        "path",
        "timer",
        "swap",
        "slice",
        "automount",
    ];
    let allowed = |c: char| c.is_ascii_alphanumeric() || r":-_.\@".contains(c);
    let (name, suffix) = value.rsplit_once('.').unwrap_or_default();
    !name.is_empty() && suffixes.contains(&suffix) && value.chars().all(allowed)
}

/// A line break in a field (`\012`) would begin a line of the unit, and a backslash at its end would join two.
fn writable(entry: &FstabEntry) -> Result<(), String> {
    let target = entry.target.to_string_lossy();
    let bad = |text: &str| {
        text.ends_with('\\')
            || text.contains(|c: char| c.is_control() || c == char::REPLACEMENT_CHARACTER)
    };
    let options = entry.option_string();
    match [entry.source.as_str(), &target, &entry.fstype, &options]
        .into_iter()
        .find(|text| bad(text))
    {
        Some(text) => Err(format!(
            "{text:?} cannot be written into a unit; use another name"
        )),
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
            path: "/etc/fstab".into(),
            declared_in: crate::model::fstab_entry::FstabSource::Fstab,
        }
    }

    fn row(made: SystemdUnit, letters: &str) -> MountPolicy {
        let has = |letter| letters.contains(letter);
        MountPolicy {
            made,
            auto: has('a'),
            nofail: has('n'),
            automount: has('m'),
        }
    }

    #[test]
    fn rows_are_told_by_their_options() {
        let rows = [
            ("noauto", row(SystemdUnit::Local, "")),
            ("rw,noauto,noatime", row(SystemdUnit::Local, "")),
            ("auto,noauto", row(SystemdUnit::Local, "")),
            ("noauto,_netdev", row(SystemdUnit::Remote, "")),
            (
                "_netdev,noauto,x-systemd.anything-new",
                row(SystemdUnit::Remote, ""),
            ),
            ("noauto,nofail,fail", row(SystemdUnit::Local, "")),
            ("noauto,nofail", row(SystemdUnit::Unordered, "n")),
            (
                "noauto,nofail,x-systemd.automount",
                row(SystemdUnit::Local, "anm"),
            ),
            ("defaults", row(SystemdUnit::Local, "a")),
            ("nofail", row(SystemdUnit::Local, "an")),
            ("_netdev,nofail", row(SystemdUnit::Remote, "an")),
            (
                "noauto,_netdev,x-systemd.automount",
                row(SystemdUnit::Remote, "am"),
            ),
            (
                "noauto,comment=systemd.automount",
                row(SystemdUnit::Local, "am"),
            ),
        ];
        for (options, expected) in rows {
            assert_eq!(
                MountPolicy::of(&entry(options), false),
                Ok(expected),
                "{options}"
            );
        }
        let nfs = FstabEntry {
            fstype: "nfs".into(),
            ..entry("defaults")
        };
        assert_eq!(
            MountPolicy::of(&nfs, false),
            Ok(row(SystemdUnit::Remote, "a"))
        );
        assert_eq!(
            MountPolicy::of(&entry("defaults,_netdev"), true),
            Ok(row(SystemdUnit::Nothing, ""))
        );
    }

    #[test]
    fn what_cannot_be_served_is_told_with_the_remedy() {
        let rows = [
            ("noauto,x-initrd.mount", false, "remove it"),
            (
                "noauto,x=\n[Service]",
                false,
                "cannot be written into a unit",
            ),
            ("_netdev,x-systemd.makefs", true, "write the mount there"),
        ];
        for (options, declared, expected) in rows {
            let reason = MountPolicy::of(&entry(options), declared).unwrap_err();
            assert!(reason.contains(expected), "{options}: {reason}");
        }
    }

    #[test]
    fn options_that_only_systemds_own_unit_would_honour_are_named() {
        let rows = [
            ("noauto,x-systemd.pcrfs", &["x-systemd.pcrfs"][..]),
            ("noauto,x-systemd.requires=a", &["x-systemd.requires"]),
            (
                "noauto,x-systemd.requires=a@b.service,x-systemd.after=/srv/x,x-systemd.makefs",
                &[],
            ),
        ];
        for (options, expected) in rows {
            assert_eq!(lost_options(&entry(options)), expected, "{options}");
        }
    }
}
