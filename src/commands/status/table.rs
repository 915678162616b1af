//! Rows as text: columns on a terminal, fields separated by tabs in a pipe.

#[cfg(test)]
mod tests;

use super::layout::Layout;
use super::row::StatusRow;
use super::size;

/// One line of the table.
type Cells = [String; 6];

const HEADER: [&str; 6] = ["IMAGE", "STATE", "DEVICE", "SIZE", "MODE", "MOUNTED ON"];

/// Between two columns.
const GAP: &str = "  ";

/// Before a remark, and before mount points that do not fit onto the row's line.
const INDENT: &str = "    ";

/// A header, and a line for each image. A remark follows on lines of its own, or in a pipe as the last field.
pub fn render(rows: &[StatusRow], layout: Layout) -> String {
    match layout {
        Layout::Pipe => piped(rows),
        Layout::Terminal(_) if rows.is_empty() => "no image is listed or mapped\n".to_owned(),
        Layout::Terminal(width) => on_terminal(rows, width),
    }
}

fn piped(rows: &[StatusRow]) -> String {
    let mut text = "image\tstate\tdevice\tsize\tmode\tmounts\tunit\tremark\n".to_owned();
    for row in rows {
        let fields = [
            row.spec.to_string(),
            row.state.word().to_owned(),
            row.device.clone().unwrap_or_default(),
            row.size.map(|size| size.to_string()).unwrap_or_default(),
            mode(row).to_owned(),
            row.mounts_as_text().join(","),
            row.unit
                .as_ref()
                .map(|unit| unit.active.clone())
                .unwrap_or_default(),
            row.state.remark().unwrap_or_default(),
        ];
        // A separator inside a field would shift the fields after it.
        text += &fields
            .map(|field| field.replace(['\t', '\n'], " "))
            .join("\t");
        text.push('\n');
    }
    text
}

fn on_terminal(rows: &[StatusRow], width: usize) -> String {
    let header = HEADER.map(str::to_owned);
    let cells: Vec<Cells> = rows.iter().map(cells).collect();
    let column_widths = column_widths(&header, &cells);
    let mut text = line(&header, &column_widths, width);
    for (row, cells) in rows.iter().zip(&cells) {
        text += &line(cells, &column_widths, width);
        if let Some(remark) = row.state.remark() {
            text += &wrapped(&remark, width);
        }
    }
    text
}

fn cells(row: &StatusRow) -> Cells {
    [
        row.spec.to_string(),
        row.state.word().to_owned(),
        row.device.clone().unwrap_or_else(|| "-".to_owned()),
        row.size.map_or_else(|| "-".to_owned(), size::readable),
        mode(row).to_owned(),
        row.mounts_as_text().join(" "),
    ]
}

fn mode(row: &StatusRow) -> &'static str {
    match row.read_only {
        Some(true) => "ro",
        Some(false) => "rw",
        None => "-",
    }
}

/// The widths of all columns but the last, in characters.
fn column_widths(header: &Cells, rows: &[Cells]) -> [usize; 5] {
    let mut widths = [0; 5];
    for cells in std::iter::once(header).chain(rows) {
        for (width, cell) in widths.iter_mut().zip(cells) {
            *width = (*width).max(cell.chars().count());
        }
    }
    widths
}

/// One line, or two if the mount points do not fit.
fn line(cells: &Cells, column_widths: &[usize; 5], width: usize) -> String {
    let mut columns = Vec::new();
    for (cell, column_width) in cells.iter().zip(column_widths) {
        columns.push(format!("{cell:column_width$}"));
    }
    let columns = columns.join(GAP);
    let mounts = &cells[5];
    if mounts.is_empty() {
        return columns.trim_end().to_owned() + "\n";
    }
    if columns.chars().count() + GAP.len() + mounts.chars().count() <= width {
        return format!("{columns}{GAP}{mounts}\n");
    }
    format!("{}\n{}", columns.trim_end(), wrapped(mounts, width))
}

/// Indents the text and breaks it between words. A word that is too long stays whole, so that it can be copied.
fn wrapped(text: &str, width: usize) -> String {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        match lines.last_mut() {
            Some(line) if fits(line, word, width) => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    let indented = lines.iter().map(|line| format!("{INDENT}{line}\n"));
    indented.collect()
}

/// Whether the word fits behind the line.
fn fits(line: &str, word: &str, width: usize) -> bool {
    INDENT.len() + line.chars().count() + 1 + word.chars().count() <= width
}
