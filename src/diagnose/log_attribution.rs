//! Whose the kernel's log lines are: the log is one for all images and clusters of a machine, and only what cannot be about
//! another is given as the cause of a failure.
//!
//! The lines are those of linux `drivers/block/rbd.c` (rbd_warn) and `net/ceph/` (Linux 6.1):
//!
//!     rbd: image NAME: TEXT              before the image has a disk
//!     rbd: rbdN: TEXT                    after, and N is on the bus only at the end
//!     rbd: image POOL/NAME does not exist, rbd: pool POOL does not exist, rbd: Unknown parameter 'OPTION'
//!     libceph: monN (1)ADDRESS TEXT      (2) where it speaks msgr2; ADDRESS as we wrote it
//!     libceph: osdN (1)ADDRESS TEXT, libceph: auth TEXT, libceph (FSID eEPOCH): osdN down
//!
//! The surprise: an OSD's line says neither image nor cluster.

use std::collections::BTreeSet;

use super::errno::RequestFacts;

/// How many lines are told of each sort; those that came last.
const TOLD: usize = 3;

/// What the kernel said while an image was being mapped.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct KernelLog {
    /// About this image or its cluster, without doubt.
    pub of_it: Vec<String>,
    /// About it or about something else.
    pub perhaps: Vec<String>,
}

/// What it is that the kernel waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KernelWait {
    /// Monitors that let nobody in.
    Session,
    /// OSDs, or whatever else an image's objects need.
    Objects,
    /// The exclusive lock of a client that does not answer.
    Lock,
}

/// Sorts lines. `mapped` are the numbers of the devices that are on the bus, which are other images'.
pub fn sort(lines: &[String], facts: &RequestFacts, mapped: &[u32]) -> KernelLog {
    let strays = strays(lines, mapped);
    let mut said = KernelLog::default();
    for line in lines {
        let sort = match whose(line, facts) {
            Whose::Its => &mut said.of_it,
            Whose::Device(number) if mapped.contains(&number) => continue,
            // One device only is being made: this image's.
            Whose::Device(_) if strays.len() == 1 => &mut said.of_it,
            Whose::Device(_) | Whose::Anybodys => &mut said.perhaps,
            Whose::Others => continue,
        };
        sort.retain(|known| known != line);
        sort.push(line.clone());
    }
    for sort in [&mut said.of_it, &mut said.perhaps] {
        sort.drain(..sort.len().saturating_sub(TOLD));
    }
    said
}

impl KernelWait {
    /// What the kernel waits for, as far as its log shows. `had_session`: it had a session with the cluster before.
    pub fn from_log(lines: &[String], had_session: bool) -> Self {
        let has = |text: &str| lines.iter().any(|line| line.contains(text));
        if has(": no lock owners detected") {
            Self::Lock
        } else if had_session || has(" session established") {
            Self::Objects
        } else {
            Self::Session
        }
    }
}

enum Whose {
    /// This image's, or its cluster's.
    Its,
    /// That of the device with this number.
    Device(u32),
    Anybodys,
    /// Another's, or no complaint at all.
    Others,
}

fn whose(line: &str, facts: &RequestFacts) -> Whose {
    if let Some(text) = line.strip_prefix("rbd: ") {
        return of_rbd(text, facts);
    }
    let Some(text) = line.strip_prefix("libceph") else {
        return Whose::Anybodys;
    };
    if text.contains(" session established")
        || text.contains(" fsid ")
        || text.contains(": loaded (")
    {
        return Whose::Others;
    }
    if let Some(rest) = text.strip_prefix(" (") {
        // `libceph (FSID eEPOCH): …` is from Linux 6.1 on.
        return facts
            .fsid
            .as_ref()
            .map_or(Whose::Anybodys, |fsid| its(rest.starts_with(fsid.as_str())));
    }
    let mut words = text.trim_start_matches(':').split_whitespace();
    match (words.next(), words.next()) {
        (Some(name), Some(address)) if name.starts_with("mon") && address.starts_with('(') => {
            let address = address
                .split_once(')')
                .map_or(address, |(_, address)| address);
            its(facts
                .monitors
                .iter()
                .any(|monitor| monitor.to_string() == address))
        }
        _ => Whose::Anybodys,
    }
}

