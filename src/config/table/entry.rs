//! An image to map with its options, as the table, the settings or a command line declare it.

use std::fmt;
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

use crate::config::map_options::MapOptions;
use crate::model::fstab_entry::FstabEntry;
use crate::model::image_spec::ImageSpec;

/// Where an entry is declared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EntrySource {
    /// A line of the table.
    Table {
        /// The table.
        path: PathBuf,
        /// The number of the line, from 1.
        line: usize,
    },
    /// An `[[image]]` of a settings file.
    Settings {
        /// The settings file.
        path: PathBuf,
        /// The number of its line `[[image]]`, from 1.
        line: usize,
    },
    /// The options of `rbdmap map`.
    CommandLine,
}

/// An image to map, as a line of the table, the settings or a command line declares it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The image.
    pub spec: ImageSpec,
    /// The options of the mapping.
    pub options: EntryOptions,
    /// Where it is declared.
    pub source: EntrySource,
    /// Whether boot continues without the image. Only settings can declare that.
    pub nofail: bool,
    /// The program that replaces the hook with the image's name. Only settings can declare one.
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

    /// Whether boot continues without the image: its entry declares it, or each of the `mounts` on it does.
    pub fn is_nofail<'l>(&self, mounts: impl IntoIterator<Item = &'l FstabEntry>) -> bool {
        // Without mounts, `all` would be true, but nothing declares `nofail`.
        let mut mounts = mounts.into_iter().peekable();
        self.nofail || mounts.peek().is_some() && mounts.all(FstabEntry::is_nofail)
    }
}

/// The options of one mapping. ceph.conf or a default has the value of an absent one.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct EntryOptions {
    /// The Ceph user without `client.`. Default: `admin`.
    pub user: Option<String>,
    /// A keyring, or a list of keyrings of which the first that opens is used.
    pub keyring: Option<String>,
    /// A file that contains only the key, in base64.
    pub keyfile: Option<PathBuf>,
    /// The key itself. It works, with a warning.
    pub key: Option<KeyText>,
    /// The path of ceph.conf, or a list of which the first file that exists is used.
    pub conf: Option<String>,
    /// The cluster's name, which is part of the default paths of ceph.conf and keyring.
    pub cluster: Option<String>,
    /// Replaces `mon_host` of ceph.conf.
    pub mon_host: Option<String>,
    /// Options for the kernel.
    pub map: MapOptions,
}

/// A key in base64 that is written in the table. It cannot be printed, and its memory is wiped.
#[derive(Clone, PartialEq, Eq)]
pub struct KeyText(pub(super) Zeroizing<String>);

impl KeyText {
    /// The key in base64.
    pub fn text(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for KeyText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(a key)")
    }
}
