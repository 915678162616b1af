//! `/etc/ceph/rbdmap`: an image a line, and the options to map it with.
//!
//!     pool/[namespace/]image[@snapshot]  option=value,option='a,b',flag   # comment
//!
//! The grammar is that of ceph's shell script (`src/rbdmap`, the same in 16.2 and 20.2), with its quirks where a
//! table may rely on them: `'` quotes commas and `=` and is dropped, `#` cuts the line even inside quotes, a
//! backslash takes the next character as it is and joins lines. Kinder than the script: a last line without newline
//! counts, and so do blanks after a comma. Stricter: an option that we do not know is a fault, never passed on.

#[cfg(test)]
mod tests;
mod words;

use std::fmt;
use std::path::{Path, PathBuf};

use anyhow::{Error, Result, bail};
use zeroize::Zeroizing;

use super::map_options::MapOptions;
use crate::model::fault::{Fault, suggestion};
use crate::model::fstab_entry::FstabEntry;
use crate::model::image_spec::ImageSpec;
use words::{Item, Line, Problem, items, logical_lines, open_quote};

/// Where an entry is declared; a line number counts from 1.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EntrySource {
    /// A line of the table.
    Table {
        /// The table's path.
        path: PathBuf,
        /// The line.
        line: usize,
    },
    /// An `[[image]]` of a settings file.
    Settings {
        /// The settings file.
        path: PathBuf,
        /// The line of its `[[image]]`.
        line: usize,
    },
    /// The options of `rbdmap map`.
    CommandLine,
}

/// One image to map, as a line of the table declares it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The image.
    pub spec: ImageSpec,
    /// How to map it.
    pub options: EntryOptions,
    /// Where it is declared.
    pub source: EntrySource,
    /// Whether it says that boot goes on without it, which only settings can.
    pub nofail: bool,
    /// The program to call in the place of the hook that is named like the image; only settings have it.
    pub hook: Option<PathBuf>,
}

impl Entry {
    /// An image that the command line names together with its options.
    pub fn from_command_line(spec: ImageSpec, options: EntryOptions) -> Self {
        Self {
            spec,
            options,
            source: EntrySource::CommandLine,
            nofail: false,
            hook: None,
        }
    }

    /// The file that declares it; empty for the command line.
    pub fn path(&self) -> &Path {
        match &self.source {
            EntrySource::Table { path, .. } | EntrySource::Settings { path, .. } => path,
            EntrySource::CommandLine => Path::new(""),
        }
    }

    /// The line that declares it, from 1; 0 for the command line.
    pub fn line(&self) -> usize {
        match self.source {
            EntrySource::Table { line, .. } | EntrySource::Settings { line, .. } => line,
            EntrySource::CommandLine => 0,
        }
    }

    /// Whether boot goes on without the image, on which these are mounted: it says so, or each of them does.
    pub fn is_nofail<'l>(&self, mounted: impl IntoIterator<Item = &'l FstabEntry>) -> bool {
        let mut mounted = mounted.into_iter().peekable();
        self.nofail || mounted.peek().is_some() && mounted.all(FstabEntry::is_nofail)
    }
}

/// What a line, or a command line, can say of one mapping. What is absent comes from ceph.conf or a default.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct EntryOptions {
    /// The Ceph user without `client.`; `admin` where nobody says.
    pub user: Option<String>,
    /// A keyring, or a list of them of which the first that opens is taken.
    pub keyring: Option<String>,
    /// A file with nothing but the key in base64.
    pub keyfile: Option<PathBuf>,
    /// The key itself, which does not belong here.
    pub key: Option<KeyText>,
    /// ceph.conf, or a list of which the first that is there counts.
    pub conf: Option<String>,
    /// The cluster's name, which chooses ceph.conf and keyring.
    pub cluster: Option<String>,
    /// Monitors in the place of ceph.conf's.
    pub mon_host: Option<String>,
    /// Options for the kernel.
    pub map: MapOptions,
}

/// A key in base64 that stands in the table. It cannot be printed and is wiped when it goes.
#[derive(Clone, PartialEq, Eq)]
pub struct KeyText(Zeroizing<String>);

impl KeyText {
    /// The base64, to be decoded.
    pub fn text(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for KeyText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(a key)")
    }
}

/// Every option of a line, for "did you mean".
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

/// Reads a table: the good lines, and what is wrong with the others. `path` is for the faults only.
pub fn parse(path: &Path, text: &str) -> (Vec<Entry>, Vec<Fault>) {
    let (mut entries, mut faults) = (Vec::new(), Vec::new());
    for line in logical_lines(text) {
        match parse_line(path, &line) {
            Ok(Some(entry)) => {
                faults.extend(open_quote(&line).map(|column| {
                    let message =
                        "a quote that is not closed; taken as if it were at the end of the line";
                    Fault::new(path, (line.number, column), message).served()
                }));
                entries.push(entry);
            }
            Ok(None) => {}
            Err(Problem { column, message }) => {
                faults.push(Fault::new(path, (line.number, column), message))
            }
        }
    }
    (entries, faults)
}

