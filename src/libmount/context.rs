//! Mounts and unmounts as mount(8) and umount(8) do, through a `libmnt_context`: file system helpers, tags, `x-` options,
//! and the record in utab from which systemd reads `_netdev`.
//!
//! The caller gives everything that is to be mounted; fstab is not read. The functions return a negative errno, zero, an errno of
//! mount(2), or the exit status of a helper; only `mnt_context_get_excode` can tell which it is.

use std::ffi::{CStr, c_char, c_int};
use std::path::Path;

use crate::{Error, c_path, c_string, ffi};

/// One thing to mount.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MountRequest<'a> {
    /// Device, tag or directory.
    pub source: &'a str,
    /// Mount point; it must exist.
    pub target: &'a Path,
    /// File system type; with `auto`, libmount probes the device.
    pub fstype: &'a str,
    /// Options, separated by commas, as in fstab(5).
    pub options: &'a str,
}

/// Mounts a file system. The error has mount(8)'s own message.
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
        context.result(code)
    }
}

/// Unmounts the topmost mount of a mount point.
pub fn unmount(target: &Path) -> Result<(), Error> {
    unmount_with(target, Laziness::Eager)
}

/// Detaches a mount at once, even if it is in use (umount(8), --lazy); the kernel unmounts the file system after its last use.
pub fn detach(target: &Path) -> Result<(), Error> {
    unmount_with(target, Laziness::Lazy)
}

/// Whether a mount that is in use may be detached.
#[derive(Clone, Copy)]
enum Laziness {
    Eager = 0,
    Lazy = 1,
}

#[allow(
    unsafe_code,
    reason = "calls into libmount.so.1 on a context that lives here"
)]
fn unmount_with(target: &Path, laziness: Laziness) -> Result<(), Error> {
    let name = c_path(target)?;
    let context = Context::new()?;
    // SAFETY: as in mount.
    unsafe {
        // With swapmatch, a mount point could be taken for a device.
        check(ffi::mnt_context_disable_swapmatch(context.0, 1))?;
        check(ffi::mnt_context_enable_lazy(context.0, laziness as c_int))?;
        check(ffi::mnt_context_set_target(context.0, name.as_ptr()))?;
        let code = ffi::mnt_context_umount(context.0);
        context.result(code)
    }
}

/// Owns a `libmnt_context`.
struct Context(*mut ffi::Context);

#[allow(
    unsafe_code,
    reason = "calls into libmount.so.1, each with its reason below"
)]
impl Context {
    fn new() -> Result<Self, Error> {
        // SAFETY: takes nothing, and returns a context that is ours or NULL.
        let context = unsafe { ffi::mnt_new_context() };
        if context.is_null() {
            Err(Error::new("", libc::ENOMEM))
        } else {
            Ok(Self(context))
        }
    }

    /// Translates what a mount or unmount returned: libmount knows the exit status of mount(8) and its message.
    fn result(&self, code: c_int) -> Result<(), Error> {
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
        // SAFETY: the buffer was zeroed, so it contains a NUL whatever libmount wrote.
        let message = unsafe { CStr::from_ptr(buffer.as_ptr()) }
            .to_string_lossy()
            .into_owned();
        // A helper such as mount.fuse may fail without a message.
        if message.is_empty() && errno == 0 {
            return Err(Error::new(format!("exit status {status}"), 0));
        }
        Err(Error::new(message, errno))
    }
}

#[allow(unsafe_code, reason = "frees the context")]
impl Drop for Context {
    fn drop(&mut self) {
        // SAFETY: made by mnt_new_context, freed once.
        unsafe { ffi::mnt_free_context(self.0) }
    }
}

/// A setter returns 0 or a negative errno.
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
    fn an_error_reports_that_nothing_is_mounted() {
        let directory = tempfile::tempdir().unwrap();
        let error = unmount(directory.path()).unwrap_err();
        assert!(error.to_string().contains("not mounted"), "{error}");
        assert!(!error.is_busy());
    }

    #[test]
    fn an_error_reports_a_missing_mount_point() {
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
