//! The C functions of libmount.so.1 that this crate calls, as `<libmount/libmount.h>` declares them.
//!
//! All of them exist with these signatures since util-linux 2.22 (2012); Debian 12 has 2.38. Opaque C structures
//! are empty enums behind pointers. Nothing here is public: the safe wrappers are in `table` and `context`.

use libc::{c_char, c_int, c_void, dev_t, size_t};

pub enum Table {}
pub enum Fs {}
pub enum Iter {}
pub enum Context {}

/// `MNT_ITER_FORWARD`: iterate over a table in the order of its lines.
pub const ITER_FORWARD: c_int = 0;

/// Called for a line that does not parse. A positive result skips the line, a negative one stops the parser.
pub type ParserErrorCallback = extern "C" fn(*mut Table, *const c_char, c_int) -> c_int;

#[link(name = "mount")]
unsafe extern "C" {
    pub fn mnt_new_table() -> *mut Table;
    pub fn mnt_unref_table(table: *mut Table);
    pub fn mnt_table_set_parser_errcb(table: *mut Table, callback: ParserErrorCallback) -> c_int;
    pub fn mnt_table_set_userdata(table: *mut Table, data: *mut c_void) -> c_int;
    pub fn mnt_table_get_userdata(table: *mut Table) -> *mut c_void;
    pub fn mnt_table_parse_fstab(table: *mut Table, path: *const c_char) -> c_int;
    pub fn mnt_table_parse_file(table: *mut Table, path: *const c_char) -> c_int;
    pub fn mnt_table_next_fs(table: *mut Table, iter: *mut Iter, fs: *mut *mut Fs) -> c_int;

    pub fn mnt_new_iter(direction: c_int) -> *mut Iter;
    pub fn mnt_free_iter(iter: *mut Iter);

    pub fn mnt_fs_get_source(fs: *mut Fs) -> *const c_char;
    pub fn mnt_fs_get_target(fs: *mut Fs) -> *const c_char;
    pub fn mnt_fs_get_fstype(fs: *mut Fs) -> *const c_char;
    pub fn mnt_fs_get_options(fs: *mut Fs) -> *const c_char;
    pub fn mnt_fs_get_root(fs: *mut Fs) -> *const c_char;
    pub fn mnt_fs_get_passno(fs: *mut Fs) -> c_int;
    pub fn mnt_fs_get_fs_options(fs: *mut Fs) -> *const c_char;
    pub fn mnt_fs_get_optional_fields(fs: *mut Fs) -> *const c_char;
    pub fn mnt_fs_get_id(fs: *mut Fs) -> c_int;
    pub fn mnt_fs_get_parent_id(fs: *mut Fs) -> c_int;
    pub fn mnt_fs_get_devno(fs: *mut Fs) -> dev_t;

    pub fn mnt_new_context() -> *mut Context;
    pub fn mnt_free_context(context: *mut Context);
    pub fn mnt_context_set_source(context: *mut Context, source: *const c_char) -> c_int;
    pub fn mnt_context_set_target(context: *mut Context, target: *const c_char) -> c_int;
    pub fn mnt_context_set_fstype(context: *mut Context, fstype: *const c_char) -> c_int;
    pub fn mnt_context_set_options(context: *mut Context, options: *const c_char) -> c_int;
    pub fn mnt_context_disable_swapmatch(context: *mut Context, disable: c_int) -> c_int;
    pub fn mnt_context_set_optsmode(context: *mut Context, mode: c_int) -> c_int;
    pub fn mnt_context_mount(context: *mut Context) -> c_int;
    pub fn mnt_context_enable_lazy(context: *mut Context, enable: c_int) -> c_int;
    pub fn mnt_context_umount(context: *mut Context) -> c_int;
    pub fn mnt_context_get_excode(
        context: *mut Context,
        code: c_int,
        buffer: *mut c_char,
        size: size_t,
    ) -> c_int;
    pub fn mnt_context_get_syscall_errno(context: *mut Context) -> c_int;
    pub fn mnt_context_syscall_called(context: *mut Context) -> c_int;
}

/// `MNT_OMODE_NOTAB`: use what was set on the context and do not read fstab.
pub const OPTIONS_MODE_NO_TABLE: c_int = 1 << 12;