/// The same of the lines that can be about these images. The others are not looked into: at boot there is a run for each image,
/// and of hundreds each would read hundreds of lines. A backslash anywhere may join lines or stand in a name: then it is all.
pub fn parse_only(path: &Path, text: &str, images: &[ImageSpec]) -> (Vec<Entry>, Vec<Fault>) {
    if text.contains('\\') {
        return parse(path, text);
    }
    let is_about = |line: &str| images.iter().any(|spec| names(line, &spec.image));
    // With the others empty, so that the numbers stay.
    let lines: Vec<&str> = text
        .split('\n')
        .map(|line| if is_about(line) { line } else { "" })
        .collect();
    parse(path, &lines.join("\n"))
}

/// Whether a line has this image's name where a name ends.
fn names(line: &str, image: &str) -> bool {
    let ends = |rest: &str| {
        rest.chars()
            .next()
            .is_none_or(|next| next.is_whitespace() || next == '@' || next == '#')
    };
    line.match_indices(image)
        .any(|(at, _)| ends(&line[at + image.len()..]))
}

fn parse_line(path: &Path, line: &Line) -> Result<Option<Entry>, Problem> {
    let characters = &line.characters;
    let Some(start) = characters.iter().position(|c| !c.is_whitespace()) else {
        return Ok(None);
    };
    let end = characters[start..]
        .iter()
        .position(|c| c.is_whitespace())
        .map_or(characters.len(), |at| start + at);
    let name: String = characters[start..end].iter().collect();
    let spec = name.parse().map_err(|error: Error| Problem {
        column: start + 1,
        message: error.to_string(),
    })?;
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
    let mut items = items(&characters[end..], end)?;
    // Wherever they stand, these win over what `options` says.
    items.sort_by_key(|item| ["read-only", "read_only", "exclusive"].contains(&item.name.as_str()));
    for item in items {
        apply(&mut entry, &item).map_err(|error| Problem {
            column: item.column,
            message: error.to_string(),
        })?;
    }
    entry.spec = entry.spec.checked().map_err(|error| Problem {
        column: start + 1,
        message: error.to_string(),
    })?;
    Ok(Some(entry))
}

/// What one option changes in its entry.
fn apply(entry: &mut Entry, item: &Item) -> Result<()> {
    let options = &mut entry.options;
    match item.name.replace('-', "_").as_str() {
        "id" | "user" => options.user = Some(item.word()?),
        "name" => options.user = Some(client_id(&item.word()?)?),
        "keyring" | "k" => options.keyring = Some(item.word()?),
        "keyfile" | "K" => options.keyfile = Some(item.word()?.into()),
        "conf" | "c" => options.conf = Some(item.word()?),
        "cluster" => options.cluster = Some(item.word()?),
        "mon_host" | "m" => options.mon_host = Some(item.word()?),
        // The script names a pool to `rbd` in any case, and what the name says wins.
        "pool" | "p" => drop(item.word()?),
        "namespace" => drop(entry.spec.namespace.get_or_insert(item.word()?)),
        "image" => {
            bail!("option image is not served: with it `rbd` forgets the pool of the line's name")
        }
        "snap" => drop(entry.spec.snapshot.get_or_insert(item.word()?)),
        "read_only" => item.flag().and_then(|()| options.map.add("ro"))?,
        "exclusive" => item.flag().and_then(|()| options.map.add("exclusive"))?,
        "options" | "o" => options.map.add(&item.word()?)?,
        "device_type" | "t" => krbd_only(&item.word()?)?,
        "key" => options.key = Some(KeyText(Zeroizing::new(item.word()?))),
        name if MapOptions::has(name) => {
            bail!(
                "{name} is an option for the kernel: write options='{name}…', more of them between commas"
            )
        }
        _ => bail!(
            "unknown option {:?}{}",
            item.name,
            suggestion(&item.name, OPTIONS)
        ),
    }
    Ok(())
}

/// A list of files as Ceph writes it.
pub fn paths(list: &str) -> impl Iterator<Item = &Path> {
    list.split([',', ';'])
        .map(str::trim)
        .filter(|path| !path.is_empty())
        .map(Path::new)
}

/// The id of a Ceph user's full name: `client.boot` is `boot`.
pub fn client_id(name: &str) -> Result<String> {
    match name.split_once('.') {
        Some(("client", id)) if !id.is_empty() => Ok(id.to_owned()),
        _ => bail!("user {name:?} is not of the form client.ID, the only kind that can map images"),
    }
}

fn krbd_only(device_type: &str) -> Result<()> {
    match device_type {
        "krbd" => Ok(()),
        other => bail!(
            "device-type {other:?} is not served: only the kernel's driver (krbd) is, see rbd-nbd(8)"
        ),
    }
}
