//! Lets one process open the kernel's session with a cluster, while the others that need the same session wait.
//!
//! The kernel holds one lock for all of rbd while it opens a session with a cluster, and gives up after a minute; a process
//! that writes meanwhile sleeps where no signal reaches it. Therefore one process on the host writes first and the others wait,
//! until the session is open: then they share it. The kernel logs that moment (linux `net/ceph/ceph_common.c`,
//! ceph_print_client via __ceph_open_session): `libceph: clientN fsid FSID`. Where the log cannot be read, the others wait
//! until the first write has ended.
//!
//! The lock is flock(2) on a file in /run/rbdmap. The first process locks it exclusively, and makes the lock shared when the
//! session is open; the others then get a shared lock too. The kernel releases the locks of a process that ends.

use std::fs::File;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use anyhow::{Result, bail};
use nix::fcntl::{Flock, FlockArg};

use super::image_lock;
use crate::runtime::deadline::Wait;
use crate::runtime::root::Root;
use crate::sys::kmsg::KmsgReader;

/// How long the thread that reads the kernel log waits before it checks whether the guard was dropped.
const LOG_INTERVAL: Duration = Duration::from_millis(100);

/// Whoever holds the lock, to be written after "waiting for".
pub const HOLDER: &str = "another mapping that opens a session with the same cluster";

/// The permission to write a request for a cluster. Others may wait for the moment when it is dropped.
#[derive(Default)]
pub struct ClusterGuard {
    lock: Option<Arc<Flock<File>>>,
    is_dropped: Arc<AtomicBool>,
}

/// Waits until a request for a cluster would not make other processes wait in the kernel. `is_met` returns whether the kernel
/// has a session with the cluster. `name` is the cluster's fsid, or any other name for it if the fsid is not known.
pub fn acquire(
    root: &Root,
    name: &str,
    is_met: impl Fn() -> Result<bool>,
    wait: Wait<'_>,
) -> Result<ClusterGuard> {
    if is_met()? {
        return Ok(ClusterGuard::default());
    }
    let mut file = Some(image_lock::file(root, &format!("cluster {name}"))?);
    let Some((lock, is_first)) = wait.poll(|| try_lock(&mut file)) else {
        bail!(
            "another mapping has been opening a session with the same cluster for {} s; check that the cluster is reachable",
            wait.deadline.limit().as_secs()
        )
    };
    // Another process may have opened the session while this one waited for the lock. Then nobody needs to wait for this one.
    if is_first && is_met()? {
        return Ok(ClusterGuard::default());
    }
    let guard = ClusterGuard {
        lock: Some(Arc::new(lock)),
        is_dropped: Arc::default(),
    };
    if is_first {
        guard.share_when_session_opens(KmsgReader::now(root), name);
    }
    Ok(guard)
}

/// Locks exclusively (then the second part is true), or shared if another process shares its lock already.
fn try_lock(file: &mut Option<File>) -> Option<(Flock<File>, bool)> {
    for kind in [
        FlockArg::LockExclusiveNonblock,
        FlockArg::LockSharedNonblock,
    ] {
        match Flock::lock(file.take()?, kind) {
            Ok(lock) => return Some((lock, kind == FlockArg::LockExclusiveNonblock)),
            Err((returned, _)) => *file = Some(returned),
        }
    }
    None
}

impl ClusterGuard {
    /// Starts a thread that makes the lock shared when the kernel logs that the session is open.
    fn share_when_session_opens(&self, mut log: KmsgReader, fsid: &str) {
        let Some(lock) = self.lock.clone() else {
            return;
        };
        let is_dropped = Arc::clone(&self.is_dropped);
        let fsid = fsid.to_owned();
        thread::spawn(move || {
            while !is_dropped.load(Ordering::Relaxed) && log.await_line(LOG_INTERVAL) {
                if log.lines().iter().any(|line| opens_session(line, &fsid)) {
                    // If this fails, the others wait until this request has ended.
                    let _ = lock.relock(FlockArg::LockSharedNonblock);
                    return;
                }
            }
        });
    }
}

impl Drop for ClusterGuard {
    fn drop(&mut self) {
        self.is_dropped.store(true, Ordering::Relaxed);
    }
}

fn opens_session(line: &str, fsid: &str) -> bool {
    line.strip_prefix("libceph: client")
        .and_then(|rest| rest.split_once(" fsid "))
        .is_some_and(|(_, id)| id == fsid)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::runtime::deadline::Deadline;
    use crate::runtime::fake_root::FakeRoot;
    use std::time::Instant;

    const FSID: &str = "3ce3a1c7-6252-4b9a-a726-cb0523be48d4";

    fn machine() -> FakeRoot {
        let root = FakeRoot::new();
        root.write("dev/kmsg", "");
        root
    }

    fn acquire_within(root: &Root, limit: Duration) -> Result<ClusterGuard> {
        let deadline = Deadline::after(limit);
        acquire(root, FSID, || Ok(false), Wait::silent(&deadline))
    }

    #[test]
    fn a_session_is_open_when_the_kernel_logs_the_clusters_fsid() {
        assert!(opens_session(
            &format!("libceph: client4126 fsid {FSID}"),
            FSID
        ));
        assert!(!opens_session(
            "libceph: client4126 fsid 00000000-6252-4b9a-a726-cb0523be48d4",
            FSID
        ));
        assert!(!opens_session(
            "libceph: mon0 (1)10.77.0.1:6789 session established",
            FSID
        ));
    }

    #[test]
    fn the_second_process_waits_until_the_first_has_written() {
        let root = machine();
        let first = acquire_within(&root, Duration::ZERO).unwrap();
        let error = acquire_within(&root, Duration::ZERO)
            .map(drop)
            .unwrap_err()
            .to_string();
        assert!(
            error.starts_with("another mapping has been opening a session with the same cluster"),
            "{error}"
        );
        drop(first);
        // The thread that reads the kernel log holds the lock a moment longer.
        assert!(acquire_within(&root, Duration::from_secs(10)).is_ok());
    }

    #[test]
    fn an_open_session_lets_all_processes_write() {
        let root = machine();
        let first = acquire_within(&root, Duration::ZERO).unwrap();
        root.write(
            "dev/kmsg",
            format!("6,1,2,-;libceph: client4126 fsid {FSID}\n"),
        );
        let start = Instant::now();
        let limit = Duration::from_secs(20);
        let others = [
            acquire_within(&root, limit).unwrap(),
            acquire_within(&root, limit).unwrap(),
        ];
        assert!(
            start.elapsed() < Duration::from_secs(15),
            "while the first request is still running"
        );
        drop((first, others));
    }

    #[test]
    fn a_request_for_a_cluster_with_a_session_does_not_wait() {
        let root = machine();
        let _first = acquire_within(&root, Duration::ZERO).unwrap();
        let now = Deadline::after(Duration::ZERO);
        assert!(acquire(&root, FSID, || Ok(true), Wait::silent(&now)).is_ok());
    }
}
