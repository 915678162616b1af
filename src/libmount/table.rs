//! Reads fstab(5) and mountinfo (proc(5)) with libmount's parser, and returns plain data.
//!
//! libmount decodes the octal escapes (`\040`), so a mount point with a space has a space here. A line that does not
//! parse is reported with its number and skipped, as mount(8) does. libmount keeps no line numbers for valid lines, so only
//! faults have one.

use std::ffi::{CStr, OsStr, c_char, c_int, c_void};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::ptr;

use crate::{Error, c_path, ffi};

/// One line of fstab.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// First field: a device path, `UUID=…`, `LABEL=…`, a directory for a bind mount, or a word such as `tmpfs`.
    pub source: String,
    /// Second field: the mount point, `none` for swap.
    pub target: PathBuf,
    /// Third field.
    pub fstype: String,
    /// Fourth field, as written; `defaults` if it is missing.
    pub options: String,
    /// Sixth field: fsck(8)'s pass, 0 for none.
    pub pass: i32,
}

/// One line of mountinfo.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mounted {
    /// Unique while it is mounted.
    pub id: i32,
    /// The mount that contains its mount point. That of the root of this process's namespace is not listed.
    pub parent: i32,
    /// Major and minor number of the device, `0:N` for file systems without one.
    pub device: (u32, u32),
    /// The directory of the file system that is mounted: `/` unless it is a bind mount or a subvolume.
    pub root: PathBuf,
    /// The mount point.
    pub target: PathBuf,
    /// The source that was passed to mount(2).
    pub source: String,
    /// The file system's type.
    pub fstype: String,
    /// The file system's own options as the kernel reports them, such as an overlay's `lowerdir=`.
    pub fs_options: String,
    /// Its propagation groups, such as `shared:1` and `master:2` (mount_namespaces(7)); empty for a private mount.
    pub groups: String,
}

/// A line that libmount could not read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// Its number in the file, from 1.
    pub line: usize,
}

/// Reads an fstab file: its entries in order, and its invalid lines. A missing file is an error.
pub fn fstab(path: &Path) -> Result<(Vec<Entry>, Vec<Fault>), Error> {
    let mut table = Table::new()?;
    let faults = table.parse(path, ffi::mnt_table_parse_fstab)?;
    Ok((table.collect(fstab_entry)?, faults))
}

/// Reads a mountinfo file: every mount of the namespace, in the kernel's order (a parent before its children).
pub fn mountinfo(path: &Path) -> Result<Vec<Mounted>, Error> {
    let mut table = Table::new()?;
    table.parse(path, ffi::mnt_table_parse_file)?;
    table.collect(mounted)
}

/// Owns a `libmnt_table`.
struct Table(*mut ffi::Table);

type ParseFunction = unsafe extern "C" fn(*mut ffi::Table, *const c_char) -> c_int;

#[allow(
    unsafe_code,
    reason = "calls into libmount.so.1, each with its reason below"
)]
impl Table {
    fn new() -> Result<Self, Error> {
        // SAFETY: takes nothing, and returns a table with one reference (ours) or NULL.
        let table = unsafe { ffi::mnt_new_table() };
        if table.is_null() {
            Err(Error::new("", libc::ENOMEM))
        } else {
            Ok(Self(table))
        }
    }

    /// Fills the table from a file, and returns the lines that could not be read.
    fn parse(&mut self, path: &Path, parse: ParseFunction) -> Result<Vec<Fault>, Error> {
        let name = c_path(path)?;
        let mut faults: Vec<Fault> = Vec::new();
        // SAFETY: the table is live; only the callback uses the pointer, only during the call, which `faults` outlives, and the
        // pointer is reset after it.
        let code = unsafe {
            ffi::mnt_table_set_parser_errcb(self.0, record_fault);
            ffi::mnt_table_set_userdata(self.0, (&raw mut faults).cast::<c_void>());
            let code = parse(self.0, name.as_ptr());
            ffi::mnt_table_set_userdata(self.0, ptr::null_mut());
            code
        };
        if code < 0 {
            Err(Error::new("", -code))
        } else {
            Ok(faults)
        }
    }

    /// All lines of the table, converted into plain data.
    fn collect<T>(&self, convert: fn(*mut ffi::Fs) -> T) -> Result<Vec<T>, Error> {
        let mut entries = Vec::new();
        // SAFETY: the iterator is used with this live table only and freed once; the table owns each `fs` that libmount
        // returns, which lives as long as the table.
        unsafe {
            let iter = ffi::mnt_new_iter(ffi::ITER_FORWARD);
            if iter.is_null() {
                return Err(Error::new("", libc::ENOMEM));
            }
            let mut fs = ptr::null_mut();
            while ffi::mnt_table_next_fs(self.0, iter, &raw mut fs) == 0 {
                entries.push(convert(fs));
            }
            ffi::mnt_free_iter(iter);
        }
        Ok(entries)
    }
}

#[allow(unsafe_code, reason = "releases the table")]
impl Drop for Table {
    fn drop(&mut self) {
        // SAFETY: made by mnt_new_table, released once.
        unsafe { ffi::mnt_unref_table(self.0) }
    }
}

