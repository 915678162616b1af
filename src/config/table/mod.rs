//! `/etc/ceph/rbdmap`: one image per line, with the options of its mapping.
//!
//!     pool/[namespace/]image[@snapshot]  option=value,option='a,b',flag   # comment
//!
//! The grammar is that of Ceph's shell script (`src/rbdmap`, the same in 16.2 and 20.2), including the quirks that tables may
//! rely on: `'` quotes commas and `=` and is removed, `#` starts a comment even inside quotes, a backslash makes the next
//! character literal and joins lines. This parser is more lenient in that the last line may lack its newline and blanks may
//! follow a comma. It is stricter in that an unknown option is a fault and is never passed on.

mod entry;
#[cfg(test)]
mod tests;
mod words;

use std::path::Path;

use anyhow::{Result, bail};
use zeroize::Zeroizing;

use super::map_options::MapOptions;
use crate::model::fault::{Fault, Position, suggestion};
use crate::model::image_spec::ImageSpec;
pub use entry::{Entry, EntryOptions, EntrySource, KeyText};
use words::{ColumnError, Item, Line, items, logical_lines};

/// The options of a line, for suggestions.
const OPTIONS: &[&str] = &[
    "id",
    "name",
    "user",
    "keyring",
    "keyfile",
    "conf",
    "cluster",
    "mon_host",
    "namespace",
    "pool",
    "snap",
    "read-only",
    "exclusive",
    "options",
    "device-type",
];

/// Parses a table. Good lines become entries, bad lines faults. `path` becomes part of both.
pub fn parse(path: &Path, text: &str) -> (Vec<Entry>, Vec<Fault>) {
    let mut entries = Vec::new();
    let mut faults = Vec::new();
    for line in logical_lines(text) {
        match parse_line(path, &line) {
            Ok(None) => {}
            Ok(Some(entry)) => {
                faults.extend(open_quote_fault(path, &line));
                entries.push(entry);
            }
            Err(ColumnError { column, message }) => {
                let line = line.number;
                faults.push(Fault::new(path, Position { line, column }, message));
            }
        }
    }
    (entries, faults)
}

fn open_quote_fault(path: &Path, line: &Line) -> Option<Fault> {
    let position = Position {
        line: line.number,
        column: line.open_quote()?,
    };
    let message =
        "this quote is not closed; it is read as if it were closed at the end of the line";
    Some(Fault::new(path, position, message).served())
}

/// Parses only the lines that can be about these images.
///
/// At boot, one process per image reads the table; if each of them parsed all lines, the time would grow with the square of
/// the number of images. Measured on Debian's kernel with a table of 500 images, the unit of one image took 642 ms to map it
/// when everything was parsed, and 497 ms with this function and without fstab.
pub fn parse_only(path: &Path, text: &str, images: &[ImageSpec]) -> (Vec<Entry>, Vec<Fault>) {
    // A backslash can join lines or be part of a name, so that a line no longer shows its image.
    if text.contains('\\') {
        return parse(path, text);
    }
    let mut relevant = Vec::new();
    for line in text.split('\n') {
        let is_relevant = images.iter().any(|spec| mentions(line, &spec.image));
        // Other lines stay as empty ones: the numbers of lines must not change.
        relevant.push(if is_relevant { line } else { "" });
    }
    parse(path, &relevant.join("\n"))
}

/// Whether a line contains the image's name at a place where a name can end.
fn mentions(line: &str, image: &str) -> bool {
    line.match_indices(image).any(|(at, _)| {
        let next = line[at + image.len()..].chars().next();
        next.is_none_or(|next| next.is_whitespace() || next == '@' || next == '#')
    })
}

fn parse_line(path: &Path, line: &Line) -> Result<Option<Entry>, ColumnError> {
    let Some(range) = line.name() else {
        return Ok(None);
    };
    let column = range.start + 1;
    let name: String = line.characters[range.clone()].iter().collect();
    let spec = name
        .parse()
        .map_err(|error| ColumnError::new(column, &error))?;
    let mut entry = Entry {
        spec,
        options: EntryOptions::default(),
        source: EntrySource::Table {
            path: path.to_owned(),
            line: line.number,
        },
        nofail: false,
        hook: None,
    };
    let mut items = items(&line.characters[range.end..], range.end)?;
    // As for `rbd`, these override `options`, wherever they are written.
    items.sort_by_key(|item| ["read-only", "read_only", "exclusive"].contains(&item.name.as_str()));
    for item in items {
        apply(&mut entry, &item).map_err(|error| ColumnError::new(item.column, &error))?;
    }
    // `namespace` and `snap` can have made the name invalid.
    entry.spec = entry
        .spec
        .checked()
        .map_err(|error| ColumnError::new(column, &error))?;
    Ok(Some(entry))
}

/// Changes an entry as one option of its line says.
fn apply(entry: &mut Entry, item: &Item) -> Result<()> {
    let options = &mut entry.options;
    match item.name.replace('-', "_").as_str() {
        "id" | "user" => options.user = Some(item.required_value()?),
        "name" => options.user = Some(client_id(&item.required_value()?)?),
        "keyring" | "k" => options.keyring = Some(item.required_value()?),
        "keyfile" | "K" => options.keyfile = Some(item.required_value()?.into()),
        "conf" | "c" => options.conf = Some(item.required_value()?),
        "cluster" => options.cluster = Some(item.required_value()?),
        "mon_host" | "m" => options.mon_host = Some(item.required_value()?),
        // The script passes a pool to `rbd` in any case, and the pool of the name wins.
        "pool" | "p" => drop(item.required_value()?),
        "namespace" => {
            let namespace = item.required_value()?;
            entry.spec.namespace.get_or_insert(namespace);
        }
        "image" => bail!(
            "option image is not supported: with it, `rbd` ignores the pool of the line's name"
        ),
        "snap" => {
            let snapshot = item.required_value()?;
            entry.spec.snapshot.get_or_insert(snapshot);
        }
        "read_only" => {
            item.refuse_value()?;
            options.map.add("ro")?;
        }
        "exclusive" => {
            item.refuse_value()?;
            options.map.add("exclusive")?;
        }
        "options" | "o" => options.map.add(&item.required_value()?)?,
        "device_type" | "t" => check_device_type(&item.required_value()?)?,
        "key" => options.key = Some(KeyText(Zeroizing::new(item.required_value()?))),
        name if MapOptions::has(name) => bail!(
            "{name} is an option for the kernel: write options='{name}…', and separate several by commas"
        ),
        _ => bail!(
            "unknown option {:?}{}",
            item.name,
            suggestion(&item.name, OPTIONS)
        ),
    }
    Ok(())
}

/// The paths of a list in Ceph's form: separated by commas or semicolons.
pub fn paths(list: &str) -> impl Iterator<Item = &Path> {
    list.split([',', ';'])
        .map(str::trim)
        .filter(|path| !path.is_empty())
        .map(Path::new)
}

/// The id in a Ceph user's full name: `boot` in `client.boot`.
pub fn client_id(name: &str) -> Result<String> {
    match name.split_once('.') {
        Some(("client", id)) if !id.is_empty() => Ok(id.to_owned()),
        _ => bail!("user {name:?} is not of the form client.ID; only such users can map images"),
    }
}

fn check_device_type(device_type: &str) -> Result<()> {
    match device_type {
        "krbd" => Ok(()),
        other => bail!(
            "device-type {other:?} is not supported, only the kernel's driver (krbd); for others see rbd-nbd(8)"
        ),
    }
}
