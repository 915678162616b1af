//! What device units are told: that they require the instance which makes them, how long systemd waits for them, and, where
//! systemd's own generator does not say it, that they need the network.
//!
//! The drop-ins of units whose names begin with `dev-rbd-` are read for all devices below /dev/rbd (systemd.unit(5)), so
//! for those one file is enough: a thousand take systemd and us their time.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::path::Path;

use super::unit_file::{Folder, GeneratedFile};
use crate::model::unit_name;

/// How long systemd waits for a device, in seconds: a little longer than for its instance (`TimeoutStartSec=` in
/// rbdmap@.service), so that the instance fails first and says why; and not for ever, for the instance may succeed and
/// the link still not come.
const PATIENCE: usize = 100;

/// More of it for each hundred images. The time of all devices begins with the boot, that of an instance when systemd
/// comes round to starting it.
const FOR_A_HUNDRED: usize = 50;

/// The time-out begins once there is a network. The name and the text are those of systemd's own generator.
const NETDEV: &str =
    "[Unit]\nAfter=network-online.target network.target\nWants=network-online.target\n";

/// The unit that stands for all devices below /dev/rbd.
const ALL: &str = "dev-rbd-.device";

/// The drop-ins of devices, each once.
#[derive(Debug, Default)]
pub struct Devices {
    /// How many of them are an image's.
    required: usize,
    limited: BTreeSet<Cow<'static, str>>,
    remote: BTreeSet<(Folder, Cow<'static, str>)>,
}

impl Devices {
    /// A device is made by an instance: the link that says so. systemd waits for it no longer than the instance may take.
    pub fn require(&mut self, device: &Path, instance: &str) -> GeneratedFile {
        self.required += 1;
        self.limited.insert(unit_of(device));
        GeneratedFile::hook(&format!("{}.requires", unit_name::device(device)), instance)
    }

    /// A device of a mount whose unit is ours, in this folder.
    pub fn need_network(&mut self, device: &Path, folder: Folder) {
        self.remote.insert((folder, unit_of(device)));
    }

    /// The files.
    pub fn drop_ins(&self) -> impl Iterator<Item = GeneratedFile> {
        let limit = PATIENCE + self.required / 100 * FOR_A_HUNDRED;
        let timeout = format!("[Unit]\nJobRunningTimeoutSec={limit}\n");
        let limited = self
            .limited
            .iter()
            .map(move |unit| GeneratedFile::drop_in(unit, &timeout));
        let path = |unit| format!("{unit}.d/50-netdev-dependencies.conf");
        let remote = self
            .remote
            .iter()
            .map(move |(folder, unit)| GeneratedFile::text(*folder, path(unit), NETDEV));
        limited.chain(remote)
    }
}

/// The unit whose drop-ins a device reads.
fn unit_of(device: &Path) -> Cow<'static, str> {
    if device.starts_with("/dev/rbd") {
        ALL.into()
    } else {
        unit_name::device(device).into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::generator::unit_file::Content;

    #[test]
    fn hundreds_of_devices_are_waited_for_longer() {
        for (number, expected) in [(1, 100), (99, 100), (100, 150), (450, 300)] {
            let mut devices = Devices::default();
            for image in 0..number {
                devices.require(
                    &Path::new("/dev/rbd/rbd").join(image.to_string()),
                    "rbdmap@x.service",
                );
            }
            let files: Vec<GeneratedFile> = devices.drop_ins().collect();
            let [
                GeneratedFile {
                    content: Content::Text(text),
                    ..
                },
            ] = &files[..]
            else {
                panic!("{files:?}")
            };
            assert!(
                text.ends_with(&format!("\nJobRunningTimeoutSec={expected}\n")),
                "{number}: {text}"
            );
        }
    }
}
