//! Whose turn it is to make the kernel meet a cluster.
//!
//! The kernel holds one lock for all of rbd while it opens a session with a cluster, and gives up after a minute; whoever
//! writes meanwhile waits where no signal reaches. So of all of us on the machine one writes first and the others wait, but
//! only until the session is open, for from then on they share it. That is told by a line of the kernel's log (linux
//! `net/ceph/ceph_common.c`, ceph_print_client via __ceph_open_session): `libceph: clientN fsid FSID`. Where it cannot be
//! heard, the first write has to end.
//!
//! The turn is flock(2) on a file in /run/rbdmap: exclusive for the first, who makes it shared when the session is
//! open; a shared lock that can be had says so to the others. The kernel releases both when their process ends.

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

/// How soon the one that listens to the kernel finds out that nobody wants to know any more.
const HEARING: Duration = Duration::from_millis(100);

/// What is waited for when a turn is, in words that go on "waiting for".
pub const WHOSE: &str = "another mapping that opens a session with the same cluster";

/// The right to write for a cluster; it ends when this is dropped.
#[derive(Default)]
pub struct ClusterGuard {
    lock: Option<Arc<Flock<File>>>,
    is_over: Arc<AtomicBool>,
}

/// Waits until a write for the cluster of this name makes nobody wait but itself. `is_met` tells whether the kernel has
/// met it; its id is needed to hear when it does.
pub fn turn(
    root: &Root,
    name: &str,
    is_met: impl Fn() -> Result<bool>,
    wait: Wait<'_>,
) -> Result<ClusterGuard> {
    if is_met()? {
        return Ok(ClusterGuard::default());
    }
    let mut file = Some(image_lock::file(root, &format!("cluster {name}"))?);
    let lock = wait.poll(|| {
        [
            FlockArg::LockExclusiveNonblock,
            FlockArg::LockSharedNonblock,
        ]
        .into_iter()
        .find_map(|kind| match Flock::lock(file.take()?, kind) {
            Ok(lock) => Some((lock, kind == FlockArg::LockExclusiveNonblock)),
            Err((returned, _)) => {
                file = Some(returned);
                None
            }
        })
    });
    let Some((lock, is_first)) = lock else {
        bail!(
            "another mapping has been waiting for the same cluster for {} s",
            wait.deadline.limit().as_secs()
        )
    };
    // It may have been met while we waited; then we are one of many who need not wait.
    if is_first && is_met()? {
        return Ok(ClusterGuard::default());
    }
    let turn = ClusterGuard {
        lock: Some(Arc::new(lock)),
        is_over: Arc::default(),
    };
    if is_first {
        turn.pass_on_when_open(KmsgReader::now(root), name);
    }
    Ok(turn)
}

impl ClusterGuard {
    /// Lets the others go on as soon as the kernel says that the session is open.
    fn pass_on_when_open(&self, mut log: KmsgReader, fsid: &str) {
        let (Some(lock), is_over, fsid) = (
            self.lock.clone(),
            Arc::clone(&self.is_over),
            fsid.to_owned(),
        ) else {
            return;
        };
        thread::spawn(move || {
            while !is_over.load(Ordering::Relaxed) && log.await_line(HEARING) {
                if log.lines().iter().any(|line| opens_session(line, &fsid)) {
                    // Should it fail, the others wait for the end of this write.
                    let _ = lock.relock(FlockArg::LockSharedNonblock);
                    return;
                }
            }
        });
    }
}

impl Drop for ClusterGuard {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::Relaxed);
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
    use std::fs;
    use std::time::Instant;

    const FSID: &str = "3ce3a1c7-6252-4b9a-a726-cb0523be48d4";

    fn machine() -> (tempfile::TempDir, Root) {
        let folder = tempfile::tempdir().unwrap();
        let root = Root::new(folder.path());
        fs::create_dir_all(root.dev("")).unwrap();
        fs::write(root.kernel_log(), "").unwrap();
        (folder, root)
    }

    fn take(root: &Root, milliseconds: u64) -> Result<ClusterGuard> {
        turn(
            root,
            FSID,
            || Ok(false),
            Wait::silent(&Deadline::after(Duration::from_millis(milliseconds))),
        )
    }

    fn kernel_says(root: &Root, text: &str) {
        let old = fs::read_to_string(root.kernel_log()).unwrap();
        fs::write(root.kernel_log(), format!("{old}{text}")).unwrap();
    }

    #[test]
    fn the_line_is_the_kernels_and_of_this_cluster() {
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
    fn one_writes_first_and_the_next_after_it() {
        let (_folder, root) = machine();
        let first = take(&root, 0).unwrap();
        let error = take(&root, 0).map(drop).unwrap_err().to_string();
        assert!(
            error.starts_with("another mapping has been waiting for the same cluster"),
            "{error}"
        );
        drop(first);
        // The one that listens may hold it a moment longer.
        assert!(take(&root, 10_000).is_ok());
    }

    #[test]
    fn an_open_session_lets_all_of_them_write() {
        let (_folder, root) = machine();
        let first = take(&root, 0).unwrap();
        kernel_says(&root, &format!("6,1,2,-;libceph: client4126 fsid {FSID}\n"));
        let start = Instant::now();
        let others = [take(&root, 20_000).unwrap(), take(&root, 20_000).unwrap()];
        assert!(
            start.elapsed() < Duration::from_secs(15),
            "while the first is still at it"
        );
        drop((first, others));
    }

    #[test]
    fn a_cluster_that_the_kernel_has_met_needs_no_turn() {
        let (_folder, root) = machine();
        let _first = take(&root, 0).unwrap();
        assert!(
            turn(
                &root,
                FSID,
                || Ok(true),
                Wait::silent(&Deadline::after(Duration::ZERO))
            )
            .is_ok()
        );
    }
}
