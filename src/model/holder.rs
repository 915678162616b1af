//! What keeps a device in use, in words that an administrator can act on. `sys::holders` finds it.

use std::fmt;

/// The number of holders that a sentence names; the others are counted.
const NAMED_MAX: usize = 5;

/// A process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Process {
    /// The process ID.
    pub pid: u32,
    /// The name of its program (proc_pid_comm(5)).
    pub command: String,
    /// Its effective user; `None` if the process has ended meanwhile.
    pub user: Option<User>,
    /// The unit that it belongs to.
    pub unit: Option<String>,
    /// Whether it is in state D (ps(1)): it waits for a disk, and no signal reaches it.
    pub waits_for_disk: bool,
}

/// A user of this machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    /// The user ID.
    pub uid: u32,
    /// The name in passwd(5), if there is one.
    pub name: Option<String>,
}

/// Something that keeps a device, or a file system on it, in use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Holder {
    /// A process that has opened, runs or maps this path, or has it as its current directory.
    Process(Process, String),
    /// A process in another mount namespace, in which the file system is mounted on this path.
    Namespace(Process, String),
    /// A device on top of it (dm-crypt, LVM, RAID, bcache), and the device's name if it has one.
    Device(String, Option<String>),
    /// A loop device, and the file behind it.
    Loop(String, String),
    /// Swap on this device or file.
    Swap(String),
    /// A file system of this type on this device that is no longer mounted. The kernel has not released the device yet.
    FileSystem(String, String),
}

/// The sentence `NAME is in use by A, B and 3 more`.
pub fn describe(name: &str, holders: &[Holder]) -> String {
    if holders.is_empty() {
        return format!(
            "{name} is in use, but no process has it open; check for exports (NFS, iSCSI) and tracers"
        );
    }
    let mut named: Vec<String> = holders
        .iter()
        .take(NAMED_MAX)
        .map(ToString::to_string)
        .collect();
    if holders.len() > NAMED_MAX {
        named.push(format!("{} more", holders.len() - NAMED_MAX));
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
                    "the {kind} on {device}, which is unmounted but not yet written back (check that the cluster is reachable)"
                )
            }
            Self::Swap(path) => format!("swap ({path}; `swapoff` ends it)"),
        };
        // Any user can put control characters into the names of processes and files: they would break the line, or control the
        // administrator's terminal.
        f.write_str(&text.replace(char::is_control, "?"))
    }
}

impl Process {
    /// The start of a description, `pid 812 (postgres, user postgres, postgresql.service`. The caller continues it and closes
    /// the parenthesis.
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
    fn a_holder_is_described_with_what_an_administrator_needs_to_stop_it() {
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
                "/srv/db is in use by the ext4 on rbd0, which is unmounted but not yet written back (check that the cluster is reachable)",
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
    fn a_sentence_names_five_holders_and_counts_the_others() {
        let many: Vec<Holder> = (1..=9)
            .map(|at| Holder::Device(format!("md{at}"), None))
            .collect();
        assert!(describe("/x", &many).ends_with("/dev/md4, /dev/md5 and 4 more"));
        assert!(describe("/x", &many[..2]).ends_with("by /dev/md1 and /dev/md2"));
        assert!(describe("/x", &[]).contains("no process has it open"));
    }

    #[test]
    fn a_process_is_described_as_far_as_it_is_known_without_control_characters() {
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