/// libmount's callback for an invalid line: records its number and skips the line.
#[allow(unsafe_code, reason = "the userdata pointer is ours, see Table::parse")]
extern "C" fn record_fault(table: *mut ffi::Table, _file: *const c_char, line: c_int) -> c_int {
    // SAFETY: libmount calls this only inside Table::parse, while the pointer is that of the function's live Vec.
    if let Some(faults) = unsafe {
        ffi::mnt_table_get_userdata(table)
            .cast::<Vec<Fault>>()
            .as_mut()
    } {
        faults.push(Fault {
            line: usize::try_from(line).unwrap_or(0),
        });
    }
    1
}

#[allow(unsafe_code, reason = "reads fields of a live libmnt_fs")]
fn fstab_entry(fs: *mut ffi::Fs) -> Entry {
    // SAFETY: `fs` is live (see Table::collect); the strings are copied before it is freed.
    unsafe {
        Entry {
            source: text(ffi::mnt_fs_get_source(fs)),
            target: path(ffi::mnt_fs_get_target(fs)),
            fstype: text(ffi::mnt_fs_get_fstype(fs)),
            options: text(ffi::mnt_fs_get_options(fs)),
            pass: ffi::mnt_fs_get_passno(fs),
        }
    }
}

#[allow(unsafe_code, reason = "reads fields of a live libmnt_fs")]
fn mounted(fs: *mut ffi::Fs) -> Mounted {
    // SAFETY: as in fstab_entry.
    unsafe {
        let device = ffi::mnt_fs_get_devno(fs);
        Mounted {
            id: ffi::mnt_fs_get_id(fs),
            parent: ffi::mnt_fs_get_parent_id(fs),
            device: (libc::major(device), libc::minor(device)),
            root: path(ffi::mnt_fs_get_root(fs)),
            target: path(ffi::mnt_fs_get_target(fs)),
            source: text(ffi::mnt_fs_get_source(fs)),
            fstype: text(ffi::mnt_fs_get_fstype(fs)),
            fs_options: text(ffi::mnt_fs_get_fs_options(fs)),
            groups: text(ffi::mnt_fs_get_optional_fields(fs)),
        }
    }
}

/// A copy of a C string; empty for NULL, a field that is missing.
#[allow(unsafe_code, reason = "reads a C string that libmount owns")]
unsafe fn text(pointer: *const c_char) -> String {
    if pointer.is_null() {
        return String::new();
    }
    // SAFETY: the caller passes a NUL-terminated string of a live libmnt_fs.
    unsafe { CStr::from_ptr(pointer) }
        .to_string_lossy()
        .into_owned()
}

/// A copy of a C string as a path, byte for byte; empty for NULL.
#[allow(unsafe_code, reason = "reads a C string that libmount owns")]
unsafe fn path(pointer: *const c_char) -> PathBuf {
    if pointer.is_null() {
        return PathBuf::new();
    }
    // SAFETY: as in text.
    let bytes = unsafe { CStr::from_ptr(pointer) }.to_bytes();
    PathBuf::from(OsStr::from_bytes(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    fn file(text: &str) -> tempfile::NamedTempFile {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(text.as_bytes()).unwrap();
        file
    }

    #[test]
    fn fstab_keeps_the_order_and_decodes_escapes() {
        let file = file(
            "# a comment\n/dev/rbd/rbd/a /mnt/with\\040space xfs noauto 0 2\nLABEL=x /y ext4\n",
        );
        let (entries, faults) = fstab(file.path()).unwrap();
        assert_eq!(faults, []);
        assert_eq!(entries[0].target, PathBuf::from("/mnt/with space"));
        assert_eq!(
            (entries[0].options.as_str(), entries[0].pass),
            ("noauto", 2)
        );
        assert_eq!(
            (entries[1].source.as_str(), entries[1].pass),
            ("LABEL=x", 0)
        );
    }

    #[test]
    fn fstab_reports_the_number_of_an_invalid_line_and_keeps_the_others() {
        let file =
            file("/dev/rbd/rbd/a /a xfs noauto 0 0\nnonsense\n/dev/rbd/rbd/b /b xfs noauto 0 0\n");
        let (entries, faults) = fstab(file.path()).unwrap();
        assert_eq!(entries.len(), 2);
        assert_eq!(faults, [Fault { line: 2 }]);
    }

    #[test]
    fn a_missing_fstab_is_an_error_with_its_errno() {
        assert_eq!(
            fstab(Path::new("/nonexistent/fstab")).unwrap_err().errno(),
            Some(libc::ENOENT)
        );
    }

    #[test]
    fn mountinfo_of_this_process_has_a_root() {
        let mounts = mountinfo(Path::new("/proc/self/mountinfo")).unwrap();
        assert!(mounts.iter().any(|mount| mount.target == Path::new("/")));
    }

    #[test]
    fn mountinfo_gives_device_numbers_and_bind_roots() {
        let file = file("36 25 252:16 /sub /mnt/a\\040b rw,noatime shared:1 - ext4 /dev/rbd1 rw\n");
        let mounts = mountinfo(file.path()).unwrap();
        assert_eq!(mounts[0].device, (252, 16));
        assert_eq!(mounts[0].root, PathBuf::from("/sub"));
        assert_eq!(mounts[0].target, PathBuf::from("/mnt/a b"));
        assert_eq!(mounts[0].source, "/dev/rbd1");
        assert_eq!(
            (
                mounts[0].id,
                mounts[0].parent,
                mounts[0].fs_options.as_str()
            ),
            (36, 25, "rw")
        );
    }
}
