//! Processes that hold something, and the mount namespaces that they are in.

use std::cell::OnceCell;
use std::collections::HashSet;
use std::fs;
use std::path::{Path, PathBuf};

use libmount::Mounted;

use super::Held;
use crate::model::holder::{Holder, Process, User};
use crate::runtime::root::Root;
use crate::sys::file::read_if_there;

/// All processes of the machine, to be asked whether they hold something.
pub struct Processes<'a> {
    root: &'a Root,
    held: &'a Held,
    /// By number, without this one.
    pids: Vec<u32>,
    /// The text of passwd(5), once somebody is to be described.
    passwd: OnceCell<String>,
}

impl<'a> Processes<'a> {
    /// Those that there are now.
    pub fn list(root: &'a Root, held: &'a Held) -> Self {
        let entries = fs::read_dir(root.proc("")).into_iter().flatten().flatten();
        let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
        let mut pids: Vec<u32> = pids.filter(|pid| *pid != std::process::id()).collect();
        pids.sort_unstable();
        Self {
            root,
            held,
            pids,
            passwd: OnceCell::new(),
        }
    }

    /// Those that hold something, each with the first path by which it does.
    pub fn holding(&self, holds: impl Fn(&Path) -> Option<PathBuf>) -> Vec<Holder> {
        let holder = |pid: &u32| {
            let folder = self.root.proc(pid.to_string());
            let open = fs::read_dir(folder.join("fd"))
                .into_iter()
                .flatten()
                .flatten()
                .map(|entry| entry.path());
            let open: Vec<PathBuf> = open.collect();
            let links = ["cwd", "root", "exe"].map(|name| folder.join(name));
            let path = links.iter().chain(&open).find_map(|link| holds(link));
            let path = path.or_else(|| self.mapped_file(&folder))?;
            Some(Holder::Process(
                self.describe(*pid),
                path.display().to_string(),
            ))
        };
        self.pids.iter().filter_map(holder).collect()
    }

    /// Mounts in other mount namespaces, one for each namespace. Those that follow ours, as udevd's do, go with ours.
    pub fn namespaces(&self) -> Vec<Holder> {
        let namespace = |pid: &str| fs::read_link(self.root.proc(pid).join("ns/mnt")).ok();
        let carried = |mounts: &[Mounted]| -> Vec<Mounted> {
            mounts
                .iter()
                .filter(|mount| self.held.nodes.iter().any(|node| node.carries(mount)))
                .cloned()
                .collect()
        };
        let ours = carried(&libmount::mountinfo(&self.root.mountinfo()).unwrap_or_default());
        let groups: HashSet<&str> = ours
            .iter()
            .flat_map(|mount| mount.groups.split(' '))
            .filter_map(|group| group.strip_prefix("shared:"))
            .collect();
        let follows = |mount: &Mounted| {
            let numbers = mount
                .groups
                .split(' ')
                .filter_map(|group| group.split_once(':'));
            numbers
                .into_iter()
                .any(|(_, number)| groups.contains(number))
        };
        let mut seen = vec![namespace("self")];
        let mut holders = Vec::new();
        for pid in &self.pids {
            let other = namespace(&pid.to_string());
            if other.is_none() || seen.contains(&other) {
                continue;
            }
            seen.push(other);
            let mounts = libmount::mountinfo(&self.root.proc(pid.to_string()).join("mountinfo"))
                .unwrap_or_default();
            let mounted = carried(&mounts).into_iter().find(|mount| !follows(mount));
            holders.extend(mounted.map(|mount| {
                Holder::Namespace(self.describe(*pid), mount.target.display().to_string())
            }));
        }
        holders
    }

    /// A file that is mapped into the process's memory: lines of `maps` are `range mode offset device inode path`.
    fn mapped_file(&self, process: &Path) -> Option<PathBuf> {
        let maps = read_if_there(&process.join("maps")).ok()??;
        maps.lines().find_map(|line| {
            let mut words = line.splitn(6, ' ');
            let (major, minor) = words.nth(3)?.split_once(':')?;
            let number = (
                u32::from_str_radix(major, 16).ok()?,
                u32::from_str_radix(minor, 16).ok()?,
            );
            let path = PathBuf::from(words.nth(1)?.trim_start());
            let is_on_node = self.held.nodes.iter().any(|node| node.number == number);
            (is_on_node || self.held.has(&path)).then_some(path)
        })
    }

    fn describe(&self, pid: u32) -> Process {
        let folder = self.root.proc(pid.to_string());
        let read = |name: &str| {
            read_if_there(&folder.join(name))
                .ok()
                .flatten()
                .unwrap_or_default()
        };
        // `PID (COMMAND) STATE …`, and a command may have brackets.
        let waits_for_disk = read("stat")
            .rsplit_once(") ")
            .is_some_and(|(_, rest)| rest.starts_with('D'));
        let user = effective_uid(&read("status")).map(|uid| self.user(uid));
        let (command, unit) = (
            read("comm").trim_end().to_owned(),
            unit_name(&read("cgroup")),
        );
        Process {
            pid,
            command,
            user,
            unit,
            waits_for_disk,
        }
    }

    /// With the name that the file has and no other: getpwuid(3) may ask LDAP, over the network that is going away.
    fn user(&self, uid: u32) -> User {
        let read = || {
            read_if_there(&self.root.passwd())
                .ok()
                .flatten()
                .unwrap_or_default()
        };
        User {
            uid,
            name: user_name(self.passwd.get_or_init(read), uid),
        }
    }
}

/// The unit in the text of /proc/PID/cgroup: the innermost group that is a unit. systemd's `cg_path_get_unit` takes the outermost,
/// which would be the user's manager for a service of that user.
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

/// The user whose rights a process has, from the text of /proc/PID/status: the second number of `Uid: real effective saved file-system`.
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
        let rows = [(0, Some("root")), (26, Some("postgres")), (1, None)];
        for (uid, expected) in rows {
            assert_eq!(user_name(passwd, uid).as_deref(), expected);
        }
    }

    #[test]
    fn units_are_found_in_both_versions_of_cgroups() {
        let rows = [
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
        for (text, expected) in rows {
            assert_eq!(unit_name(text).as_deref(), expected, "{text:?}");
        }
    }
}
