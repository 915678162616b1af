//! One of us at a time for each image and each mount point: flock(2) on a file in /run/rbdmap.
//!
//! The kernel releases the lock when the last copy of its file is closed, at the latest when the processes that have one end,
//! however that happens, so none outlives its owners. The empty files stay: removing a lock file while another waits for it
//! would let two in.
//!
//! The surprise: it must never be unlocked, only closed, which is why this is not `nix::fcntl::Flock`, which unlocks when it
//! is dropped. A write to the bus that nobody waits for any more has a copy, and unlocking would let the next one write too.

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

/// How much of a name fits into a file's, with room for hash and ending; file systems take 255 bytes.
const NAME_MAX: usize = 200;

/// A lock that is held, until this and all copies of its file are gone.
pub struct Lock(File);

impl AsFd for Lock {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

/// What is waited for when an image's lock is, in words that go on "waiting for".
pub const WHOSE: &str =
    "another rbdmap that is at work on it, or for what the kernel answers to it";

/// Waits for an image's lock until the deadline.
pub fn image(root: &Root, spec: &ImageSpec, wait: Wait<'_>) -> Result<Lock> {
    let seconds = wait.deadline.limit().as_secs();
    named(root, &spec.to_string(), wait)?.ok_or_else(|| {
        anyhow!("another rbdmap has been at work on it for {seconds} s, or the kernel at what it was asked: is the cluster there?")
    })
}

/// Waits for the lock of a mount point: between looking whether something is mounted there and mounting it, another of us
/// would do the same, and the kernel mounts one on top of the other.
pub fn mount_point(root: &Root, target: &Path, wait: Wait<'_>) -> Result<Lock> {
    match named(root, &format!("mount {}", target.display()), wait)? {
        Some(lock) => Ok(lock),
        None => bail!(
            "another rbdmap has been mounting there for {} s",
            wait.deadline.limit().as_secs()
        ),
    }
}

/// A name as a file's: escaped, and where that is too long for a file system, cut and told apart by a hash.
fn file_name(name: &str) -> String {
    let escaped = unit_name::escape(name);
    if escaped.len() <= NAME_MAX {
        return format!("{escaped}.lock");
    }
    let mut hasher = DefaultHasher::new();
    escaped.hash(&mut hasher);
    format!("{}-{:016x}.lock", &escaped[..NAME_MAX], hasher.finish())
}

/// The file of a lock, which nobody has locked by this.
pub fn file(root: &Root, name: &str) -> Result<File> {
    let folder = root.locks();
    fs::create_dir_all(&folder).map_err(|error| failed("creating", &folder, error))?;
    let path = folder.join(file_name(name));
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(false).mode(0o600);
    options
        .open(&path)
        .map_err(|error| failed("opening", &path, error))
}

fn failed(what: &str, path: &Path, error: io::Error) -> anyhow::Error {
    let remedy = if error.kind() == io::ErrorKind::PermissionDenied {
        "; rbdmap must run as root"
    } else {
        ""
    };
    anyhow!("{what} {}: {error}{remedy}", path.display())
}

/// `None` where the deadline passed first.
fn named(root: &Root, name: &str, wait: Wait<'_>) -> Result<Option<Lock>> {
    let file = file(root, name)?;
    let answer = wait.poll(|| match file.try_lock() {
        Err(TryLockError::WouldBlock) => None,
        answer => Some(answer),
    });
    match answer {
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
    use std::time::Duration;

    #[test]
    fn long_names_are_files_too_and_differ() {
        let name = |end: &str| file_name(&format!("{}{end}", "ü".repeat(100)));
        assert!(name("a").len() < 255);
        assert_ne!(name("a"), name("b"));
    }

    #[test]
    fn one_image_has_one_lock_and_another_its_own() {
        let folder = tempfile::tempdir().unwrap();
        let root = Root::new(folder.path());
        let now = Deadline::after(Duration::ZERO);
        let now = Wait::silent(&now);
        let (a, b): (ImageSpec, ImageSpec) = ("rbd/a".parse().unwrap(), "rbd/b".parse().unwrap());
        let held = image(&root, &a, now).unwrap();
        assert!(image(&root, &a, now).is_err());
        assert!(image(&root, &b, now).is_ok());
        drop(held);
        assert!(image(&root, &a, now).is_ok());
    }

    #[test]
    fn a_lock_is_held_until_the_last_copy_of_its_file_is_closed() {
        let folder = tempfile::tempdir().unwrap();
        let root = Root::new(folder.path());
        let spec: ImageSpec = "rbd/a".parse().unwrap();
        let take = || image(&root, &spec, Wait::silent(&Deadline::after(Duration::ZERO)));
        let held = take().unwrap();
        let copy = held.as_fd().try_clone_to_owned().unwrap();
        drop(held);
        assert!(take().is_err());
        drop(copy);
        assert!(take().is_ok());
    }
}
