//! A Ceph key in the kernel keyring of the calling thread: `add_key(2)` with the type `ceph`, unlinked when dropped.
//!
//! Format: the payload is the key's decoded bytes (not base64), the description any text, by convention `client.ID`;
//! the line written to the rbd bus then contains `key=DESCRIPTION` (linux `net/ceph/ceph_common.c`, 2.6.39 and later).
//! libceph registers the type when it is loaded: before that, add_key fails with ENODEV.
//!
//! A keyring belongs to the credentials of a *thread*. A key that one thread adds is not found by a write of another thread,
//! which fails with EPERM. Therefore the type here cannot leave its thread.

use std::ffi::{CStr, CString};
use std::io;
use std::marker::PhantomData;

/// `KEY_SPEC_THREAD_KEYRING` of `<linux/keyctl.h>`: the calling thread's keyring, which the kernel creates on first use.
const THREAD_KEYRING: libc::c_int = -1;
/// `KEYCTL_UNLINK` of `<linux/keyctl.h>`.
const UNLINK: libc::c_int = 9;

/// A key that is in this thread's keyring for as long as the value lives.
#[derive(Debug)]
pub struct ThreadKey {
    serial: libc::c_long,
    /// Keeps the value on the thread whose keyring holds the key: raw pointers are neither Send nor Sync.
    _on_this_thread: PhantomData<*const ()>,
}

impl ThreadKey {
    /// Adds a key of type `ceph`. Errors are those of add_key(2): ENODEV or ENOSYS without kernel support for the type, EDQUOT if
    /// the user's key quota is exhausted, EINVAL for a payload that is not a Ceph key.
    pub fn add(description: &str, payload: &[u8]) -> io::Result<Self> {
        let description =
            CString::new(description).map_err(|_| io::Error::from_raw_os_error(libc::EINVAL))?;
        let serial = add(&description, payload);
        if serial < 0 {
            return Err(io::Error::last_os_error());
        }
        Ok(Self {
            serial,
            _on_this_thread: PhantomData,
        })
    }
}

/// The system call alone: returns the key's serial number, or -1 and errno.
#[allow(
    unsafe_code,
    reason = "add_key(2) has no wrapper in the C library and no crate offers the type `ceph`"
)]
pub(crate) fn add(description: &CStr, payload: &[u8]) -> libc::c_long {
    // SAFETY: two NUL-terminated strings and a buffer with its length, all live during the call; the kernel copies
    // them and keeps no pointer.
    unsafe {
        libc::syscall(
            libc::SYS_add_key,
            c"ceph".as_ptr(),
            description.as_ptr(),
            payload.as_ptr(),
            payload.len(),
            THREAD_KEYRING,
        )
    }
}

impl Drop for ThreadKey {
    #[allow(unsafe_code, reason = "keyctl(2) has no wrapper in the C library")]
    fn drop(&mut self) {
        // SAFETY: numbers only. If it fails, the key stays until the end of the thread, which unlinks it as well.
        unsafe { libc::syscall(libc::SYS_keyctl, UNLINK, self.serial, THREAD_KEYRING) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The kernel knows the type only if libceph is loaded; this needs no kernel.
    #[test]
    fn a_nul_in_the_description_is_refused_before_the_system_call() {
        assert_eq!(
            ThreadKey::add("client.\0", b"x")
                .unwrap_err()
                .raw_os_error(),
            Some(libc::EINVAL)
        );
    }

    #[test]
    fn an_empty_payload_is_refused_by_the_kernel() {
        assert!(ThreadKey::add("client.test", b"").is_err());
    }
}
