//! The units that the administrator has written or masked, in /etc/systemd/system and, until the next boot, in
//! /run/systemd/system.
//!
//! The generator must not write them into the early directory, which overrides both. A mask is a link to /dev/null or an
//! empty file. Drop-ins are not covered: the administrator's drop-ins override ours by their directory and their names.

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::path::Path;

use anyhow::{Context, Result};

use crate::runtime::root::Root;

/// The names of the units, and whether each is a mask.
#[derive(Debug, Default)]
pub struct AdministratorUnits(BTreeMap<String, bool>);

impl AdministratorUnits {
    /// Reads both directories. One that does not exist is empty.
    pub fn read(root: &Root) -> Result<Self> {
        let mut units = BTreeMap::new();
        // A unit in /etc overrides the unit of the same name in /run, so /etc is read last.
        for directory in [root.runtime_units(), root.administrator_units()] {
            read_directory(&directory, &mut units)
                .with_context(|| format!("reading {}", directory.display()))?;
        }
        Ok(Self(units))
    }

    /// Whether a unit or a mask of this name exists.
    pub fn has(&self, unit: &str) -> bool {
        self.0.contains_key(unit)
    }

    /// Whether the unit is masked, by its own name or by that of its template.
    pub fn masks(&self, unit: &str) -> bool {
        let is_mask = self.0.get(unit).or_else(|| self.0.get(&template_of(unit)?));
        is_mask.copied().unwrap_or(false)
    }
}

/// `name@.service` for `name@instance.service`.
fn template_of(unit: &str) -> Option<String> {
    let (name, instance) = unit.split_once('@')?;
    let (_, suffix) = instance.rsplit_once('.')?;
    Some(format!("{name}@.{suffix}"))
}

fn read_directory(directory: &Path, units: &mut BTreeMap<String, bool>) -> std::io::Result<()> {
    let entries = match std::fs::read_dir(directory) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        entries => entries?,
    };
    for entry in entries {
        let entry = entry?;
        // Both kinds of masks have the length 0, because metadata() follows the link to /dev/null. It fails for a link without
        // a target, which is no mask, but its name is taken.
        let is_mask = entry
            .path()
            .metadata()
            .is_ok_and(|file| !file.is_dir() && file.len() == 0);
        units.insert(entry.file_name().to_string_lossy().into_owned(), is_mask);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::runtime::fake_root::FakeRoot;
    use std::fs;
    use std::os::unix::fs::symlink;

    fn units(prepare: impl Fn(&Path)) -> AdministratorUnits {
        let root = FakeRoot::new();
        fs::create_dir_all(root.administrator_units()).unwrap();
        prepare(&root.administrator_units());
        AdministratorUnits::read(&root).unwrap()
    }

    #[test]
    fn links_to_dev_null_and_empty_files_are_masks() {
        let units = units(|directory| {
            symlink("/dev/null", directory.join("a.mount")).unwrap();
            fs::write(directory.join("b.mount"), "").unwrap();
            fs::write(directory.join("c.mount"), "[Mount]\n").unwrap();
            symlink("/nonexistent", directory.join("d.mount")).unwrap();
        });
        let found = ["a.mount", "b.mount", "c.mount", "d.mount", "e.mount"]
            .map(|name| (units.has(name), units.masks(name)));
        assert_eq!(
            found,
            [
                (true, true),
                (true, true),
                (true, false),
                (true, false),
                (false, false)
            ]
        );
    }

    #[test]
    fn a_masked_template_masks_its_instances_except_those_that_have_a_unit_file() {
        let units = units(|directory| {
            symlink("/dev/null", directory.join("rbdmap@.service")).unwrap();
            fs::write(directory.join("rbdmap@rbd-own.service"), "[Service]\n").unwrap();
        });
        assert!(units.masks(r"rbdmap@rbd-a\x2db.service"));
        assert!(!units.masks("rbdmap@rbd-own.service"));
    }
}
