//! Mounts and unmounts as mount(8) and umount(8) do, through a `libmnt_context`: file system helpers, tags, `x-` options,
//! and the utab record that tells systemd of `_netdev`.
//!
//! What to mount is given whole by the caller; fstab is not looked into. The surprise: the functions answer
//! a number that is negative, zero, positive from mount(2) or a helper's exit status; only
//! `mnt_context_get_excode` knows what it means.

use std::ffi::{CStr, c_char, c_int};
use std::path::Path;

use crate::{Error, c_path, c_string, ffi};

/// One thing to mount.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MountRequest<'a> {
    /// Device, tag or folder.
    pub source: &'a str,
    /// Mount point; it must exist.
    pub target: &'a Path,
    /// File system type, `auto` to have it probed.
    pub fstype: &'a str,
    /// Options, separated by commas, as in fstab.
    pub options: &'a str,
}

/// Mounts; returns when the file system is mounted or with mount(8)'s own words for why it is not.
#[allow(
    unsafe_code,
    reason = "calls into libmount.so.1 on a context that lives here"
)]
pub fn mount(request: &MountRequest<'_>) -> Result<(), Error> {
    let source = c_string(request.source)?;
    let target = c_path(request.target)?;
    let fstype = c_string(request.fstype)?;
    let options = c_string(request.options)?;
    let context = Context::new()?;
    // SAFETY: the context is live and the four strings, which libmount copies, are NUL-terminated.
    unsafe {
        check(ffi::mnt_context_set_optsmode(
            context.0,
            ffi::OPTIONS_MODE_NO_TABLE,
        ))?;
        check(ffi::mnt_context_set_source(context.0, source.as_ptr()))?;
        check(ffi::mnt_context_set_target(context.0, target.as_ptr()))?;
        check(ffi::mnt_context_set_fstype(context.0, fstype.as_ptr()))?;
        check(ffi::mnt_context_set_options(context.0, options.as_ptr()))?;
        let code = ffi::mnt_context_mount(context.0);
        context.verdict(code)
    }
}

/// Unmounts what is mounted at a mount point (the topmost, if there are several).
pub fn unmount(target: &Path) -> Result<(), Error> {
    take_away(target, 0)
}

/// Takes it out of sight at once, whoever uses it (umount(8), --lazy): the file system goes when the last of them does.
pub fn detach(target: &Path) -> Result<(), Error> {
    take_away(target, 1)
}

#[allow(
    unsafe_code,
    reason = "calls into libmount.so.1 on a context that lives here"
)]
fn take_away(target: &Path, lazy: c_int) -> Result<(), Error> {
    let name = c_path(target)?;
    let context = Context::new()?;
    // SAFETY: as in mount. Swapmatch is turned off so that a mount point is never taken for a device.
    unsafe {
        check(ffi::mnt_context_disable_swapmatch(context.0, 1))?;
        check(ffi::mnt_context_enable_lazy(context.0, lazy))?;
        check(ffi::mnt_context_set_target(context.0, name.as_ptr()))?;
        let code = ffi::mnt_context_umount(context.0);
        context.verdict(code)
    }
}

/// Owns a `libmnt_context`.
struct Context(*mut ffi::Context);

#[allow(
    unsafe_code,
    reason = "calls into libmount.so.1, each with its argument below"
)]
impl Context {
    fn new() -> Result<Self, Error> {
        // SAFETY: takes nothing, answers a context that is ours or NULL.
        let context = unsafe { ffi::mnt_new_context() };
        if context.is_null() {
            Err(Error::new("", libc::ENOMEM))
        } else {
            Ok(Self(context))
        }
    }

    /// What a mount or unmount came to: libmount's exit status for mount(8) and its sentence.
    fn verdict(&self, code: c_int) -> Result<(), Error> {
        let mut buffer = [0 as c_char; 1024];
        // SAFETY: the context is live; libmount writes at most `len` bytes with the final NUL.
        let (status, errno) = unsafe {
            let status =
                ffi::mnt_context_get_excode(self.0, code, buffer.as_mut_ptr(), buffer.len());
            let called = ffi::mnt_context_syscall_called(self.0) == 1;
            let errno = if called {
                ffi::mnt_context_get_syscall_errno(self.0)
            } else {
                (-code).max(0)
            };
            (status, errno)
        };
        if status == 0 {
            return Ok(());
        }
        // SAFETY: the buffer was zeroed, so it ends in a NUL whatever libmount wrote.
        let message = unsafe { CStr::from_ptr(buffer.as_ptr()) }
            .to_string_lossy()
            .into_owned();
        Err(Error::new(
            if message.is_empty() && errno == 0 {
                format!("exit status {status}")
            } else {
                message
            },
            errno,
        ))
    }
}

#[allow(unsafe_code, reason = "gives the context back to libmount")]
impl Drop for Context {
    fn drop(&mut self) {
        // SAFETY: made by mnt_new_context, freed once.
        unsafe { ffi::mnt_free_context(self.0) }
    }
}

/// A setter's answer: 0, or a negative errno.
fn check(code: c_int) -> Result<(), Error> {
    if code == 0 {
        Ok(())
    } else {
        Err(Error::new("", -code))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unmounting_what_is_not_mounted_says_so() {
        let folder = tempfile::tempdir().unwrap();
        let error = unmount(folder.path()).unwrap_err();
        assert!(error.to_string().contains("not mounted"), "{error}");
        assert!(!error.is_busy());
    }

    #[test]
    fn mounting_on_a_missing_mount_point_says_so() {
        let target = Path::new("/nonexistent/mount/point");
        let error = mount(&MountRequest {
            source: "tmpfs",
            target,
            fstype: "tmpfs",
            options: "rw",
        })
        .unwrap_err();
        assert!(
            error.to_string().contains("mount point does not exist"),
            "{error}"
        );
    }

    #[test]
    fn a_nul_in_a_name_is_refused() {
        assert!(
            unmount(Path::new("/a\0b"))
                .unwrap_err()
                .to_string()
                .contains("NUL")
        );
    }
}
