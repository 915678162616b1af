//! What the kernel waits for while it maps an image. It shows this only in its log, and not in every case.

use super::facts::RequestFacts;

/// What the kernel waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KernelWait {
    /// A monitor that opens a session.
    Session,
    /// The OSDs of the image's objects.
    Objects,
    /// The exclusive lock of a client that does not answer.
    Lock,
}

impl KernelWait {
    /// What the kernel waits for, as far as its log shows. `had_session`: it had a session with the cluster before.
    pub fn from_log(lines: &[String], had_session: bool) -> Self {
        // The latest step first: the kernel opens a session, reads the image's header, and then takes the lock.
        if any_contains(lines, ": no lock owners detected") {
            Self::Lock
        } else if had_session || any_contains(lines, " session established") {
            Self::Objects
        } else {
            Self::Session
        }
    }
}

fn any_contains(lines: &[String], text: &str) -> bool {
    lines.iter().any(|line| line.contains(text))
}

impl RequestFacts {
    /// What the kernel waits for, as the rest of a sentence that begins with "waiting for".
    pub fn waiting(&self, wait: KernelWait) -> String {
        match wait {
            KernelWait::Session => format!(
                "a monitor to open a session for client.{} ({})",
                self.user,
                self.monitor_list()
            ),
            KernelWait::Objects => {
                "OSDs, or the client that has the image's lock, to answer (monitors do)".to_owned()
            }
            KernelWait::Lock => {
                "the exclusive lock of a client that does not answer; the kernel breaks it after about 30 s".to_owned()
            }
        }
    }

    /// Why the kernel did not answer within the time limit, and what to do.
    pub(super) fn no_answer(&self, wait: KernelWait) -> String {
        match wait {
            KernelWait::Session => format!(
                "the cluster did not answer in time: a monitor accepts connections, but opens no session ({}); check the quorum \
                 (`ceph quorum_status`) and the network",
                self.monitor_list()
            ),
            KernelWait::Objects => {
                "the cluster did not answer in time: monitors answer, but OSDs do not; check `ceph health detail` and `ceph osd tree`"
                    .to_owned()
            }
            KernelWait::Lock => {
                "the cluster did not answer in time: a client that does not answer has the exclusive lock; the kernel breaks it after \
                 about 30 s; retry then, or allow more time with --timeout"
                    .to_owned()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wait(lines: &[&str], had_session: bool) -> KernelWait {
        let lines: Vec<String> = lines.iter().map(|line| (*line).to_owned()).collect();
        KernelWait::from_log(&lines, had_session)
    }

    #[test]
    fn the_last_step_in_the_log_decides_what_the_kernel_waits_for() {
        assert_eq!(wait(&[], false), KernelWait::Session);
        let session = "libceph: mon0 (2)1.2.3.4:3300 session established";
        assert_eq!(wait(&[session], false), KernelWait::Objects);
        assert_eq!(wait(&[], true), KernelWait::Objects);
        let lock = "rbd: rbd1: no lock owners detected";
        assert_eq!(wait(&[lock], true), KernelWait::Lock);
    }
}
