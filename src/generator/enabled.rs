//! Whether the generator has anything to do here at all: not in an initrd, not in a container, not when the kernel's
//! command line says `rbdmap=no`, not when rbdmap.service is masked.
//!
//! The surprise: who switches it off while images are mounted, and then shuts down, would have them unmounted after the
//! network, or a job deleted for the circle. So the last two hold from the next boot on, when nothing is mapped.
//!
//! systemd tells a generator where it runs by environment variables (systemd.generator(7), since 251); the files
//! that it goes by itself are looked at as well, so that a run by hand answers the same.

use std::fs;

use crate::model::unit_name;
use crate::runtime::root::Root;
use crate::sys::file::read_if_there;

use super::admin_units::AdministratorUnits;

/// Whether nothing is to be generated, for a reason that somebody has chosen.
pub fn is_silent(root: &Root, administrator: &AdministratorUnits) -> bool {
    let is_off = || is_switched_off(root) || administrator.masks(unit_name::SERVICE);
    in_initrd(root) || in_container(root) || (is_off() && nothing_is_mapped(root))
}

fn nothing_is_mapped(root: &Root) -> bool {
    fs::read_dir(root.rbd_bus().join("devices")).is_ok_and(|mut devices| devices.next().is_none())
        || !root.rbd_bus().exists()
}

fn in_initrd(root: &Root) -> bool {
    std::env::var("SYSTEMD_IN_INITRD").is_ok_and(|value| value == "1")
        || root.initrd_release().exists()
}

/// A container has the host's kernel, and with it the host's images: they are not its to map at boot.
fn in_container(root: &Root) -> bool {
    std::env::var("SYSTEMD_VIRTUALIZATION").is_ok_and(|value| value.starts_with("container:"))
        || root.container().exists()
}

/// A command line that cannot be read switches nothing off.
fn is_switched_off(root: &Root) -> bool {
    matches!(read_if_there(&root.kernel_command_line()), Ok(Some(text)) if says_no(&text))
}

/// `rbdmap=` with one of systemd's words for no; of several, the last counts.
fn says_no(command_line: &str) -> bool {
    let value = command_line
        .split_ascii_whitespace()
        .filter_map(|word| word.strip_prefix("rbdmap="))
        .next_back();
    value.is_some_and(|value| {
        ["0", "no", "n", "false", "f", "off"].contains(&value.to_ascii_lowercase().as_str())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_word_on_the_command_line_counts() {
        let rows = [
            ("quiet rbdmap=no", true),
            ("rbdmap=0 ro\n", true),
            ("rbdmap=no rbdmap=yes", false),
            ("xrbdmap=no", false),
            ("rbdmap.debug=no", false),
            ("rbdmap=", false),
            ("", false),
        ];
        for (command_line, expected) in rows {
            assert_eq!(says_no(command_line), expected, "{command_line:?}");
        }
    }
}
