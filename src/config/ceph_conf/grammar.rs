//! The grammar of ceph.conf and keyrings: sections of `key = value`, by Ceph's own rules.
//!
//! Source: ceph `src/common/ConfUtils.cc` (`IniGrammer`), the same in 16.2 and 20.2. What surprises: `#` *and* `;`
//! start a comment anywhere, even inside quotes, unless a backslash precedes; blanks in a key are one `_`, but dashes
//! stay dashes; keys are case-sensitive; one bad line fails the file. Kinder than Ceph: the last line may lack its newline,
//! blanks may precede a section, and there may be letters beyond ASCII.

use std::path::Path;

use anyhow::{Context, Result, bail, ensure};
use zeroize::Zeroizing;

use crate::model::fault::Fault;

/// One section, as it stands in the file.
pub struct Section {
    /// What is between the brackets.
    pub name: String,
    /// Keys and values, in their order.
    pub pairs: Vec<(String, Zeroizing<String>)>,
}

/// The sections of a file's text, in their order. `path` is for the fault only.
pub fn sections(path: &Path, text: &str) -> Result<Vec<Section>, Fault> {
    let mut sections = vec![Section {
        name: "global".to_owned(),
        pairs: Vec::new(),
    }];
    for (number, line) in logical_lines(text) {
        let line = without_comment(&line).trim();
        if let Some(rest) = line.strip_prefix('[') {
            let name = section_name(rest)
                .map_err(|error| Fault::new(path, (number, 0), error.to_string()))?;
            sections.push(Section {
                name,
                pairs: Vec::new(),
            });
        } else if !line.is_empty() {
            let pair =
                pair(line).map_err(|error| Fault::new(path, (number, 0), error.to_string()))?;
            if let Some(section) = sections.last_mut() {
                section.pairs.push(pair);
            }
        }
    }
    Ok(sections)
}

/// Lines with their numbers, those that end in a backslash joined with the next.
fn logical_lines(text: &str) -> Vec<(usize, Zeroizing<String>)> {
    let physical = text
        .split('\n')
        .flat_map(|line| line.strip_suffix('\r').unwrap_or(line).split('\r'));
    let mut lines: Vec<(usize, Zeroizing<String>)> = Vec::new();
    let mut joining = false;
    for (at, line) in physical.enumerate() {
        match lines.last_mut() {
            Some((_, last)) if joining => last.push_str(line),
            _ => lines.push((at + 1, Zeroizing::new(line.to_owned()))),
        }
        joining = lines
            .last_mut()
            .is_some_and(|(_, last)| is_continued(last) && last.pop().is_some());
    }
    lines
}

/// Whether a line goes on in the next: its last backslash is none that another one protects, and it is no comment.
fn is_continued(line: &str) -> bool {
    let backslashes = line.len() - line.trim_end_matches('\\').len();
    backslashes % 2 == 1 && without_comment(line).len() == line.len()
}

/// A line up to the first `#` or `;` that no backslash protects.
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

/// The name of a section from what follows its opening bracket.
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
    // The line may be a secret: it is not repeated in the message.
    let (key, value) = line
        .split_once('=')
        .context("a line without `=`, expected: key = value")?;
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
    // Quotes keep no blanks at the ends.
    Ok((key, Zeroizing::new(value.trim().to_owned())))
}

/// What stands before the closing quote, if that ends the value.
fn quoted(rest: &str, quote: char) -> Option<Zeroizing<String>> {
    let inner = rest.strip_suffix(quote)?;
    let mut escaped = false;
    for c in inner.chars() {
        if c == quote && !escaped {
            return None;
        }
        escaped = c == '\\' && !escaped;
    }
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