fn of_rbd(text: &str, facts: &RequestFacts) -> Whose {
    if let Some(number) = device(text) {
        return if text.contains(": capacity ") {
            Whose::Others
        } else {
            Whose::Device(number)
        };
    }
    if let Some((name, _)) = text
        .strip_prefix("image ")
        .and_then(|rest| rest.split_once(": "))
    {
        return its(name == facts.spec.image);
    }
    let mut words = text.split_whitespace();
    match (
        words.next(),
        words.next(),
        text.ends_with(" does not exist"),
    ) {
        (Some("pool"), Some(name), true) => its(name == facts.spec.pool),
        (Some("image" | "snap"), Some(name), true) => its(name == facts.spec.to_string()),
        _ => match text.split('\'').nth(1) {
            Some(option) => its(facts.options.split([',', '=']).any(|word| word == option)),
            None => Whose::Anybodys,
        },
    }
}

fn its(is_its: bool) -> Whose {
    if is_its { Whose::Its } else { Whose::Others }
}

/// N of a line `rbdN: …`.
fn device(text: &str) -> Option<u32> {
    text.strip_prefix("rbd")?.split_once(':')?.0.parse().ok()
}

/// The devices that lines are about and that are on no bus yet.
fn strays(lines: &[String], mapped: &[u32]) -> BTreeSet<u32> {
    let numbers = lines
        .iter()
        .filter_map(|line| device(line.strip_prefix("rbd: ")?));
    numbers.filter(|number| !mapped.contains(number)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnose::tests::facts;

    fn sorted(lines: &[&str], mapped: &[u32]) -> KernelLog {
        let lines: Vec<String> = lines.iter().map(|line| (*line).to_owned()).collect();
        sort(&lines, &facts(), mapped)
    }

    #[test]
    fn what_names_the_image_its_options_or_its_monitors_is_about_it() {
        for line in [
            "rbd: image nope: image uses unsupported features: 0x40",
            "rbd: image rbd/nope does not exist",
            "rbd: pool rbd does not exist",
            "rbd: Unknown parameter 'bogus'",
            "libceph: mon0 (2)1.2.3.4:3300 connect error",
            "libceph (3ce3a1c7-6252-4b9a-a726-cb0523be48d4 e9): osd0 down",
            "rbd: rbd1: failed to acquire lock: -30",
        ] {
            assert_eq!(
                sorted(&[line], &[]),
                KernelLog {
                    of_it: vec![line.into()],
                    perhaps: vec![]
                }
            );
        }
    }

    #[test]
    fn what_names_another_is_not_told() {
        for line in [
            "rbd: image other: object map is invalid",
            "rbd: image rbd/nope2 does not exist",
            "rbd: Unknown parameter 'others'",
            "libceph: mon0 (2)1.2.3.5:3300 connect error",
            "libceph: mon0 (2)1.2.3.4:3300 session established",
            "libceph: client4 fsid 3ce3a1c7-6252-4b9a-a726-cb0523be48d4",
            "libceph (00000000-6252-4b9a-a726-cb0523be48d4 e9): osd0 down",
            "rbd: rbd0: encountered watch error: -107",
            "rbd: rbd1: capacity 8388608 features 0x3d",
        ] {
            assert_eq!(sorted(&[line], &[0]), KernelLog::default(), "{line}");
        }
    }

    #[test]
    fn what_may_be_anybodys_is_told_as_such_and_the_same_once() {
        let osd = "libceph: osd0 (2)1.2.3.4:6800 socket error on write";
        let auth = "libceph: auth protocol 'cephx' init failed: -22";
        assert_eq!(
            sorted(&[osd, auth, osd], &[]),
            KernelLog {
                of_it: vec![],
                perhaps: vec![auth.into(), osd.into()]
            }
        );
        let two = [
            "rbd: rbd1: no lock owners detected",
            "rbd: rbd2: peer will not release lock",
        ];
        assert_eq!(sorted(&two, &[]).perhaps, two);
        assert_eq!(sorted(&two, &[2]).of_it, two[..1]);
    }

    #[test]
    fn what_is_waited_for_is_what_the_kernel_has_come_to() {
        let wait = |lines: &[&str], met| {
            KernelWait::from_log(
                &lines
                    .iter()
                    .map(|line| (*line).to_owned())
                    .collect::<Vec<_>>(),
                met,
            )
        };
        assert_eq!(wait(&[], false), KernelWait::Session);
        assert_eq!(
            wait(
                &["libceph: mon0 (2)1.2.3.4:3300 session established"],
                false
            ),
            KernelWait::Objects
        );
        assert_eq!(wait(&[], true), KernelWait::Objects);
        assert_eq!(
            wait(&["rbd: rbd1: no lock owners detected"], true),
            KernelWait::Lock
        );
    }
}
