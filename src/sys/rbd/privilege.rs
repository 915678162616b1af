//! Whether the kernel accepts requests from this process: a write to the rbd bus requires CAP_SYS_ADMIN in the first user
//! namespace, whatever the mode of the file (linux `drivers/block/rbd.c`, add_store, since 5.9). No process in a container with
//! a user namespace has that.
//!
//! /proc shows both (proc_pid_status(5), user_namespaces(7)): `CapEff:` is a set in hexadecimal, and in the first user namespace
//! `uid_map` is one line that maps all users to themselves.

use crate::runtime::root::Root;
use crate::sys::file::attribute;

/// CAP_SYS_ADMIN (linux `include/uapi/linux/capability.h`).
const SYS_ADMIN: u64 = 1 << 21;

/// Why the kernel would accept no request; `None` if nothing is missing or /proc does not show it.
pub fn missing(root: &Root) -> Option<&'static str> {
    let process = root.proc("self");
    let status = attribute(&process.join("status")).unwrap_or_default();
    if !is_capable(&status) {
        return Some(
            "this process lacks the capability CAP_SYS_ADMIN, which the kernel requires to map an image",
        );
    }
    let uid_map = attribute(&process.join("uid_map")).unwrap_or_default();
    is_user_namespace(&uid_map).then_some(
        "this is a container with a user namespace of its own, from which the kernel maps no image",
    )
}

fn is_capable(status: &str) -> bool {
    let line = status.lines().find_map(|line| line.strip_prefix("CapEff:"));
    let set = line.and_then(|hex| u64::from_str_radix(hex.trim(), 16).ok());
    // If the set is not known, the kernel has to decide.
    set.is_none_or(|set| set & SYS_ADMIN != 0)
}

/// Whether it is not the first user namespace.
fn is_user_namespace(uid_map: &str) -> bool {
    let words: Vec<&str> = uid_map.split_whitespace().collect();
    !words.is_empty() && words != ["0", "0", "4294967295"]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn root_on_the_host_lacks_nothing_and_others_do() {
        assert!(is_capable("Name:\tx\nCapEff:\t000001ffffffffff\n") && is_capable(""));
        assert!(!is_capable("CapEff:\t000001ffffdfffff"));
        assert!(!is_capable("CapEff:\t0000000000000000"));
        assert!(!is_user_namespace("         0          0 4294967295") && !is_user_namespace(""));
        assert!(is_user_namespace("         0     100000      65536"));
        assert!(is_user_namespace("0 0 1"));
    }
}
