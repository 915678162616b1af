//! Which image a line of the kernel log is about. The log is shared by all images and clusters of a machine, and a failure must
//! not be explained by another image's lines.
//!
//! The lines are those of linux `drivers/block/rbd.c` (rbd_warn) and `net/ceph/` (Linux 6.1):
//!
//!     rbd: image NAME: TEXT              before the image has a disk
//!     rbd: rbdN: TEXT                    after that; N appears on the bus only when the mapping is complete
//!     rbd: image POOL/NAME does not exist, rbd: pool POOL does not exist, rbd: Unknown parameter 'OPTION'
//!     libceph: monN (1)ADDRESS TEXT      (2) for msgr2; ADDRESS as in the line that we wrote
//!     libceph: osdN (1)ADDRESS TEXT, libceph: auth TEXT, libceph (FSID eEPOCH): osdN down
//!
//! The line of an OSD names neither the image nor the cluster.

use std::collections::BTreeSet;

use super::device_line::DeviceLine;
use super::facts::RequestFacts;

/// A message has at most this many lines of each kind, the last ones.
const LINES_MAX: usize = 3;

/// The lines that the kernel logged while it mapped an image.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct KernelLog {
    /// Lines that are certainly about this image or its cluster.
    pub own: Vec<String>,
    /// Lines that may be about this image or about another.
    pub unattributed: Vec<String>,
}

impl KernelLog {
    /// Whether a line contains the text.
    pub fn contains(&self, text: &str) -> bool {
        self.own
            .iter()
            .chain(&self.unattributed)
            .any(|line| line.contains(text))
    }

    /// Adds the lines to the cause of a failure.
    pub fn append_to(&self, cause: String) -> String {
        let own = self.own.join("; ");
        let unattributed = self.unattributed.join("; ");
        match (own.is_empty(), unattributed.is_empty()) {
            (true, true) => cause,
            (false, true) => format!("{cause} (the kernel: {own})"),
            (true, false) => format!("{cause} (the kernel also logged: {unattributed})"),
            (false, false) => {
                format!("{cause} (the kernel: {own}; it also logged: {unattributed})")
            }
        }
    }
}

/// What a line is about.
enum Attribution {
    /// This image or its cluster.
    Own,
    /// The device with this number.
    Device(u32),
    Unknown,
    /// Another image or cluster, or no error.
    Other,
}

/// Sorts lines by what they are about, and drops those about other images. `mapped` are the numbers of the devices on the bus.
pub fn sort(lines: &[String], facts: &RequestFacts, mapped: &[u32]) -> KernelLog {
    let unfinished = unfinished_devices(lines, mapped);
    let mut log = KernelLog::default();
    for line in lines {
        let kind = match attribute(line, facts) {
            Attribution::Own => &mut log.own,
            // A device on the bus belongs to another image: ours is not mapped, or we would not be here.
            Attribution::Device(number) if mapped.contains(&number) => continue,
            // The kernel is creating one device only, so it is ours.
            Attribution::Device(_) if unfinished.len() == 1 => &mut log.own,
            Attribution::Device(_) | Attribution::Unknown => &mut log.unattributed,
            Attribution::Other => continue,
        };
        // The kernel logs the same line for each attempt to reach a monitor. The last one counts.
        kind.retain(|known| known != line);
        kind.push(line.clone());
    }
    for kind in [&mut log.own, &mut log.unattributed] {
        kind.drain(..kind.len().saturating_sub(LINES_MAX));
    }
    log
}

/// The devices that the kernel is creating: those with lines that are not on the bus yet.
fn unfinished_devices(lines: &[String], mapped: &[u32]) -> BTreeSet<u32> {
    lines
        .iter()
        .filter_map(|line| DeviceLine::parse(line))
        .map(|line| line.number)
        .filter(|number| !mapped.contains(number))
        .collect()
}

fn attribute(line: &str, facts: &RequestFacts) -> Attribution {
    if let Some(device) = DeviceLine::parse(line) {
        return if device.is_creation() {
            Attribution::Other
        } else {
            Attribution::Device(device.number)
        };
    }
    if let Some(text) = line.strip_prefix("rbd: ") {
        attribute_rbd(text, facts)
    } else if let Some(text) = line.strip_prefix("libceph") {
        attribute_libceph(text, facts)
    } else {
        Attribution::Unknown
    }
}

fn attribute_rbd(text: &str, facts: &RequestFacts) -> Attribution {
    if let Some(rest) = text.strip_prefix("image ")
        && let Some((name, _)) = rest.split_once(": ")
    {
        return own_if(name == facts.spec.image);
    }
    if let Some(missing) = text.strip_suffix(" does not exist") {
        match missing.split_once(' ') {
            Some(("pool", name)) => return own_if(name == facts.spec.pool),
            Some(("image" | "snap", name)) => return own_if(name == facts.spec.to_string()),
            _ => {}
        }
    }
    match text.split('\'').nth(1) {
        Some(option) => own_if(facts.options.split([',', '=']).any(|word| word == option)),
        None => Attribution::Unknown,
    }
}

fn attribute_libceph(text: &str, facts: &RequestFacts) -> Attribution {
    // These report success.
    if [" session established", " fsid ", ": loaded ("]
        .iter()
        .any(|success| text.contains(success))
    {
        return Attribution::Other;
    }
    // `libceph (FSID eEPOCH): …` since Linux 6.1.
    if let Some(rest) = text.strip_prefix(" (") {
        return match &facts.fsid {
            Some(fsid) => own_if(rest.starts_with(fsid.as_str())),
            None => Attribution::Unknown,
        };
    }
    match monitor_address(text) {
        Some(address) => own_if(
            facts
                .monitors
                .iter()
                .any(|monitor| monitor.to_string() == address),
        ),
        None => Attribution::Unknown,
    }
}

/// ADDRESS in `: monN (1)ADDRESS TEXT`.
fn monitor_address(text: &str) -> Option<&str> {
    let mut words = text.strip_prefix(": mon")?.split_whitespace();
    let (_version, address) = words.nth(1)?.strip_prefix('(')?.split_once(')')?;
    Some(address)
}

fn own_if(is_own: bool) -> Attribution {
    if is_own {
        Attribution::Own
    } else {
        Attribution::Other
    }
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
    fn a_line_that_names_the_image_its_options_or_its_monitors_is_its_own() {
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
                    own: vec![line.into()],
                    unattributed: vec![]
                }
            );
        }
    }

    #[test]
    fn a_line_about_another_image_or_about_success_is_dropped() {
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
    fn a_line_that_may_be_about_any_image_is_unattributed_and_kept_once() {
        let osd = "libceph: osd0 (2)1.2.3.4:6800 socket error on write";
        let auth = "libceph: auth protocol 'cephx' init failed: -22";
        assert_eq!(
            sorted(&[osd, auth, osd], &[]),
            KernelLog {
                own: vec![],
                unattributed: vec![auth.into(), osd.into()]
            }
        );
        let two = [
            "rbd: rbd1: no lock owners detected",
            "rbd: rbd2: peer will not release lock",
        ];
        assert_eq!(sorted(&two, &[]).unattributed, two);
        assert_eq!(sorted(&two, &[2]).own, two[..1]);
    }
}
