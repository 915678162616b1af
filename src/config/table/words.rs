//! The lines of a table and the words on them, as the shell of ceph's script splits them: joining, comments, quotes, commas.
//! What the words mean is the table's.

use anyhow::{Result, bail, ensure};

/// A line after joining.
pub struct Line {
    /// The number of its first line in the file, from 1.
    pub number: usize,
    /// Without backslashes and comment.
    pub characters: Vec<char>,
}

/// What is wrong with a line, and from which column on.
pub struct Problem {
    /// From 1.
    pub column: usize,
    /// A sentence.
    pub message: String,
}

/// `option` or `option=value`, with the column at which it starts.
pub struct Item {
    /// From 1.
    pub column: usize,
    /// Before `=`.
    pub name: String,
    /// After it.
    pub value: Option<String>,
}

impl Item {
    /// Its value, which it must have.
    pub fn word(&self) -> Result<String> {
        match self.value.as_deref() {
            None | Some("") => {
                bail!("option {0} needs a value, expected {0}=VALUE", self.name)
            }
            Some(value) => Ok(value.to_owned()),
        }
    }

    /// That it has none.
    pub fn flag(&self) -> Result<()> {
        let is_flag = self.value.is_none();
        ensure!(is_flag, "option {} takes no value", self.name);
        Ok(())
    }
}

/// Joins lines that end in a backslash, undoes other backslashes (as the shell's `read` does), and cuts comments.
pub fn logical_lines(text: &str) -> Vec<Line> {
    let mut lines = Vec::new();
    let mut current = Line {
        number: 1,
        characters: Vec::new(),
    };
    let (mut number, mut escaped) = (1, false);
    for c in text.chars() {
        match c {
            '\n' if escaped => number += 1,
            '\n' => {
                number += 1;
                lines.push(std::mem::replace(
                    &mut current,
                    Line {
                        number,
                        characters: Vec::new(),
                    },
                ));
            }
            '\\' if !escaped => {}
            _ => current.characters.push(c),
        }
        escaped = c == '\\' && !escaped;
    }
    lines.push(current);
    for line in &mut lines {
        let end = line
            .characters
            .iter()
            .position(|c| *c == '#')
            .unwrap_or(line.characters.len());
        line.characters.truncate(end);
    }
    lines
}

/// The column of a quote that has no second, which to the script is at the end of the line.
pub fn open_quote(line: &Line) -> Option<usize> {
    let name = line
        .characters
        .iter()
        .position(|c| !c.is_whitespace())
        .unwrap_or(0);
    let options = line.characters[name..]
        .iter()
        .position(|c| c.is_whitespace())
        .map_or(usize::MAX, |at| name + at);
    let quotes = line
        .characters
        .iter()
        .enumerate()
        .filter(|(at, c)| **c == '\'' && *at > options);
    let columns: Vec<usize> = quotes.map(|(at, _)| at + 1).collect();
    columns.last().copied().filter(|_| columns.len() % 2 == 1)
}

/// Splits the rest of a line at commas that are not quoted.
pub fn items(rest: &[char], offset: usize) -> Result<Vec<Item>, Problem> {
    let mut items = Vec::new();
    let mut quoted = false;
    let mut start = 0;
    for at in 0..=rest.len() {
        match rest.get(at) {
            Some('\'') => quoted = !quoted,
            Some(',') if quoted => {}
            Some(',') | None => {
                items.extend(item(&rest[start..at], offset + start)?);
                start = at + 1;
            }
            _ => {}
        }
    }
    Ok(items)
}

/// One item without its quotes; nothing for the empty one that a trailing comma leaves.
fn item(text: &[char], offset: usize) -> Result<Option<Item>, Problem> {
    let Some(lead) = text.iter().position(|c| !c.is_whitespace()) else {
        return Ok(None);
    };
    let trimmed = &text[lead..=text
        .iter()
        .rposition(|c| !c.is_whitespace())
        .unwrap_or(lead)];
    let (mut name, mut value, mut quoted) = (String::new(), None::<String>, false);
    for (at, c) in trimmed.iter().enumerate() {
        match (c, &mut value) {
            ('\'', _) => quoted = !quoted,
            ('=', None) if !quoted => value = Some(String::new()),
            (c, _) if c.is_whitespace() && !quoted => {
                let message =
                    "a blank inside an option, expected a comma between options".to_owned();
                return Err(Problem {
                    column: offset + lead + at + 1,
                    message,
                });
            }
            (c, Some(value)) => value.push(*c),
            (c, None) => name.push(*c),
        }
    }
    Ok(Some(Item {
        column: offset + lead + 1,
        name,
        value,
    }))
}
