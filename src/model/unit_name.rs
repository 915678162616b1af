//! Names of units, by the rules of systemd-escape(1) (systemd `src/basic/unit-name.c`): `/` becomes `-`; everything except
//! ASCII letters, digits, `:`, `_` and `.` becomes `\xNN`, and so does a leading dot.

use std::path::Path;

use super::image_spec::ImageSpec;

/// The template of the units that map images. Drop-ins for it apply to all of them.
pub const TEMPLATE: &str = "rbdmap@.service";

/// The units of all images, as a pattern of systemctl(1).
pub const ALL_INSTANCES: &str = "rbdmap@*.service";

/// The unit that an administrator enables. It wants the units of all images.
pub const SERVICE: &str = "rbdmap.service";

/// The unit that starts the images for which boot does not wait.
pub const NOFAIL: &str = "rbdmap-nofail.service";

/// The environment variable with the units that [`NOFAIL`] starts, separated by blanks.
pub const NOFAIL_INSTANCES_VARIABLE: &str = "RBDMAP_INSTANCES";

/// The environment variable that only the unit of an image with `nofail` has: the units to start once the image is mapped,
/// separated by blanks.
pub const NOFAIL_DEPENDENTS_VARIABLE: &str = "RBDMAP_NOFAIL";

/// Whether a unit is one of this program.
pub fn is_own(unit: &str) -> bool {
    unit.starts_with("rbdmap")
}

/// The unit that maps an image, `rbdmap@pool-image.service`.
pub fn instance(spec: &ImageSpec) -> String {
    format!("rbdmap@{}.service", escape(&spec.to_string()))
}

/// The unit that calls an image's hook, `rbdmap-hook@pool-image.service`.
pub fn hook(spec: &ImageSpec) -> String {
    format!("rbdmap-hook@{}.service", escape(&spec.to_string()))
}

/// The unit of a device node, `dev-rbd-pool-image.device`.
pub fn device(path: &Path) -> String {
    format!("{}.device", escape_path(path))
}

/// The unit of a mount point, `mnt-x.mount`.
pub fn mount(target: &Path) -> String {
    format!("{}.mount", escape_path(target))
}

/// Escapes a string for the name of a unit, as `systemd-escape STRING`.
pub fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len() + 16);
    for (at, byte) in text.bytes().enumerate() {
        escape_byte(byte, at == 0, &mut escaped);
    }
    escaped
}

/// Escapes a path for the name of a unit, as `systemd-escape --path PATH`: leading, trailing and double slashes are dropped,
/// and `/` is `-`.
pub fn escape_path(path: &Path) -> String {
    let text = path.to_string_lossy();
    let mut escaped = String::with_capacity(text.len() + 16);
    for part in text
        .split('/')
        .filter(|part| !part.is_empty() && *part != ".")
    {
        if !escaped.is_empty() {
            escaped.push('-');
        }
        for byte in part.bytes() {
            escape_byte(byte, escaped.is_empty(), &mut escaped);
        }
    }
    if escaped.is_empty() {
        "-".to_owned()
    } else {
        escaped
    }
}

/// Escapes a value for a unit file, where systemd would expand specifiers.
pub fn escape_specifiers(value: &str) -> String {
    value.replace('%', "%%")
}

fn escape_byte(byte: u8, first: bool, escaped: &mut String) {
    match byte {
        b'/' => escaped.push('-'),
        // A name with a leading dot would be a hidden file.
        b'.' if first => escaped.push_str(r"\x2e"),
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b':' | b'_' | b'.' => {
            escaped.push(char::from(byte))
        }
        _ => escaped.push_str(&format!(r"\x{byte:02x}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_string_is_escaped_as_by_systemd_escape() {
        let rows = [
            ("rbd/image", "rbd-image"),
            ("rbd/my-image", r"rbd-my\x2dimage"),
            (".hidden/x", r"\x2ehidden-x"),
            ("p/n/i@s", r"p-n-i\x40s"),
            ("p/größe", r"p-gr\xc3\xb6\xc3\x9fe"),
        ];
        for (text, escaped) in rows {
            assert_eq!(escape(text), escaped);
        }
    }

    #[test]
    fn a_path_is_escaped_without_its_outer_slashes() {
        let rows = [
            ("/", "-"),
            ("/.a/.b", r"\x2ea-.b"),
            ("/mnt/x/", "mnt-x"),
            ("/mnt//a b", r"mnt-a\x20b"),
            ("/dev/rbd/rbd/i", "dev-rbd-rbd-i"),
        ];
        for (path, escaped) in rows {
            assert_eq!(escape_path(Path::new(path)), escaped);
        }
    }

    #[test]
    fn percent_signs_are_doubled() {
        assert_eq!(escape_specifiers("100%"), "100%%");
    }
}
