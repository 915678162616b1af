//! The units that an administrator has made or masked, in /etc/systemd/system and, until the next boot, in
//! /run/systemd/system.
//!
//! The early folder overrides both, so the generator must not write there what is here. A mask is a link to /dev/null
//! or an empty file. Drop-ins are of no concern: the administrator's win over ours by their place and their name.

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::path::Path;

use anyhow::{Context, Result};

use crate::runtime::root::Root;

/// Names of units with whether each is a mask.
#[derive(Debug, Default)]
pub struct AdministratorUnits(BTreeMap<String, bool>);

impl AdministratorUnits {
    /// Looks into both folders; one that is not there is empty.
    pub fn read(root: &Root) -> Result<Self> {
        let mut units = BTreeMap::new();
        // /etc is read last: its unit beats that of the same name in /run.
        for folder in [root.runtime_units(), root.administrator_units()] {
            read_folder(&folder, &mut units)
                .with_context(|| format!("reading {}", folder.display()))?;
        }
        Ok(Self(units))
    }

    /// Whether there is a unit, or a mask, of this name.
    pub fn has(&self, unit: &str) -> bool {
        self.0.contains_key(unit)
    }

    /// Whether the unit is masked, by its own name or by that of its template.
    pub fn masks(&self, unit: &str) -> bool {
        let template = unit.split_once('@').and_then(|(name, instance)| {
            let suffix = instance.rsplit_once('.')?.1;
            Some(format!("{name}@.{suffix}"))
        });
        let own = self.0.get(unit);
        own.or_else(|| template.and_then(|template| self.0.get(&template)))
            .is_some_and(|is_mask| *is_mask)
    }
}

fn read_folder(folder: &Path, units: &mut BTreeMap<String, bool>) -> std::io::Result<()> {
    let entries = match std::fs::read_dir(folder) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        entries => entries?,
    };
    for entry in entries {
        let entry = entry?;
        // Followed, /dev/null has length 0 as well. A link that leads nowhere is no mask, but its name is taken.
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
    use std::fs;
    use std::os::unix::fs::symlink;

    fn units(prepare: impl Fn(&Path)) -> AdministratorUnits {
        let folder = tempfile::tempdir().unwrap();
        let root = Root::new(folder.path());
        fs::create_dir_all(root.administrator_units()).unwrap();
        prepare(&root.administrator_units());
        AdministratorUnits::read(&root).unwrap()
    }

    #[test]
    fn links_to_dev_null_and_empty_files_are_masks() {
        let units = units(|folder| {
            symlink("/dev/null", folder.join("a.mount")).unwrap();
            fs::write(folder.join("b.mount"), "").unwrap();
            fs::write(folder.join("c.mount"), "[Mount]\n").unwrap();
            symlink("/nonexistent", folder.join("d.mount")).unwrap();
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
    fn a_masked_template_masks_its_instances_but_for_those_with_a_unit_of_their_own() {
        let units = units(|folder| {
            symlink("/dev/null", folder.join("rbdmap@.service")).unwrap();
            fs::write(folder.join("rbdmap@rbd-own.service"), "[Service]\n").unwrap();
        });
        assert!(units.masks(r"rbdmap@rbd-a\x2db.service"));
        assert!(!units.masks("rbdmap@rbd-own.service"));
    }
}
