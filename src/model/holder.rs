//! Who keeps a device busy, in words: what an administrator needs to end it. Who that is is found by `sys::holders`.

use std::fmt;

/// How many are named; the rest is counted.
const NAMED: usize = 5;

/// A process, as an administrator knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Process {
    /// Its number.
    pub pid: u32,
    /// Its name.
    pub command: String,
    /// Whose rights it has; `None` where it has gone meanwhile.
    pub user: Option<User>,
    /// systemd's unit that it belongs to.
    pub unit: Option<String>,
    /// It waits for a disk, where no signal reaches it (state D of ps(1)).
    pub waits_for_disk: bool,
}

/// A user of this machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    /// The number.
    pub uid: u32,
    /// The name, where passwd(5) has one.
    pub name: Option<String>,
}

/// Whoever keeps a device, or a file system on it, busy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Holder {
    /// A process that has a path open, runs or maps it, or stands in it.
    Process(Process, String),
    /// A mount namespace, of this process and maybe others, in which it is mounted there.
    Namespace(Process, String),
    /// A device made of it: dm-crypt, LVM, RAID, bcache. With its name for people.
    Device(String, Option<String>),
    /// A loop device of this file.
    Loop(String, String),
    /// Swap in this device or file.
    Swap(String),
    /// A file system of this type that is mounted nowhere any more, on this device: the kernel has not let go of it.
    FileSystem(String, String),
}

/// `NAME is in use by A, B and 3 more`.
pub fn describe(name: &str, holders: &[Holder]) -> String {
    if holders.is_empty() {
        return format!(
            "{name} is in use, but no process has it open: is it exported (NFS, iSCSI), or traced?"
        );
    }
    let mut named: Vec<String> = holders
        .iter()
        .take(NAMED)
        .map(ToString::to_string)
        .collect();
    if holders.len() > NAMED {
        named.push(format!("{} more", holders.len() - NAMED));
    }
    let last = named.pop().unwrap_or_default();
    let by = if named.is_empty() {
        last
    } else {
        format!("{} and {last}", named.join(", "))
    };
    format!("{name} is in use by {by}")
}

impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = match self {
            Self::Process(process, path) => format!("{}: {path})", process.opened()),
            Self::Namespace(process, target) => {
                format!(
                    "{}: mounted on {target} in a mount namespace of its own)",
                    process.opened()
                )
            }
            Self::Device(device, None) => format!("/dev/{device}"),
            Self::Device(device, Some(name)) => format!("/dev/{device} ({name})"),
            Self::Loop(device, file) => format!("/dev/{device} (loop device of {file})"),
            Self::FileSystem(kind, device) => {
                format!(
                    "the {kind} on {device}, which is unmounted but not written back yet (is the cluster there?)"
                )
            }
            Self::Swap(path) => format!("swap ({path}; `swapoff` ends it)"),
        };
        // Anybody may call a process or a file so that it ends the line, or drives the administrator's terminal.
        f.write_str(&text.replace(char::is_control, "?"))
    }
}

impl Process {
    /// `pid 812 (postgres, user postgres, postgresql.service`, to be continued and closed.
    fn opened(&self) -> String {
        let user = self
            .user
            .as_ref()
            .map(|user| format!(", user {user}"))
            .unwrap_or_default();
        let unit = self
            .unit
            .as_ref()
            .map(|unit| format!(", {unit}"))
            .unwrap_or_default();
        let waits = if self.waits_for_disk {
            ", waiting for a disk"
        } else {
            ""
        };
        format!("pid {} ({}{user}{unit}{waits}", self.pid, self.command)
    }
}

impl fmt::Display for User {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.name {
            Some(name) => f.write_str(name),
            None => self.uid.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn process(pid: u32, unit: Option<&str>) -> Process {
        let user = Some(User {
            uid: 26,
            name: Some("postgres".into()),
        });
        Process {
            pid,
            command: "postgres".into(),
            user,
            unit: unit.map(str::to_owned),
            waits_for_disk: false,
        }
    }

    #[test]
    fn holders_are_named_with_what_it_takes_to_end_them() {
        let rows = [
            (
                Holder::Process(
                    process(812, Some("postgresql.service")),
                    "/srv/db/base/1".into(),
                ),
                "/srv/db is in use by pid 812 (postgres, user postgres, postgresql.service: /srv/db/base/1)",
            ),
            (
                Holder::Process(process(9, None), "/srv/db".into()),
                "/srv/db is in use by pid 9 (postgres, user postgres: /srv/db)",
            ),
            (
                Holder::Namespace(process(9, Some("x.service")), "/srv/db".into()),
                "/srv/db is in use by pid 9 (postgres, user postgres, x.service: mounted on /srv/db in a mount namespace of its own)",
            ),
            (
                Holder::Device("dm-0".into(), Some("vg-data".into())),
                "/srv/db is in use by /dev/dm-0 (vg-data)",
            ),
            (
                Holder::Device("md0".into(), None),
                "/srv/db is in use by /dev/md0",
            ),
            (
                Holder::Loop("loop0".into(), "/srv/db/x".into()),
                "/srv/db is in use by /dev/loop0 (loop device of /srv/db/x)",
            ),
            (
                Holder::FileSystem("ext4".into(), "rbd0".into()),
                "/srv/db is in use by the ext4 on rbd0, which is unmounted but not written back yet (is the cluster there?)",
            ),
            (
                Holder::Swap("/dev/rbd0".into()),
                "/srv/db is in use by swap (/dev/rbd0; `swapoff` ends it)",
            ),
        ];
        for (holder, expected) in rows {
            assert_eq!(describe("/srv/db", &[holder]), expected);
        }
    }

    #[test]
    fn many_are_counted_and_none_is_said() {
        let many: Vec<Holder> = (1..=9)
            .map(|at| Holder::Device(format!("md{at}"), None))
            .collect();
        assert!(describe("/x", &many).ends_with("/dev/md4, /dev/md5 and 4 more"));
        assert!(describe("/x", &many[..2]).ends_with("by /dev/md1 and /dev/md2"));
        assert!(describe("/x", &[]).contains("no process has it open"));
    }

    #[test]
    fn a_process_says_as_much_as_is_known_and_stays_on_its_line() {
        let rows = [
            (None, false, "pid 9 (a?b: /x?[2J)"),
            (
                Some(User {
                    uid: 1003,
                    name: None,
                }),
                false,
                "pid 9 (a?b, user 1003: /x?[2J)",
            ),
            (
                Some(User {
                    uid: 0,
                    name: Some("root".into()),
                }),
                true,
                "pid 9 (a?b, user root, waiting for a disk: /x?[2J)",
            ),
        ];
        for (user, waits_for_disk, expected) in rows {
            let process = Process {
                command: "a\nb".into(),
                user,
                waits_for_disk,
                ..process(9, None)
            };
            assert_eq!(
                Holder::Process(process, "/x\x1b[2J".into()).to_string(),
                expected
            );
        }
    }
}
