//! What has happened to a mapping that is there, by the kernel's log: it goes on being mapped and mounted when nothing that is written
//! arrives any more, and umount(8) says nothing either.
//!
//! The lines (linux `drivers/block/rbd.c`, rbd_warn, 5.3 to 6.12):
//!
//!     rbd: rbdN: capacity …                          the device is made: a new story begins
//!     rbd: rbdN: write result -E                     a write has failed for good
//!     rbd: rbdN: failed to reregister watch: -108    the client is on the cluster's blocklist, from which it does not come back

use std::collections::HashMap;

use nix::errno::Errno;

/// What a mapping has suffered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WriteError {
    /// What the cluster answered last.
    pub errno: i32,
    /// Whether something was written that has not arrived.
    pub data_lost: bool,
}

/// What all mappings have suffered, by their numbers.
#[derive(Debug, Default)]
pub struct DeviceHealth(HashMap<u32, WriteError>);

impl DeviceHealth {
    /// Takes the next lines of the log.
    pub fn update(&mut self, lines: &[String]) {
        for (number, text) in lines.iter().filter_map(|line| of_device(line)) {
            if text.starts_with("capacity ") {
                self.0.remove(&number);
            } else if let Some(errno) = text
                .strip_prefix("write result -")
                .and_then(|errno| errno.parse().ok())
            {
                self.0.insert(
                    number,
                    WriteError {
                        errno,
                        data_lost: true,
                    },
                );
            } else if text == "failed to reregister watch: -108" {
                self.0
                    .entry(number)
                    .or_insert(WriteError {
                        errno: SHUT_OUT,
                        data_lost: false,
                    })
                    .errno = SHUT_OUT;
            }
        }
    }

    /// What a mapping has suffered, if anything.
    pub fn get(&self, number: u32) -> Option<WriteError> {
        self.0.get(&number).copied()
    }
}

/// Which Ceph uses for it (linux `include/linux/ceph/rados.h`, EBLOCKLISTED).
const SHUT_OUT: i32 = Errno::ESHUTDOWN as i32;

impl WriteError {
    /// Why, and what to do.
    pub fn advice(self) -> String {
        let cause = self.cause();
        if self.errno == SHUT_OUT {
            return format!(
                "nothing that is written arrives: {cause}; stop who uses it, `rbdmap unmap` every image of that cluster, \
                 then `rbdmap map`"
            );
        }
        format!(
            "not all that was written has arrived: {cause}; stop who uses it, `rbdmap unmap` it, `rbdmap map --no-mount` and \
             check the file system"
        )
    }

    /// The cause alone.
    pub fn cause(self) -> String {
        match self.errno {
            SHUT_OUT => {
                "this host is on the cluster's blocklist, see `ceph osd blocklist ls`".to_owned()
            }
            errno => Errno::from_raw(errno).desc().to_owned(),
        }
    }
}

/// The number of the device that a line is about, and the rest of it.
fn of_device(line: &str) -> Option<(u32, &str)> {
    let (number, text) = line.strip_prefix("rbd: rbd")?.split_once(": ")?;
    Some((number.parse().ok()?, text))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn harm(lines: &[&str]) -> Option<WriteError> {
        let mut harms = DeviceHealth::default();
        harms.update(
            &lines
                .iter()
                .map(|line| (*line).to_owned())
                .collect::<Vec<_>>(),
        );
        harms.get(0)
    }

    /// As Linux 6.1 says it.
    #[test]
    fn a_client_on_the_blocklist_is_shut_out_though_it_has_written_nothing() {
        let watch = [
            "rbd: rbd0: encountered watch error: -107",
            "rbd: rbd0: failed to reregister watch: -108",
        ];
        assert_eq!(
            harm(&watch),
            Some(WriteError {
                errno: 108,
                data_lost: false
            })
        );
        let harm = harm(&[
            "rbd: rbd0: write at objno 2 328704~1024 result -108",
            "rbd: rbd0: write result -108",
        ]);
        assert!(harm.unwrap().advice().contains("blocklist"), "{harm:?}");
    }

    #[test]
    fn a_failed_write_is_told_with_its_reason() {
        let harm = harm(&["rbd: rbd0: write result -28"]).unwrap();
        assert!(
            harm.data_lost && harm.errno == 28 && harm.advice().contains("No space left on device"),
            "{harm:?}"
        );
    }

    #[test]
    fn other_devices_earlier_ones_of_that_number_and_what_passes_are_no_harm() {
        assert_eq!(
            harm(&[
                "rbd: rbd1: write result -5",
                "rbd: rbd00: x",
                "rbd: image rbd0: write result -5"
            ]),
            None
        );
        assert_eq!(
            harm(&[
                "rbd: rbd0: write result -5",
                "rbd: rbd0: capacity 1024 features 0x1"
            ]),
            None
        );
        assert_eq!(
            harm(&[
                "rbd: rbd0: failed to unwatch: -110",
                "rbd: rbd0: failed to reregister watch: -107"
            ]),
            None
        );
    }
}
