//! Write errors of mapped devices, from the kernel log. A device stays mapped and mounted when its writes no longer reach the
//! cluster, and umount(8) reports nothing.
//!
//! The lines (linux `drivers/block/rbd.c`, rbd_warn, 5.3 to 6.12):
//!
//!     rbd: rbdN: capacity …                          the device is created, and errors of an earlier rbdN are over
//!     rbd: rbdN: write result -E                     a write has finally failed
//!     rbd: rbdN: failed to reregister watch: -108    the client is on the cluster's blocklist, permanently for this mapping

use std::collections::HashMap;

use nix::errno::Errno;

use super::device_line::DeviceLine;

/// A write error of one device.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WriteError {
    /// The cluster's last answer.
    pub errno: i32,
    /// Whether a write has failed. On the blocklist, none may have been tried yet.
    pub data_lost: bool,
}

/// The write errors of all devices, by number.
#[derive(Debug, Default)]
pub struct DeviceHealth(HashMap<u32, WriteError>);

/// The cluster's answer to a client on its blocklist (linux `include/linux/ceph/rados.h`, EBLOCKLISTED).
const BLOCKLISTED: i32 = Errno::ESHUTDOWN as i32;

impl DeviceHealth {
    /// Reads the next lines of the kernel log.
    pub fn update(&mut self, lines: &[String]) {
        for line in lines.iter().filter_map(|line| DeviceLine::parse(line)) {
            // Numbers are reused: the lines before this one are about an earlier mapping.
            if line.is_creation() {
                self.0.remove(&line.number);
            } else if let Some(errno) = failed_write(line.text) {
                let data_lost = true;
                self.0.insert(line.number, WriteError { errno, data_lost });
            } else if line.text == "failed to reregister watch: -108" {
                self.set_blocklisted(line.number);
            }
        }
    }

    fn set_blocklisted(&mut self, number: u32) {
        let error = self.0.entry(number).or_insert(WriteError {
            errno: BLOCKLISTED,
            data_lost: false,
        });
        // A write that failed for another reason before is lost all the same.
        error.errno = BLOCKLISTED;
    }

    /// The write error of /dev/rbdN, if there is one.
    pub fn get(&self, number: u32) -> Option<WriteError> {
        self.0.get(&number).copied()
    }
}

fn failed_write(text: &str) -> Option<i32> {
    text.strip_prefix("write result -")?.parse().ok()
}

impl WriteError {
    /// What has happened, why, and what to do.
    pub fn advice(self) -> String {
        let cause = self.cause();
        if self.errno == BLOCKLISTED {
            return format!(
                "writes do not reach the cluster: {cause}; stop the programs that use the image, run `rbdmap unmap` for every \
                 image of that cluster, then `rbdmap map`"
            );
        }
        format!(
            "some writes did not reach the cluster: {cause}; stop the programs that use the image, run `rbdmap unmap`, then \
             `rbdmap map --no-mount`, and check the file system"
        )
    }

    /// The cause only.
    pub fn cause(self) -> String {
        match self.errno {
            BLOCKLISTED => {
                "this host is on the cluster's blocklist (`ceph osd blocklist ls`)".to_owned()
            }
            errno => Errno::from_raw(errno).desc().to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error_of_rbd0(lines: &[&str]) -> Option<WriteError> {
        let lines: Vec<String> = lines.iter().map(|line| (*line).to_owned()).collect();
        let mut health = DeviceHealth::default();
        health.update(&lines);
        health.get(0)
    }

    /// The lines are those of Linux 6.1.
    #[test]
    fn a_client_on_the_blocklist_is_detected_before_it_writes() {
        let watch = [
            "rbd: rbd0: encountered watch error: -107",
            "rbd: rbd0: failed to reregister watch: -108",
        ];
        assert_eq!(
            error_of_rbd0(&watch),
            Some(WriteError {
                errno: 108,
                data_lost: false
            })
        );
        let error = error_of_rbd0(&[
            "rbd: rbd0: write at objno 2 328704~1024 result -108",
            "rbd: rbd0: write result -108",
        ]);
        assert!(error.unwrap().advice().contains("blocklist"), "{error:?}");
    }

    #[test]
    fn a_failed_write_is_reported_with_its_cause() {
        let error = error_of_rbd0(&["rbd: rbd0: write result -28"]).unwrap();
        assert!(
            error.data_lost
                && error.errno == 28
                && error.advice().contains("No space left on device"),
            "{error:?}"
        );
    }

    #[test]
    fn lines_about_other_or_earlier_devices_and_temporary_errors_are_no_write_error() {
        assert_eq!(
            error_of_rbd0(&[
                "rbd: rbd1: write result -5",
                "rbd: rbd00: x",
                "rbd: image rbd0: write result -5"
            ]),
            None
        );
        assert_eq!(
            error_of_rbd0(&[
                "rbd: rbd0: write result -5",
                "rbd: rbd0: capacity 1024 features 0x1"
            ]),
            None
        );
        assert_eq!(
            error_of_rbd0(&[
                "rbd: rbd0: failed to unwatch: -110",
                "rbd: rbd0: failed to reregister watch: -107"
            ]),
            None
        );
    }
}
