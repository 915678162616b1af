//! Names as udev writes them into links below /dev (systemd `src/shared/device-nodes.c` and `src/shared/udev-util.c`).

/// A tag's value in /dev/disk/by-TAG/, by encode_devnode_name: other characters become `\xNN`.
pub fn encode_tag(value: &str) -> String {
    let mut encoded = String::with_capacity(value.len());
    for c in value.chars() {
        if is_allowed(c) {
            encoded.push(c);
        } else {
            encoded.push_str(&format!("\\x{:02x}", c as u32));
        }
    }
    encoded
}

/// A path in `SYMLINK+=`, by udev_replace_chars: other characters become `_`.
pub fn replace_in_path(path: &str) -> String {
    path.replace(|c| !is_allowed(c) && c != '/', "_")
}

/// ASCII letters and digits, some signs, and everything beyond ASCII.
fn is_allowed(c: char) -> bool {
    !c.is_ascii() || c.is_ascii_alphanumeric() || "#+-.:=@_".contains(c)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn characters_that_udev_does_not_allow_are_encoded_in_tags_and_replaced_in_paths() {
        let rows = [
            ("my data", r"my\x20data", "my_data"),
            ("a/b", r"a\x2fb", "a/b"),
            ("größe$", r"größe\x24", "größe_"),
            ("a#+-.:=@_9", "a#+-.:=@_9", "a#+-.:=@_9"),
        ];
        for (name, encoded, replaced) in rows {
            assert_eq!(encode_tag(name), encoded);
            assert_eq!(replace_in_path(name), replaced);
        }
    }
}
