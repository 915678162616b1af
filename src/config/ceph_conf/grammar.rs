//! The grammar of ceph.conf and keyrings: sections of `key = value`, by Ceph's rules.
//!
//! Source: ceph `src/common/ConfUtils.cc` (`IniGrammer`), the same in 16.2 and 20.2. `#` and `;` start a comment anywhere, even
//! inside quotes, unless a backslash precedes them. Blanks in a key become one `_`, but dashes stay dashes. Keys are
//! case-sensitive. One bad line invalidates the file. This parser is more lenient than Ceph: the last line may lack its
//! newline, blanks may precede a section, and characters beyond ASCII are accepted.

use std::path::Path;

use anyhow::{Context, Result, bail, ensure};
use zeroize::Zeroizing;

use crate::model::fault::{Fault, Position};

/// One section of a file.
pub struct Section {
    /// The text between the brackets.
    pub name: String,
    /// The keys and values in the order of the file.
    pub pairs: Vec<(String, Zeroizing<String>)>,
}

/// The sections of a file's text in their order. `path` becomes part of the fault.
pub fn sections(path: &Path, text: &str) -> Result<Vec<Section>, Fault> {
    let mut sections = vec![Section::new("global".to_owned())];
    for (number, line) in logical_lines(text) {
        let line = without_comment(&line).trim();
        if !line.is_empty() {
            add_line(&mut sections, line)
                .map_err(|error| Fault::new(path, Position::line(number), error.to_string()))?;
        }
    }
    Ok(sections)
}

impl Section {
    fn new(name: String) -> Self {
        Self {
            name,
            pairs: Vec::new(),
        }
    }
}

fn add_line(sections: &mut Vec<Section>, line: &str) -> Result<()> {
    if let Some(rest) = line.strip_prefix('[') {
        sections.push(Section::new(section_name(rest)?));
        return Ok(());
    }
    let pair = pair(line)?;
    if let Some(section) = sections.last_mut() {
        section.pairs.push(pair);
    }
    Ok(())
}

/// The lines with their numbers; a line that ends in a backslash is joined with the next.
fn logical_lines(text: &str) -> Vec<(usize, Zeroizing<String>)> {
    // Ceph ends a line at \n, \r or \r\n.
    let physical = text
        .split('\n')
        .flat_map(|line| line.strip_suffix('\r').unwrap_or(line).split('\r'));
    let mut lines: Vec<(usize, Zeroizing<String>)> = Vec::new();
    let mut is_joined = false;
    for (at, line) in physical.enumerate() {
        match lines.last_mut() {
            Some((_, last)) if is_joined => last.push_str(line),
            _ => lines.push((at + 1, Zeroizing::new(line.to_owned()))),
        }
        is_joined = false;
        if let Some((_, last)) = lines.last_mut()
            && is_continued(last)
        {
            last.pop();
            is_joined = true;
        }
    }
    lines
}

/// Whether the next line continues a line: it ends in a backslash that no other backslash escapes, outside a comment.
fn is_continued(line: &str) -> bool {
    let backslashes = line.len() - line.trim_end_matches('\\').len();
    backslashes % 2 == 1 && without_comment(line).len() == line.len()
}

/// A line up to the first `#` or `;` that no backslash escapes.
fn without_comment(line: &str) -> &str {
    let mut escaped = false;
    for (at, c) in line.char_indices() {
        if !escaped && (c == '#' || c == ';') {
            return &line[..at];
        }
        escaped = c == '\\' && !escaped;
    }
    line
}

/// The name of a section. `rest` is the text after its opening bracket.
fn section_name(rest: &str) -> Result<String> {
    let mut escaped = false;
    let closing = rest.char_indices().find(|(_, c)| {
        let found = *c == ']' && !escaped;
        escaped = *c == '\\' && !escaped;
        found
    });
    let (at, _) = closing
        .with_context(|| format!("section {:?} has no closing bracket", format!("[{rest}")))?;
    let name = unescaped(&rest[..at]).to_string();
    let is_last = rest[at + 1..].trim().is_empty();
    ensure!(is_last, "text after section [{name}]");
    Ok(name)
}

fn pair(line: &str) -> Result<(String, Zeroizing<String>)> {
    // The message does not repeat the line, which may be a secret.
    let (key, value) = line
        .split_once('=')
        .context("a line without `=`, expected: key = value")?;
    // `mon host` and `mon_host` are the same key.
    let key = key.split_whitespace().collect::<Vec<_>>().join("_");
    if key.is_empty() {
        bail!("a value without a key, expected: key = value");
    }
    let value = value.trim();
    let value = match value.chars().next() {
        Some(quote @ ('"' | '\'')) => {
            quoted(&value[1..], quote).with_context(|| format!("{key}: the quotes do not match"))?
        }
        _ => unescaped(value),
    };
    // Ceph removes blanks at the ends even inside quotes.
    Ok((key, Zeroizing::new(value.trim().to_owned())))
}

/// The text before the closing quote; `None` if the value does not end with that quote.
fn quoted(rest: &str, quote: char) -> Option<Zeroizing<String>> {
    let inner = rest.strip_suffix(quote)?;
    let mut escaped = false;
    for c in inner.chars() {
        if c == quote && !escaped {
            return None;
        }
        escaped = c == '\\' && !escaped;
    }
    // A backslash before the last quote escapes it: then the value is not closed.
    (!escaped).then(|| unescaped(inner))
}

fn unescaped(text: &str) -> Zeroizing<String> {
    let mut out = Zeroizing::new(String::with_capacity(text.len()));
    let mut escaped = false;
    for c in text.chars() {
        escaped = c == '\\' && !escaped;
        if !escaped {
            out.push(c);
        }
    }
    out
}
