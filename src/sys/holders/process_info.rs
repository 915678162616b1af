//! Describes a process for administrators, from /proc and /etc/passwd.

use std::cell::OnceCell;

use crate::model::holder::{Process, User};
use crate::runtime::root::Root;
use crate::sys::file::read_if_there;

/// Reads what is known of processes.
pub struct ProcessReader<'a> {
    root: &'a Root,
    /// The text of passwd(5), from the first process that is described.
    passwd: OnceCell<String>,
}

impl<'a> ProcessReader<'a> {
    /// A reader that has read nothing.
    pub fn new(root: &'a Root) -> Self {
        Self {
            root,
            passwd: OnceCell::new(),
        }
    }

    /// Describes a process. What cannot be read, because the process has ended, is empty.
    pub fn describe(&self, pid: u32) -> Process {
        Process {
            pid,
            command: self.read(pid, "comm").trim_end().to_owned(),
            user: effective_uid(&self.read(pid, "status")).map(|uid| self.user(uid)),
            unit: unit_name(&self.read(pid, "cgroup")),
            waits_for_disk: waits_for_disk(&self.read(pid, "stat")),
        }
    }

    fn read(&self, pid: u32, name: &str) -> String {
        let path = self.root.proc(pid.to_string()).join(name);
        read_if_there(&path).ok().flatten().unwrap_or_default()
    }

    fn user(&self, uid: u32) -> User {
        // Not getpwuid(3), which may ask LDAP over the network, and at shutdown the network goes away.
        let passwd = self.passwd.get_or_init(|| {
            let text = read_if_there(&self.root.passwd());
            text.ok().flatten().unwrap_or_default()
        });
        User {
            uid,
            name: user_name(passwd, uid),
        }
    }
}

/// Whether a process is in state D, from the text of /proc/PID/stat: `PID (COMMAND) STATE …`.
fn waits_for_disk(stat: &str) -> bool {
    // The last bracket counts, because a command may contain some.
    stat.rsplit_once(") ")
        .is_some_and(|(_, rest)| rest.starts_with('D'))
}

/// The unit of a process, from the text of /proc/PID/cgroup: the innermost group that is a unit. systemd's `cg_path_get_unit`
/// takes the outermost, which for a service of a user would be the manager of that user.
fn unit_name(cgroup: &str) -> Option<String> {
    let path = cgroup
        .lines()
        .filter(|line| line.starts_with("0::") || line.contains(":name=systemd:"))
        .max_by_key(|line| line.len())?
        .rsplit(':')
        .next()?;
    path.rsplit('/')
        .find(|name| UNIT_SUFFIXES.iter().any(|suffix| name.ends_with(suffix)))
        .map(str::to_owned)
}

/// The types of units that have processes.
const UNIT_SUFFIXES: [&str; 5] = [".service", ".scope", ".mount", ".socket", ".swap"];

/// The user whose permissions a process has, from the text of /proc/PID/status: the second number of
/// `Uid: real effective saved file-system`.
fn effective_uid(status: &str) -> Option<u32> {
    status
        .lines()
        .find_map(|line| line.strip_prefix("Uid:"))?
        .split_whitespace()
        .nth(1)?
        .parse()
        .ok()
}

/// A user's name in the text of passwd(5). Lines are `name:password:uid:…`; the first line with the number counts.
fn user_name(passwd: &str, uid: u32) -> Option<String> {
    passwd.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next().filter(|name| !name.is_empty())?;
        (fields.nth(1)?.parse() == Ok(uid)).then(|| name.to_owned())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_has_its_effective_user_with_the_name_from_passwd() {
        assert_eq!(
            effective_uid("Name:\tsu\nUmask:\t0022\nUid:\t1000\t0\t0\t0\nGid:\t5\t6\t7\t8\n"),
            Some(0)
        );
        assert_eq!(effective_uid("Uid:\t1000\n"), None);
        assert_eq!(effective_uid("Uid:\t0\t4294967296\n"), None);
        let passwd = "# users\nroot:x:0:0:root:/root:/bin/sh\n:x:26:\n+@nis\nbroken:26\npostgres:x:26:26::/:\ntoor:x:0:0:::\n";
        let cases = [(0, Some("root")), (26, Some("postgres")), (1, None)];
        for (uid, expected) in cases {
            assert_eq!(user_name(passwd, uid).as_deref(), expected);
        }
    }

    #[test]
    fn a_process_waits_for_a_disk_in_state_d_whatever_its_command_is() {
        assert!(waits_for_disk("7 (dd) D 1 7"));
        assert!(!waits_for_disk("7 (dd) S 1 7"));
        assert!(!waits_for_disk("7 (a) D) S 1 7"));
        assert!(!waits_for_disk(""));
    }

    #[test]
    fn units_are_found_in_both_versions_of_cgroups() {
        let cases = [
            (
                "0::/system.slice/postgresql.service\n",
                Some("postgresql.service"),
            ),
            (
                "0::/system.slice/docker-1.scope/inner\n",
                Some("docker-1.scope"),
            ),
            (
                "0::/user.slice/user-0.slice/user@0.service/app.slice/a.service\n",
                Some("a.service"),
            ),
            (
                "12:cpu:/\n1:name=systemd:/system.slice/x.service\n0::/\n",
                Some("x.service"),
            ),
            ("0::/\n", None),
            ("", None),
        ];
        for (text, expected) in cases {
            assert_eq!(unit_name(text).as_deref(), expected, "{text:?}");
        }
    }
}
