//! Lets one rbdmap process work on an image or a mount point, with flock(2) on a file in /run/rbdmap.
//!
//! The kernel releases the lock when the last copy of the file's descriptor is closed, at the latest when the processes that
//! have one end, so no lock outlives its owners. The empty files stay: if a lock file were removed while another process waits
//! for it, two processes would get the lock.
//!
//! A lock must never be unlocked, only closed. Therefore this is not `nix::fcntl::Flock`, which unlocks when it is dropped: a
//! write to the bus whose caller no longer waits has a copy, and unlocking would let the next process write too.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use anyhow::{Context, Result, anyhow, bail};

use crate::model::image_spec::ImageSpec;
use crate::model::unit_name;
use crate::runtime::deadline::Wait;
use crate::runtime::root::Root;

/// How many bytes of a name go into a file name, which has at most 255 with hash and suffix.
const NAME_MAX: usize = 200;

/// A lock that is held until this value and all copies of its descriptor are closed.
pub struct Lock(File);

impl AsFd for Lock {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

/// Whoever holds an image's lock, to be written after "waiting for".
pub const HOLDER: &str =
    "another rbdmap that works on it, or a request that the kernel has not answered";

/// Waits for an image's lock until the deadline.
pub fn image(root: &Root, spec: &ImageSpec, wait: Wait<'_>) -> Result<Lock> {
    match acquire(root, &spec.to_string(), wait)? {
        Some(lock) => Ok(lock),
        None => bail!(
            "locked for {} s by another rbdmap or by a request that the kernel has not answered; \
             check that the cluster is reachable",
            wait.deadline.limit().as_secs()
        ),
    }
}

/// Waits for the lock of a mount point. Without it, two processes could both find nothing mounted there and both mount; the
/// kernel mounts one on top of the other.
pub fn mount_point(root: &Root, target: &Path, wait: Wait<'_>) -> Result<Lock> {
    match acquire(root, &format!("mount {}", target.display()), wait)? {
        Some(lock) => Ok(lock),
        None => bail!(
            "another rbdmap has been mounting there for {} s",
            wait.deadline.limit().as_secs()
        ),
    }
}

/// Escapes a name for the file system. A name that is too long is cut, and a hash distinguishes it from others.
fn file_name(name: &str) -> String {
    let escaped = unit_name::escape(name);
    if escaped.len() <= NAME_MAX {
        return format!("{escaped}.lock");
    }
    let mut hasher = DefaultHasher::new();
    escaped.hash(&mut hasher);
    format!("{}-{:016x}.lock", &escaped[..NAME_MAX], hasher.finish())
}

/// Opens, and if necessary creates, the file of a lock. It is not locked yet.
pub fn file(root: &Root, name: &str) -> Result<File> {
    let directory = root.locks();
    fs::create_dir_all(&directory).map_err(|error| failure("creating", &directory, error))?;
    let path = directory.join(file_name(name));
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(false).mode(0o600);
    options
        .open(&path)
        .map_err(|error| failure("opening", &path, error))
}

fn failure(action: &str, path: &Path, error: io::Error) -> anyhow::Error {
    let remedy = if error.kind() == io::ErrorKind::PermissionDenied {
        "; rbdmap must run as root"
    } else {
        ""
    };
    anyhow!("{action} {}: {error}{remedy}", path.display())
}

/// `None` if the deadline passed first.
fn acquire(root: &Root, name: &str, wait: Wait<'_>) -> Result<Option<Lock>> {
    let file = file(root, name)?;
    // Not a blocking flock(2), which has no time limit.
    let result = wait.poll(|| match file.try_lock() {
        Err(TryLockError::WouldBlock) => None,
        result => Some(result),
    });
    match result {
        None | Some(Err(TryLockError::WouldBlock)) => Ok(None),
        Some(Ok(())) => Ok(Some(Lock(file))),
        Some(Err(TryLockError::Error(error))) => {
            Err(error).with_context(|| format!("locking {}", root.locks().display()))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::runtime::deadline::Deadline;
    use crate::runtime::fake_root::FakeRoot;
    use std::time::Duration;

    fn try_image(root: &Root, spec: &str) -> Result<Lock> {
        let now = Deadline::after(Duration::ZERO);
        image(root, &spec.parse().unwrap(), Wait::silent(&now))
    }

    #[test]
    fn long_names_fit_into_a_file_name_and_stay_different() {
        let name = |end: &str| file_name(&format!("{}{end}", "ü".repeat(100)));
        assert!(name("a").len() < 255);
        assert_ne!(name("a"), name("b"));
    }

    #[test]
    fn each_image_has_a_lock_of_its_own() {
        let root = FakeRoot::new();
        let held = try_image(&root, "rbd/a").unwrap();
        let error = try_image(&root, "rbd/a").map(drop).unwrap_err().to_string();
        assert!(
            error.starts_with("locked for 0 s by another rbdmap"),
            "{error}"
        );
        assert!(try_image(&root, "rbd/b").is_ok());
        drop(held);
        assert!(try_image(&root, "rbd/a").is_ok());
    }

    #[test]
    fn a_lock_is_held_until_the_last_copy_of_its_descriptor_is_closed() {
        let root = FakeRoot::new();
        let held = try_image(&root, "rbd/a").unwrap();
        let copy = held.as_fd().try_clone_to_owned().unwrap();
        drop(held);
        assert!(try_image(&root, "rbd/a").is_err());
        drop(copy);
        assert!(try_image(&root, "rbd/a").is_ok());
    }
}
