//! The drop-ins of device units: each requires the instance that makes the device. systemd waits for them for a limited time,
//! and, where systemd's own generator does not say so, only once there is a network.
//!
//! For all devices below /dev/rbd, systemd reads the drop-ins of `dev-rbd-.device` (systemd.unit(5)), so one file covers them
//! all. A thousand files would take systemd and us much longer.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::path::Path;

use super::unit_file::{GeneratedFile, UnitDirectory};
use crate::model::unit_name;

/// How long systemd waits for a device, in seconds. Longer than for its instance (`TimeoutStartSec=` in rbdmap@.service), so
/// that the instance fails first and reports why. Not unlimited, because the link may be missing although the instance
/// succeeded.
const DEVICE_TIMEOUT_SECS: usize = 100;

/// Added for each hundred images. The time of every device begins when boot begins, but systemd starts the instances one
/// after the other.
const ADDED_SECS_PER_HUNDRED: usize = 50;

/// The time-out begins once there is a network. The name and the text are those of systemd's own generator.
const NETDEV_TEXT: &str =
    "[Unit]\nAfter=network-online.target network.target\nWants=network-online.target\n";

/// The unit whose drop-ins apply to all devices below /dev/rbd.
const ALL_RBD_DEVICES: &str = "dev-rbd-.device";

/// The drop-ins of device units, each once.
#[derive(Debug, Default)]
pub struct DeviceUnits {
    /// The number of devices that require an instance.
    required: usize,
    with_time_limit: BTreeSet<Cow<'static, str>>,
    with_network: BTreeSet<(UnitDirectory, Cow<'static, str>)>,
}

impl DeviceUnits {
    /// Lets a device require the instance that makes it, and limits the time for which systemd waits. Returns the link to
    /// write.
    pub fn require(&mut self, device: &Path, instance: &str) -> GeneratedFile {
        self.required += 1;
        self.with_time_limit.insert(unit_with_drop_ins(device));
        // Nothing else starts the instance: a job for a device only waits until udev reports it.
        let requires = format!("{}.requires", unit_name::device(device));
        GeneratedFile::dependency(&requires, instance)
    }

    /// Orders a device after the network. `directory` is that of the mount unit that replaces systemd's.
    pub fn need_network(&mut self, device: &Path, directory: UnitDirectory) {
        // systemd-fstab-generator writes this drop-in only for entries with _netdev.
        let unit = unit_with_drop_ins(device);
        self.with_network.insert((directory, unit));
    }

    /// The drop-ins.
    pub fn drop_ins(&self) -> Vec<GeneratedFile> {
        let limit = DEVICE_TIMEOUT_SECS + self.required / 100 * ADDED_SECS_PER_HUNDRED;
        let text = format!("[Unit]\nJobRunningTimeoutSec={limit}\n");
        let mut files = Vec::new();
        for unit in &self.with_time_limit {
            files.push(GeneratedFile::drop_in(unit, &text));
        }
        for (directory, unit) in &self.with_network {
            let path = format!("{unit}.d/50-netdev-dependencies.conf");
            files.push(GeneratedFile::text(*directory, path, NETDEV_TEXT));
        }
        files
    }
}

fn unit_with_drop_ins(device: &Path) -> Cow<'static, str> {
    if device.starts_with("/dev/rbd") {
        ALL_RBD_DEVICES.into()
    } else {
        unit_name::device(device).into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::generator::unit_file::Content;

    #[test]
    fn the_time_limit_of_devices_grows_with_their_number() {
        for (number, expected) in [(1, 100), (99, 100), (100, 150), (450, 300)] {
            let mut devices = DeviceUnits::default();
            for image in 0..number {
                let device = Path::new("/dev/rbd/rbd").join(image.to_string());
                devices.require(&device, "rbdmap@x.service");
            }
            let files = devices.drop_ins();
            assert_eq!(files.len(), 1);
            let Content::Text(text) = &files[0].content else {
                panic!("{files:?}")
            };
            assert!(
                text.ends_with(&format!("\nJobRunningTimeoutSec={expected}\n")),
                "{number}: {text}"
            );
        }
    }
}
