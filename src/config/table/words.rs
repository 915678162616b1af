//! The lines of a table and the words on them, split as the shell of Ceph's script splits them: continued lines, comments,
//! quotes, commas. The table decides what the words mean.

use std::ops::Range;

use anyhow::{Result, bail, ensure};

/// A line after continued lines are joined.
pub struct Line {
    /// The number of its first line in the file, from 1.
    pub number: usize,
    /// The characters without backslashes and comment.
    pub characters: Vec<char>,
}

/// What is wrong in a line, and where.
#[derive(Debug)]
pub struct ColumnError {
    /// The column at which the fault starts, from 1.
    pub column: usize,
    /// A sentence.
    pub message: String,
}

impl ColumnError {
    /// An error that is found at a column.
    pub fn new(column: usize, error: &anyhow::Error) -> Self {
        let message = error.to_string();
        Self { column, message }
    }
}

/// `option` or `option=value`.
pub struct Item {
    /// The column at which it starts, from 1.
    pub column: usize,
    /// The text before `=`.
    pub name: String,
    /// The text after `=`; `None` without `=`.
    pub value: Option<String>,
}

impl Item {
    /// The value of an option that must have one.
    pub fn required_value(&self) -> Result<String> {
        match self.value.as_deref() {
            None | Some("") => {
                bail!("option {0} needs a value, expected {0}=VALUE", self.name)
            }
            Some(value) => Ok(value.to_owned()),
        }
    }

    /// Fails if an option that takes no value has one.
    pub fn refuse_value(&self) -> Result<()> {
        let is_flag = self.value.is_none();
        ensure!(is_flag, "option {} takes no value", self.name);
        Ok(())
    }
}

/// Joins lines that end in a backslash, removes other backslashes as the shell's `read` does, and removes comments.
pub fn logical_lines(text: &str) -> Vec<Line> {
    // The script uses `read` without -r, which removes backslashes and joins lines.
    let mut lines = Vec::new();
    let mut number = 1;
    let mut line = Line::new(number);
    let mut is_escaped = false;
    for c in text.chars() {
        match c {
            '\n' if is_escaped => number += 1,
            '\n' => {
                number += 1;
                lines.push(std::mem::replace(&mut line, Line::new(number)));
            }
            '\\' if !is_escaped => {}
            _ => line.characters.push(c),
        }
        is_escaped = c == '\\' && !is_escaped;
    }
    lines.push(line);
    for line in &mut lines {
        line.remove_comment();
    }
    lines
}

impl Line {
    fn new(number: usize) -> Self {
        Self {
            number,
            characters: Vec::new(),
        }
    }

    /// As in the script, `#` starts a comment even inside quotes.
    fn remove_comment(&mut self) {
        if let Some(start) = self.characters.iter().position(|c| *c == '#') {
            self.characters.truncate(start);
        }
    }

    /// The first word of the line, the image's name; `None` for an empty line.
    pub fn name(&self) -> Option<Range<usize>> {
        let start = self.characters.iter().position(|c| !c.is_whitespace())?;
        let length = self.characters[start..]
            .iter()
            .position(|c| c.is_whitespace());
        let end = length.map_or(self.characters.len(), |length| start + length);
        Some(start..end)
    }

    /// The column of a quote in the options that is not closed.
    pub fn open_quote(&self) -> Option<usize> {
        let options = self.name()?.end;
        let mut open = None;
        for (at, c) in self.characters.iter().enumerate().skip(options) {
            if *c == '\'' {
                // The second of two quotes closes the first.
                open = if open.is_none() { Some(at + 1) } else { None };
            }
        }
        open
    }
}

/// Splits the options of a line at commas outside quotes. `offset` is the number of characters before them.
pub fn items(options: &[char], offset: usize) -> Result<Vec<Item>, ColumnError> {
    let mut items = Vec::new();
    let mut is_quoted = false;
    let mut start = 0;
    for at in 0..=options.len() {
        match options.get(at) {
            Some('\'') => is_quoted = !is_quoted,
            Some(',') if is_quoted => {}
            Some(',') | None => {
                items.extend(item(&options[start..at], offset + start)?);
                start = at + 1;
            }
            _ => {}
        }
    }
    Ok(items)
}

/// One item without its quotes; `None` for the empty one after a trailing comma.
fn item(text: &[char], offset: usize) -> Result<Option<Item>, ColumnError> {
    let first = text.iter().position(|c| !c.is_whitespace());
    let last = text.iter().rposition(|c| !c.is_whitespace());
    let (Some(first), Some(last)) = (first, last) else {
        return Ok(None);
    };
    let column = offset + first + 1;
    let mut item = Item {
        column,
        name: String::new(),
        value: None,
    };
    let mut is_quoted = false;
    for (at, c) in text[first..=last].iter().enumerate() {
        match (c, &mut item.value) {
            ('\'', _) => is_quoted = !is_quoted,
            ('=', None) if !is_quoted => item.value = Some(String::new()),
            (c, _) if c.is_whitespace() && !is_quoted => {
                return Err(ColumnError {
                    column: column + at,
                    message: "a blank inside an option, expected a comma between options".into(),
                });
            }
            (c, Some(value)) => value.push(*c),
            (c, None) => item.name.push(*c),
        }
    }
    Ok(Some(item))
}
