//! How values are written into unit files (systemd.syntax(7)), and which words are names of units.

use std::borrow::Borrow;
use std::path::Path;

use crate::model::unit_name::escape_specifiers;

/// Suffixes of units that an fstab option may name (systemd.unit(5)).
const UNIT_SUFFIXES: &[&str] = &[
    "service",
    "mount",
    "target",
    "socket",
    "device",
    "path",
    "timer",
    "swap",
    "slice",
    "automount",
];

/// A line of a unit file; empty without a value.
pub fn setting(key: &str, value: Option<&str>) -> String {
    match value {
        Some(value) => format!("{key}={}\n", escape_specifiers(value)),
        None => String::new(),
    }
}

/// The value of `Environment=` that sets a variable to words separated by blanks.
pub fn environment_value<S: Borrow<str>>(name: &str, words: &[S]) -> String {
    let words = escape_specifiers(&words.join(" "));
    // In quotes a backslash begins an escape sequence, and names of units contain `\x2d`.
    format!("\"{name}={}\"", words.replace('\\', r"\\"))
}

/// A path as a word of a list. Nothing if it has quotes or control characters: systemd has no way to write them there.
pub fn path_word(path: &Path) -> Option<String> {
    let path = escape_specifiers(&path.to_string_lossy());
    if path.contains(|c: char| c == '"' || c == '\'' || c.is_control()) {
        None
    } else if path.contains(char::is_whitespace) {
        Some(format!("\"{path}\""))
    } else {
        Some(path)
    }
}

/// Whether a word is the full name of a unit, so that systemd completes nothing.
pub fn is_unit_name(word: &str) -> bool {
    let (name, suffix) = word.rsplit_once('.').unwrap_or_default();
    !name.is_empty() && UNIT_SUFFIXES.contains(&suffix) && word.chars().all(is_allowed_in_unit_name)
}

fn is_allowed_in_unit_name(c: char) -> bool {
    c.is_ascii_alphanumeric() || r":-_.\@".contains(c)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_with_blanks_are_quoted_and_unwritable_paths_are_left_out() {
        let rows = [
            ("/k/a", Some("/k/a")),
            ("/k/my key", Some("\"/k/my key\"")),
            ("/k/100%", Some("/k/100%%")),
            ("/k/\"", None),
            ("/k/'", None),
            ("/k/\n", None),
        ];
        for (path, expected) in rows {
            assert_eq!(path_word(Path::new(path)).as_deref(), expected, "{path:?}");
        }
    }

    #[test]
    fn words_in_an_environment_variable_keep_backslashes_and_percent_signs() {
        assert_eq!(
            environment_value("UNITS", &[r"a\x2db.mount", "100%.mount"]),
            r#""UNITS=a\\x2db.mount 100%%.mount""#
        );
    }

    #[test]
    fn only_full_names_are_names_of_units() {
        for (word, expected) in [
            ("a@b.service", true),
            (r"a\x2db.mount", true),
            ("a", false),
            (".service", false),
            ("a.unknown", false),
            ("a b.service", false),
        ] {
            assert_eq!(is_unit_name(word), expected, "{word}");
        }
    }
}
