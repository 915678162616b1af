//! What is wrong in a configuration file: where, what, and what to do. A fault prints as `file:line:column: sentence`, the form
//! that editors recognise.

use std::fmt;
use std::path::{Path, PathBuf};

/// One thing wrong in a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// The file.
    pub path: PathBuf,
    /// The position in the file.
    pub position: Position,
    /// A sentence: what is wrong and what is expected.
    pub message: String,
    /// Whether the program uses the line in spite of the fault.
    pub is_served: bool,
}

/// A position in a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position {
    /// The line, from 1; 0 for the file as a whole.
    pub line: usize,
    /// The column in characters, from 1; 0 for the whole line.
    pub column: usize,
}

impl Position {
    /// The file as a whole.
    pub const FILE: Self = Self { line: 0, column: 0 };

    /// A whole line.
    pub fn line(line: usize) -> Self {
        Self { line, column: 0 }
    }

    /// The position of a byte of a text.
    pub fn from_offset(text: &str, offset: usize) -> Self {
        let before = text.get(..offset).unwrap_or(text);
        let line = before.rsplit('\n').next().unwrap_or_default();
        Self {
            line: before.matches('\n').count() + 1,
            column: line.chars().count() + 1,
        }
    }
}

impl Fault {
    /// A fault for which the program ignores what is at this position.
    pub fn new(path: &Path, position: Position, message: impl Into<String>) -> Self {
        Self {
            path: path.to_owned(),
            position,
            message: message.into(),
            is_served: false,
        }
    }

    /// The same fault in a line that the program uses all the same.
    pub fn served(self) -> Self {
        Self {
            is_served: true,
            ..self
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.path.display())?;
        for number in [self.position.line, self.position.column] {
            if number == 0 {
                break;
            }
            write!(f, ":{number}")?;
        }
        write!(f, ": {}", self.message)
    }
}

impl std::error::Error for Fault {}

/// `; did you mean "x"?` for the name in `known` that `word` misspells, or nothing if it resembles none of them.
pub fn suggestion(word: &str, known: &[&str]) -> String {
    let closest = known
        .iter()
        .map(|name| (strsim::levenshtein(word, name), name))
        .min();
    match closest {
        // One wrong letter in four: beyond that, a suggestion misleads more often than it helps.
        Some((distance, name)) if distance <= 1 + word.len() / 4 => {
            format!("; did you mean {name:?}?")
        }
        _ => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn printed(line: usize, column: usize) -> String {
        Fault::new(Path::new("/etc/f"), Position { line, column }, "wrong").to_string()
    }

    #[test]
    fn positions_print_in_the_form_that_editors_recognise() {
        assert_eq!(printed(3, 7), "/etc/f:3:7: wrong");
        assert_eq!(printed(3, 0), "/etc/f:3: wrong");
        assert_eq!(printed(0, 0), "/etc/f: wrong");
    }

    #[test]
    fn a_position_counts_lines_and_characters_from_one() {
        let text = "é = 1\nü = 2\n";
        assert_eq!(
            Position::from_offset(text, 0),
            Position { line: 1, column: 1 }
        );
        let second_equals = text.rfind('=').unwrap();
        let expected = Position { line: 2, column: 3 };
        assert_eq!(Position::from_offset(text, second_equals), expected);
    }

    #[test]
    fn a_misspelt_name_is_suggested_and_an_unrelated_one_is_not() {
        assert_eq!(
            suggestion("keyrng", &["id", "keyring", "keyfile"]),
            "; did you mean \"keyring\"?"
        );
        assert_eq!(suggestion("colour", &["id", "keyring"]), "");
    }
}
