//! A safe wrapper over the part of util-linux's libmount that rbdmap uses: reading fstab and mountinfo, and mounting
//! and unmounting with everything that mount(8) does (tags, helpers, `x-` options, utab).
//!
//! It contains the `unsafe` code of those calls and nothing else: its caller decides what to mount, and when.

mod context;
#[allow(
    unsafe_code,
    reason = "declarations of C functions; each call is wrapped, and has its reason there"
)]
mod ffi;
mod table;

pub use context::{MountRequest, detach, mount, unmount};
pub use table::{Entry, Fault, Mounted, fstab, mountinfo};

use std::ffi::CString;
use std::fmt;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

/// Why a call of libmount failed.
#[derive(Debug)]
pub struct Error {
    /// libmount's own message, as mount(8) would print it.
    message: String,
    /// The errno of the system call, 0 if none failed (a helper such as mount.fuse failed, or the arguments are invalid).
    errno: i32,
}

impl Error {
    fn new(message: impl Into<String>, errno: i32) -> Self {
        Self {
            message: message.into(),
            errno,
        }
    }

    /// The errno of the system call that failed, if one did.
    pub fn errno(&self) -> Option<i32> {
        (self.errno > 0).then_some(self.errno)
    }

    /// Whether the file system is in use (`EBUSY`), so that a retry may succeed.
    pub fn is_busy(&self) -> bool {
        self.errno == libc::EBUSY
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.errno() {
            Some(errno) if self.message.is_empty() => {
                write!(f, "{}", io::Error::from_raw_os_error(errno))
            }
            _ => write!(f, "{}", self.message),
        }
    }
}

impl std::error::Error for Error {}

/// Converts text from a file or the command line into a C string; fails if it contains a NUL.
fn c_string(text: &str) -> Result<CString, Error> {
    CString::new(text)
        .map_err(|_| Error::new(format!("{text:?} contains a NUL character"), libc::EINVAL))
}

/// The same for a path, byte for byte: a mount point need not be UTF-8.
fn c_path(path: &Path) -> Result<CString, Error> {
    let bytes = path.as_os_str().as_bytes();
    CString::new(bytes)
        .map_err(|_| Error::new(format!("{path:?} contains a NUL character"), libc::EINVAL))
}
