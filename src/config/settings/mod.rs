//! `/etc/rbdmap.toml` and `/etc/rbdmap.toml.d/*.toml`: how the program works, and images declared as data with what is
//! mounted on them.
//!
//! Files are read in two stages: a `fragment` is what one statement of a file says, `Settings` is what all of them come
//! to. A later file overrides the keys of an earlier one; `[[image]]` tables add up. What a bad statement
//! costs is that statement: a top-level key, or an image; only a file that is no TOML is left out whole.

mod file;
mod fragment;
mod image;
mod value;

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Result, bail};

use super::map_options::MapOptions;
use super::table::Entry;
use crate::model::fault::Fault;
use crate::model::fstab_entry::FstabEntry;
use crate::model::timeouts::Timeouts;
use crate::runtime::root::Root;
use fragment::Fragment;
use value::{MessengerMode, Problem, place};

/// What all settings files say, or the defaults.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// How many images are mapped at a time: 16.
    pub parallel: usize,
    /// The time limits: 80 s, 50 s and 120 s.
    pub timeouts: Timeouts,
    /// Whether what is in use at the end of that is removed by force: no.
    pub shutdown_force: bool,
    /// Options for every mapping that does not say otherwise: none. The key `ms_mode` is among them.
    pub defaults: MapOptions,
    /// The images that are declared here, in the order of files and lines, each once: none.
    pub images: Vec<DeclaredImage>,
}

/// One `[[image]]`: an entry and lines of fstab.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeclaredImage {
    /// The line that the table would have for it, and what no line could say.
    pub entry: Entry,
    /// The lines that fstab would have for it, an overlay after what it lies on.
    pub mounts: Vec<FstabEntry>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            parallel: 16,
            timeouts: Timeouts::default(),
            shutdown_force: false,
            defaults: MapOptions::default(),
            images: Vec::new(),
        }
    }
}

/// Reads the settings files: what they say, and what is wrong in them. No file is no settings.
pub fn read(root: &Root) -> (Settings, Vec<Fault>) {
    let mut merged = Merged::default();
    let (paths, faults) = file::list(root);
    merged.faults = faults;
    for path in paths {
        match file::text(&path) {
            Ok(text) => merged.add(&path, &text.unwrap_or_default()),
            Err(fault) => merged.faults.push(fault),
        }
    }
    merged.finish()
}

/// What the files so far come to.
#[derive(Default)]
struct Merged {
    settings: Settings,
    /// Apart from the map options until the end: a later file may set either.
    mode: MessengerMode,
    /// Where each image and mount point was declared.
    claims: HashMap<String, (PathBuf, usize)>,
    faults: Vec<Fault>,
}

impl Merged {
    /// Adds a file. Its faults are put in the order of its lines.
    fn add(&mut self, path: &Path, text: &str) {
        let before = self.faults.len();
        let fault =
            |problem: Problem| Fault::new(path, place(text, problem.start), problem.message);
        for statement in fragment::statements(text) {
            let added = statement.and_then(|fragment| self.add_fragment(path, text, fragment));
            self.faults.extend(added.err().map(fault));
        }
        self.faults[before..].sort_by_key(|fault| (fault.line, fault.column));
    }

    fn add_fragment(&mut self, path: &Path, text: &str, fragment: Fragment) -> Result<(), Problem> {
        let settings = &mut self.settings;
        let seconds = |number: u16| Duration::from_secs(number.into());
        settings.parallel = fragment
            .parallel
            .map_or(settings.parallel, |number| number.get().into());
        settings.timeouts.map = fragment
            .map_timeout
            .map_or(settings.timeouts.map, |number| seconds(number.get()));
        settings.timeouts.unmap = fragment
            .unmap_timeout
            .map_or(settings.timeouts.unmap, |number| seconds(number.get()));
        settings.timeouts.shutdown = fragment
            .shutdown_timeout
            .map_or(settings.timeouts.shutdown, |number| seconds(number.get()));
        settings.shutdown_force = fragment.shutdown_force.unwrap_or(settings.shutdown_force);
        if let Some(options) = fragment.map_options {
            settings.defaults = options.0;
        }
        if let Some(mode) = fragment.ms_mode {
            self.mode = mode;
        }
        for image in fragment.image {
            let start = image.span().start;
            let declared = image
                .into_inner()
                .declare(path, start, place(text, start).0)?;
            self.claim(&declared)
                .map_err(|error| Problem::new(start, &error))?;
            self.settings.images.push(declared);
        }
        Ok(())
    }

    /// Takes an image's name and mount points for it; none of them if one is taken.
    fn claim(&mut self, image: &DeclaredImage) -> Result<()> {
        let here = (image.entry.path().to_owned(), image.entry.line());
        let mut wanted = HashMap::new();
        let mounts = image
            .mounts
            .iter()
            .map(|mount| format!("mount point {}", mount.target.display()));
        for name in [format!("image {}", image.entry.spec)]
            .into_iter()
            .chain(mounts)
        {
            if let Some((path, line)) = self.claims.get(&name).or_else(|| wanted.get(&name)) {
                let first = path.display();
                bail!(
                    "{name} is declared a second time, first at {first}:{line}; keep one of the two"
                );
            }
            wanted.insert(name, here.clone());
        }
        self.claims.extend(wanted);
        Ok(())
    }

    fn finish(mut self) -> (Settings, Vec<Fault>) {
        if let Some(mode) = self.mode.0 {
            self.settings
                .defaults
                .add(&format!("ms_mode={mode}"))
                .expect("the mode was checked when it was read");
        }
        (self.settings, self.faults)
    }
}

#[cfg(test)]
mod tests;
