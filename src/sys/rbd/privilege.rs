//! Whether the kernel would hear us at all: for a write to the rbd bus it wants CAP_SYS_ADMIN in the first user namespace, whatever
//! the file's mode says (linux `drivers/block/rbd.c`, add_store, since 5.9), which nobody has in a container with users of its own.
//!
//! Both are in /proc (proc_pid_status(5), user_namespaces(7)): `CapEff:` in hexadecimal, and in `uid_map` the one line that maps
//! all users to themselves.

use crate::runtime::root::Root;
use crate::sys::file::attribute;

/// CAP_SYS_ADMIN (linux `include/uapi/linux/capability.h`).
const SYS_ADMIN: u64 = 1 << 21;

/// What keeps us from writing, in words; nothing where it cannot be told.
pub fn lacking(root: &Root) -> Option<&'static str> {
    let read = |name: &str| attribute(&root.proc("self").join(name)).unwrap_or_default();
    if !is_capable(&read("status")) {
        return Some(
            "this process lacks the capability CAP_SYS_ADMIN, without which the kernel maps nothing",
        );
    }
    is_apart(&read("uid_map"))
        .then_some("this is a container with users of its own, for which the kernel maps nothing")
}

fn is_capable(status: &str) -> bool {
    let line = status.lines().find_map(|line| line.strip_prefix("CapEff:"));
    line.and_then(|hex| u64::from_str_radix(hex.trim(), 16).ok())
        .is_none_or(|set| set & SYS_ADMIN != 0)
}

fn is_apart(uid_map: &str) -> bool {
    let words: Vec<&str> = uid_map.split_whitespace().collect();
    !words.is_empty() && words != ["0", "0", "4294967295"]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn root_on_the_host_lacks_nothing_and_others_do() {
        assert!(is_capable("Name:\tx\nCapEff:\t000001ffffffffff\n") && is_capable(""));
        assert!(
            !is_capable("CapEff:\t000001ffffdfffff") && !is_capable("CapEff:\t0000000000000000")
        );
        assert!(!is_apart("         0          0 4294967295") && !is_apart(""));
        assert!(is_apart("         0     100000      65536") && is_apart("0 0 1"));
    }
}
