//! What is wrong in a file: where, what, and what to do. Printed as `file:line:column: sentence`, as editors expect it.

use std::fmt;
use std::path::{Path, PathBuf};

/// One thing wrong in a file that somebody wrote.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// The file.
    pub path: PathBuf,
    /// Line, from 1; 0 where the fault is the file's as a whole.
    pub line: usize,
    /// Column in characters, from 1; 0 where the whole line is meant.
    pub column: usize,
    /// A sentence: what is wrong and what would be right.
    pub message: String,
    /// Whether the line is served all the same.
    pub is_served: bool,
}

impl Fault {
    /// A fault at a place in `path`.
    pub fn new(path: &Path, (line, column): (usize, usize), message: impl Into<String>) -> Self {
        Self {
            path: path.to_owned(),
            line,
            column,
            message: message.into(),
            is_served: false,
        }
    }

    /// The same for something that looks wrong, but works.
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
        for number in [self.line, self.column]
            .into_iter()
            .take_while(|number| *number > 0)
        {
            write!(f, ":{number}")?;
        }
        write!(f, ": {}", self.message)
    }
}

impl std::error::Error for Fault {}

/// `; did you mean "x"?` when one of `known` is a slip of the keyboard away from `word`, else nothing.
pub fn suggestion(word: &str, known: &[&str]) -> String {
    let close = known.iter().map(|name| (distance(word, name), name)).min();
    match close {
        Some((steps, name)) if steps <= 1 + word.len() / 4 => format!("; did you mean {name:?}?"),
        _ => String::new(),
    }
}

/// Levenshtein's distance, one row at a time.
fn distance(a: &str, b: &str) -> usize {
    let mut row: Vec<usize> = (0..=b.chars().count()).collect();
    for (i, x) in a.chars().enumerate() {
        let mut corner = row[0];
        row[0] = i + 1;
        for (j, y) in b.chars().enumerate() {
            let swap = corner + usize::from(x != y);
            corner = row[j + 1];
            row[j + 1] = swap.min(row[j] + 1).min(corner + 1);
        }
    }
    row[b.chars().count()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_print_as_editors_expect() {
        let at =
            |line, column| Fault::new(Path::new("/etc/f"), (line, column), "wrong").to_string();
        assert_eq!(at(3, 7), "/etc/f:3:7: wrong");
        assert_eq!(at(3, 0), "/etc/f:3: wrong");
        assert_eq!(at(0, 0), "/etc/f: wrong");
    }

    #[test]
    fn slips_are_suggested_and_strangers_are_not() {
        assert_eq!(
            suggestion("keyrng", &["id", "keyring", "keyfile"]),
            "; did you mean \"keyring\"?"
        );
        assert_eq!(suggestion("colour", &["id", "keyring"]), "");
    }
}
