//! Rows on a terminal, in a pipe, and as JSON (packaging/data/status.schema.json).

use std::io::{IsTerminal, stdout};

use anyhow::Result;
use serde::Serialize;

use super::holder_json::HolderJson;
use super::state::StatusRow;

/// What is printed on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Layout {
    /// So many columns; what is too long goes on in a line of its own.
    Terminal(usize),
    /// For programs: fields between tabs, sizes in bytes.
    Pipe,
}

impl Layout {
    /// What standard output is. A terminal is as wide as `$COLUMNS` says, which shells export where it matters.
    pub fn of_stdout() -> Self {
        let columns = std::env::var("COLUMNS")
            .ok()
            .and_then(|text| text.parse().ok());
        if stdout().is_terminal() {
            Self::Terminal(columns.unwrap_or(80))
        } else {
            Self::Pipe
        }
    }
}

const HEADER: [&str; 6] = ["IMAGE", "STATE", "DEVICE", "SIZE", "MODE", "MOUNTED ON"];

/// A line for each image below a heading; problems have their reason below them, or as the last field.
pub fn table(rows: &[StatusRow], paper: Layout) -> String {
    match paper {
        Layout::Pipe => piped(rows),
        Layout::Terminal(_) if rows.is_empty() => "no image is listed or mapped\n".to_owned(),
        Layout::Terminal(width) => on_terminal(rows, width),
    }
}

fn piped(rows: &[StatusRow]) -> String {
    let mut text = "image\tstate\tdevice\tsize\tmode\tmounts\tunit\tremark\n".to_owned();
    for row in rows {
        let unit = row
            .unit
            .as_ref()
            .map_or_else(String::new, |(_, active)| active.clone());
        let fields = [
            row.spec.to_string(),
            row.state.word().to_owned(),
            row.device.clone().unwrap_or_default(),
            row.size.map_or_else(String::new, |size| size.to_string()),
            mode(row).to_owned(),
            mounts(row).join(","),
            unit,
            row.state.remark().unwrap_or_default(),
        ];
        text += &(fields
            .map(|field| field.replace(['\t', '\n'], " "))
            .join("\t")
            + "\n");
    }
    text
}

fn on_terminal(rows: &[StatusRow], width: usize) -> String {
    let cells: Vec<[String; 6]> = rows
        .iter()
        .map(|row| {
            let size = row.size.map_or_else(|| "-".to_owned(), readable);
            let device = row.device.clone().unwrap_or_else(|| "-".to_owned());
            [
                row.spec.to_string(),
                row.state.word().to_owned(),
                device,
                size,
                mode(row).to_owned(),
                mounts(row).join(" "),
            ]
        })
        .collect();
    let longest = |column: usize| {
        let lengths = cells.iter().map(|row| row[column].chars().count());
        lengths.chain([HEADER[column].len()]).max().unwrap_or(0)
    };
    let widths = [0, 1, 2, 3, 4].map(longest);
    let line = |cells: &[String; 6]| {
        let padded: Vec<String> = cells
            .iter()
            .zip(widths)
            .map(|(cell, width)| format!("{cell:width$}"))
            .collect();
        let (head, last) = (padded.join("  "), &cells[5]);
        if last.is_empty() {
            head.trim_end().to_owned() + "\n"
        } else if head.chars().count() + 2 + last.chars().count() <= width {
            format!("{head}  {last}\n")
        } else {
            format!("{}\n{}", head.trim_end(), wrapped(last, width))
        }
    };
    let mut text = line(&HEADER.map(str::to_owned));
    for (row, cells) in rows.iter().zip(&cells) {
        text += &line(cells);
        text += &row
            .state
            .remark()
            .map_or_else(String::new, |remark| wrapped(&remark, width));
    }
    text
}

/// Indented, and broken between words.
fn wrapped(text: &str, width: usize) -> String {
    let mut lines = vec![String::new()];
    for word in text.split_whitespace() {
        let last = lines.last_mut().expect("there is always one");
        if !last.is_empty() && 4 + last.chars().count() + 1 + word.chars().count() > width {
            lines.push(word.to_owned());
        } else {
            *last += if last.is_empty() { "" } else { " " };
            *last += word;
        }
    }
    lines.iter().map(|line| format!("    {line}\n")).collect()
}

fn mode(row: &StatusRow) -> &'static str {
    match row.read_only {
        Some(true) => "ro",
        Some(false) => "rw",
        None => "-",
    }
}

fn mounts(row: &StatusRow) -> Vec<String> {
    row.mounts
        .iter()
        .map(|target| target.display().to_string())
        .collect()
}

/// Bytes as `rbd` prints them: with at most one decimal, in powers of 1024.
pub fn readable(bytes: u64) -> String {
    let units = ["B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];
    let at = (0..units.len())
        .rev()
        .find(|at| bytes >> (10 * at) > 0)
        .unwrap_or(0);
    let (whole, rest) = (bytes >> (10 * at), bytes & ((1 << (10 * at)) - 1));
    // Tenths of the unit; a full image size has none.
    let tenths = if at == 0 {
        0
    } else {
        (u128::from(rest) * 10) >> (10 * at)
    };
    if tenths == 0 {
        format!("{whole} {}", units[at])
    } else {
        format!("{whole}.{tenths} {}", units[at])
    }
}

#[derive(Serialize)]
struct Document<'a> {
    images: Vec<Image<'a>>,
}

#[derive(Serialize)]
struct Image<'a> {
    image: String,
    pool: &'a str,
    namespace: Option<&'a str>,
    name: &'a str,
    snapshot: Option<&'a str>,
    state: &'a str,
    problem: bool,
    remark: Option<String>,
    wanted: bool,
    origin: Option<&'a str>,
    device: Option<&'a str>,
    size: Option<u64>,
    read_only: Option<bool>,
    mounts: Vec<String>,
    unit: Option<Unit<'a>>,
    holders: Option<Vec<HolderJson<'a>>>,
}

#[derive(Serialize)]
struct Unit<'a> {
    name: &'a str,
    active: &'a str,
}

/// One object on one line.
pub fn json(rows: &[StatusRow]) -> Result<String> {
    let image = |row: &StatusRow| -> String { row.spec.to_string() };
    let images = rows.iter().map(|row| Image {
        image: image(row),
        pool: &row.spec.pool,
        namespace: row.spec.namespace.as_deref(),
        name: &row.spec.image,
        snapshot: row.spec.snapshot.as_deref(),
        state: row.state.word(),
        problem: row.state.is_problem(),
        remark: row.state.remark(),
        wanted: row.is_wanted,
        origin: row.origin.map(super::MappedBy::word),
        device: row.device.as_deref(),
        size: row.size,
        read_only: row.read_only,
        mounts: mounts(row),
        unit: row
            .unit
            .as_ref()
            .map(|(name, active)| Unit { name, active }),
        holders: row
            .holders
            .as_ref()
            .map(|holders| holders.iter().map(HolderJson::of).collect()),
    });
    Ok(serde_json::to_string(&Document {
        images: images.collect(),
    })?)
}

#[cfg(test)]
mod tests;
