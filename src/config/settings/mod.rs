//! `/etc/rbdmap.toml` and `/etc/rbdmap.toml.d/*.toml`: the program's limits and defaults, and images declared as data together
//! with their mounts.
//!
//! Each file is split into statements (`statement`), and `Settings` is the result of all statements of all files. A later file
//! overrides the keys of an earlier one; `[[image]]` tables add up. A bad statement, which is a top-level key or one
//! `[[image]]`, affects only itself; a file that is not TOML is ignored as a whole.

mod file;
mod image;
mod keys;
mod statement;
mod value;

use std::collections::HashMap;
use std::path::Path;
use std::time::Duration;

use anyhow::{Result, bail};
use toml::Spanned;

use super::map_options::MapOptions;
use crate::model::fault::{Fault, Position};
use crate::model::timeouts::Timeouts;
use crate::runtime::root::Root;
pub use image::DeclaredImage;
use image::ImageTable;
use statement::Statement;
use value::{BoundedNumber, MessengerMode, OffsetError};

/// The content of all settings files, completed by the defaults.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// How many images are mapped in parallel. Default: 16.
    pub parallel: usize,
    /// The time limits.
    pub timeouts: Timeouts,
    /// Whether images that are still in use after the time limit of the shutdown are removed by force. Default: no.
    pub shutdown_force: bool,
    /// Options of mappings that do not set them themselves, the key `ms_mode` included. Default: none.
    pub defaults: MapOptions,
    /// The declared images in the order of files and lines, each of them once.
    pub images: Vec<DeclaredImage>,
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

/// Reads the settings files; a missing file is an empty one.
pub fn read(root: &Root) -> (Settings, Vec<Fault>) {
    let mut merged = MergedSettings::default();
    let (paths, faults) = file::list(root);
    merged.faults = faults;
    for path in paths {
        match file::text(&path) {
            Ok(text) => merged.add_file(&path, &text.unwrap_or_default()),
            Err(fault) => merged.faults.push(fault),
        }
    }
    merged.finish()
}

/// The settings of the files that are read so far.
#[derive(Default)]
struct MergedSettings {
    settings: Settings,
    /// Kept apart from `settings.defaults` until the end, because a later file may set either of the two.
    mode: MessengerMode,
    /// For each image and mount point, the file and line that declare it.
    declared_at: HashMap<String, String>,
    faults: Vec<Fault>,
}

impl MergedSettings {
    fn add_file(&mut self, path: &Path, text: &str) {
        let mut errors = Vec::new();
        for statement in statement::statements(text) {
            let added = statement.and_then(|statement| self.add(statement, path, text));
            errors.extend(added.err());
        }
        // The parser returns the keys in alphabetical order; faults are reported in the order of the lines.
        errors.sort_by_key(|error| error.offset);
        for OffsetError { offset, message } in errors {
            let position = Position::from_offset(text, offset);
            self.faults.push(Fault::new(path, position, message));
        }
    }

    fn add(&mut self, statement: Statement, path: &Path, text: &str) -> Result<(), OffsetError> {
        let settings = &mut self.settings;
        if let Some(number) = statement.parallel {
            settings.parallel = number.get().into();
        }
        set_seconds(&mut settings.timeouts.map, statement.map_timeout);
        set_seconds(&mut settings.timeouts.unmap, statement.unmap_timeout);
        set_seconds(&mut settings.timeouts.shutdown, statement.shutdown_timeout);
        if let Some(force) = statement.shutdown_force {
            settings.shutdown_force = force;
        }
        if let Some(options) = statement.map_options {
            settings.defaults = options.0;
        }
        if let Some(mode) = statement.ms_mode {
            self.mode = mode;
        }
        for image in statement.image {
            self.add_image(image, path, text)?;
        }
        Ok(())
    }

    fn add_image(
        &mut self,
        image: Spanned<ImageTable>,
        path: &Path,
        text: &str,
    ) -> Result<(), OffsetError> {
        let offset = image.span().start;
        let line = Position::from_offset(text, offset).line;
        let declared = image.into_inner().declare(path, line, offset)?;
        self.claim_names(&declared)
            .map_err(|error| OffsetError::new(offset, &error))?;
        self.settings.images.push(declared);
        Ok(())
    }

    /// Reserves an image's name and mount points; none of them if one is reserved already.
    fn claim_names(&mut self, image: &DeclaredImage) -> Result<()> {
        let here = format!("{}:{}", image.entry.path().display(), image.entry.line());
        let mut names = vec![format!("image {}", image.entry.spec)];
        for mount in &image.mounts {
            names.push(format!("mount point {}", mount.target.display()));
        }
        // Kept apart until all names are checked: an image that is refused reserves nothing.
        let mut claimed = HashMap::new();
        for name in names {
            if let Some(first) = self.declared_at.get(&name).or_else(|| claimed.get(&name)) {
                bail!("{name} is declared a second time, first at {first}; remove one of the two");
            }
            claimed.insert(name, here.clone());
        }
        self.declared_at.extend(claimed);
        Ok(())
    }

    fn finish(mut self) -> (Settings, Vec<Fault>) {
        if let Some(mode) = self.mode.0 {
            // The key overrides the option of the same name in `map_options`, in whichever file either is.
            self.settings
                .defaults
                .add(&format!("ms_mode={mode}"))
                .expect("the mode was checked when it was read");
        }
        (self.settings, self.faults)
    }
}

fn set_seconds(limit: &mut Duration, seconds: Option<BoundedNumber<1, 3600>>) {
    if let Some(seconds) = seconds {
        *limit = Duration::from_secs(seconds.get().into());
    }
}

#[cfg(test)]
mod tests;
