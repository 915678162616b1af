//! Whether the generator writes units at all. It writes none in an initrd, in a container, with `rbdmap=no` on the kernel
//! command line, and while rbdmap.service is masked.
//!
//! The last two take effect only while no image is mapped, that is, from the next boot on. Without units, a shutdown would
//! unmount the mapped images after the network has stopped, or systemd would delete a job to break an ordering cycle.
//!
//! systemd reports where a generator runs in environment variables (systemd.generator(7), since 251). The files from which
//! systemd itself decides this are read as well, so that a run by hand has the same result.

use std::env;
use std::fs;

use crate::model::unit_name;
use crate::runtime::root::Root;
use crate::sys::file::read_if_there;

use super::admin_units::AdministratorUnits;

/// The words that systemd reads as false (systemd `src/basic/parse-util.c`, parse_boolean).
const FALSE_WORDS: [&str; 6] = ["0", "no", "n", "false", "f", "off"];

/// Whether the generator writes units.
pub fn is_enabled(root: &Root, administrator: &AdministratorUnits) -> bool {
    // Even if images are mapped: they are the host's, or the initrd's own.
    if in_initrd(root) || in_container(root) {
        return false;
    }
    let is_switched_off = is_off_on_command_line(root) || administrator.masks(unit_name::SERVICE);
    !is_switched_off || is_an_image_mapped(root)
}

fn is_an_image_mapped(root: &Root) -> bool {
    let bus = root.rbd_bus();
    match fs::read_dir(bus.join("devices")) {
        Ok(mut devices) => devices.next().is_some(),
        // Without the module there is no bus. A bus that cannot be read may have mappings.
        Err(_) => bus.exists(),
    }
}

fn in_initrd(root: &Root) -> bool {
    env::var("SYSTEMD_IN_INITRD").is_ok_and(|value| value == "1") || root.initrd_release().exists()
}

/// A container shares the host's kernel and sees the host's images, but must not map them at boot.
fn in_container(root: &Root) -> bool {
    env::var("SYSTEMD_VIRTUALIZATION").is_ok_and(|value| value.starts_with("container:"))
        || root.container().exists()
}

/// An unreadable command line switches nothing off.
fn is_off_on_command_line(root: &Root) -> bool {
    match read_if_there(&root.kernel_command_line()) {
        Ok(Some(text)) => has_rbdmap_no(&text),
        Ok(None) | Err(_) => false,
    }
}

fn has_rbdmap_no(command_line: &str) -> bool {
    let words = command_line.split_ascii_whitespace();
    // The last one counts, as for systemd's own options.
    let value = words
        .filter_map(|word| word.strip_prefix("rbdmap="))
        .next_back();
    value.is_some_and(|value| FALSE_WORDS.contains(&value.to_ascii_lowercase().as_str()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_rbdmap_option_on_the_command_line_counts() {
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
            assert_eq!(has_rbdmap_no(command_line), expected, "{command_line:?}");
        }
    }
}
