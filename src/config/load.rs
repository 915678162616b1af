//! Reads everything that administrators write, and merges it: table, settings, fstab, Ceph's environment variables.
//!
//! Whatever is wrong becomes a fault and leaves the rest intact. If the table and the settings declare the same image, or fstab
//! and the settings the same mount point, the older kind of file takes precedence and the other declaration is a fault.

use std::env;
use std::path::{Path, PathBuf};

use super::environment::{self, Environment};
use super::fstab;
use super::settings::{self, DeclaredImage, Settings};
use super::table::{self, Entry};
use crate::model::fault::{Fault, Position};
use crate::model::fstab_entry::FstabEntry;
use crate::model::hook_call::DeclaredHooks;
use crate::model::image_spec::ImageSpec;
use crate::runtime::root::Root;
use crate::sys::file::read_if_there;

/// The content of all configuration files.
pub struct Configuration {
    /// The images, those of the table before those of the settings, completed by defaults and environment variables.
    pub entries: Vec<Entry>,
    /// The entries of fstab, and the mounts that the settings declare.
    pub lines: Vec<FstabEntry>,
    /// Limits and defaults. Its images are moved to `entries` and `lines`.
    pub settings: Settings,
    /// What is wrong in the files.
    pub faults: Vec<Fault>,
    /// The path of the table.
    pub table: PathBuf,
}

impl Configuration {
    /// Reads all files. A missing file is an empty one, an unreadable file is a fault.
    pub fn read(root: &Root) -> Self {
        let mut configuration = Self::read_images(root, table::parse);
        match fstab::read(root) {
            Ok((lines, faults)) => {
                configuration.lines = lines;
                configuration.faults.extend(faults);
            }
            // Images are mapped even if fstab cannot be read.
            Err(error) => configuration.faults.push(unreadable(&root.fstab(), &error)),
        }
        configuration.merge();
        configuration
    }

    /// Reads only what concerns these images, and skips fstab. For rbdmap@.service, which runs once per image at boot.
    pub fn of_images(root: &Root, images: &[ImageSpec]) -> Self {
        let mut configuration =
            Self::read_images(root, |path, text| table::parse_only(path, text, images));
        configuration
            .settings
            .images
            .retain(|image| images.contains(&image.entry.spec));
        configuration.merge();
        configuration
    }

    fn read_images(root: &Root, parse: impl Fn(&Path, &str) -> (Vec<Entry>, Vec<Fault>)) -> Self {
        let table = table_path(root);
        let (entries, mut faults) = match read_if_there(&table) {
            Ok(text) => parse(&table, &text.unwrap_or_default()),
            Err(error) => (Vec::new(), vec![unreadable(&table, &error)]),
        };
        let (settings, settings_faults) = settings::read(root);
        faults.extend(settings_faults);
        Self {
            entries,
            lines: Vec::new(),
            settings,
            faults,
            table,
        }
    }

    /// Whether the table is the one for which systemd has units, not one that `$RBDMAPFILE` of this process names.
    pub fn is_machines_own(&self, root: &Root) -> bool {
        self.table == machines_table(root)
    }

    /// The hooks that the settings declare.
    pub fn own_hooks(&self) -> DeclaredHooks {
        let declared = self
            .entries
            .iter()
            .filter_map(|entry| Some((entry.spec.clone(), entry.hook.clone()?)));
        declared.collect()
    }

    /// Adds the images of the settings to those of the table, and completes all of them.
    fn merge(&mut self) {
        for image in std::mem::take(&mut self.settings.images) {
            self.add(image);
        }
        self.complete(&Environment::from_process());
    }

    fn add(&mut self, image: DeclaredImage) {
        // An existing table keeps its meaning when an administrator adds settings.
        let first = self
            .entries
            .iter()
            .find(|entry| entry.spec == image.entry.spec);
        if let Some(first) = first {
            let table = self.table.display();
            let message = format!(
                "image {} is in {table}:{} too, which takes precedence; remove one of the two",
                first.spec,
                first.line()
            );
            self.faults.push(fault(&image.entry, message));
            return;
        }
        for mount in image.mounts {
            if self.lines.iter().any(|line| line.target == mount.target) {
                let target = mount.target.display();
                let message = format!(
                    "{target} is in fstab too, which takes precedence; remove one of the two"
                );
                self.faults.push(fault(&image.entry, message));
            } else {
                self.lines.push(mount);
            }
        }
        self.entries.push(image.entry);
    }

    fn complete(&mut self, environment: &Environment) {
        for entry in &mut self.entries {
            if entry.options.key.is_some() {
                self.faults.push(fault(entry, KEY_IN_TABLE).served());
            }
            entry.options.map.fill(&self.settings.defaults);
            if let Err(error) = environment.complete(&mut entry.options) {
                self.faults.push(fault(entry, format!("{error:#}")));
            }
        }
    }
}

const KEY_IN_TABLE: &str = "key= puts the secret into a file that every user can read; write it to a file of mode 0600 and \
    use keyfile=FILE";

fn fault(entry: &Entry, message: impl Into<String>) -> Fault {
    Fault::new(entry.path(), Position::line(entry.line()), message)
}

fn unreadable(path: &Path, error: &anyhow::Error) -> Fault {
    Fault::new(path, Position::FILE, error.root_cause().to_string())
}

/// The path of the table: `$RBDMAPFILE`, as for Ceph's script, or the machine's.
fn table_path(root: &Root) -> PathBuf {
    match env::var_os("RBDMAPFILE") {
        Some(path) if !path.is_empty() => root.join(path),
        _ => machines_table(root),
    }
}

/// The table that the units of this machine read: `RBDMAPFILE` in the environment files of Ceph's services, or
/// /etc/ceph/rbdmap.
fn machines_table(root: &Root) -> PathBuf {
    let mut named = None;
    for path in root.service_environments() {
        // As for systemd, a file that cannot be read assigns nothing, and the last assignment counts.
        let text = read_if_there(&path).ok().flatten().unwrap_or_default();
        named = environment::assigned(&text, "RBDMAPFILE").or(named);
    }
    match named {
        Some(path) if !path.is_empty() => root.join(path),
        _ => root.table(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::runtime::fake_root::FakeRoot;

    fn machine(files: &[(&str, &str)]) -> FakeRoot {
        let root = FakeRoot::new();
        for (path, text) in files {
            root.write(path, text);
        }
        root
    }

    #[test]
    fn a_machine_without_files_has_no_images_and_no_faults() {
        let read = Configuration::read(&machine(&[]));
        assert_eq!(
            (read.entries.len(), read.lines.len(), read.faults.len()),
            (0, 0, 0)
        );
    }

    #[test]
    fn images_of_table_and_settings_are_merged_and_the_table_takes_precedence() {
        let settings = "map_options = \"queue_depth=8\"\n[[image]]\nspec = \"rbd/a\"\n[[image]]\nspec = \"rbd/b\"\n\
                        [[image.mount]]\nwhere = \"/mnt/b\"\n";
        let read = Configuration::read(&machine(&[
            ("etc/ceph/rbdmap", "rbd/a id=x\n"),
            ("etc/rbdmap.toml", settings),
        ]));
        let specs: Vec<_> = read
            .entries
            .iter()
            .map(|entry| entry.spec.to_string())
            .collect();
        assert_eq!(specs, ["rbd/a", "rbd/b"]);
        assert_eq!(read.entries[0].options.user.as_deref(), Some("x"));
        assert_eq!(read.entries[0].options.map.to_string(), "queue_depth=8");
        assert_eq!(read.lines.len(), 1);
        assert!(
            read.faults
                .iter()
                .any(|fault| fault.message.contains("remove one of the two"))
        );
    }

    #[test]
    fn a_bad_line_in_any_file_is_a_fault_and_leaves_the_good_lines_intact() {
        let read = Configuration::read(&machine(&[
            ("etc/ceph/rbdmap", "rbd/a nonsense=1\nrbd/b\n"),
            ("etc/fstab", "nonsense\n/dev/rbd/rbd/b /b xfs noauto 0 0\n"),
            ("etc/rbdmap.toml", "nonsense = 1\n"),
        ]));
        assert_eq!(
            (read.entries.len(), read.lines.len(), read.faults.len()),
            (1, 1, 3)
        );
    }

    #[test]
    fn reading_for_one_image_ignores_the_lines_of_others() {
        let root = machine(&[
            ("etc/ceph/rbdmap", "rbd/a id=x\nrbd/b nonsense=1\nrbd/abc\n"),
            ("etc/fstab", "nonsense\n/dev/rbd/rbd/a /a xfs noauto 0 0\n"),
            (
                "etc/rbdmap.toml",
                "map_options = \"queue_depth=8\"\n[[image]]\nspec = \"rbd/c\"\n[[image]]\nspec = \"rbd/d\"\n",
            ),
        ]);
        for (name, options, faults) in [
            ("rbd/a", Some("queue_depth=8"), 0),
            ("rbd/d", Some("queue_depth=8"), 0),
            ("rbd/b", None, 1),
        ] {
            let read = Configuration::of_images(&root, &[name.parse().unwrap()]);
            let found: Vec<_> = read
                .entries
                .iter()
                .map(|entry| (entry.spec.to_string(), entry.options.map.to_string()))
                .collect();
            let expected: Vec<_> = options
                .into_iter()
                .map(|options| (name.to_owned(), options.to_owned()))
                .collect();
            assert_eq!(
                (found, read.lines.len(), read.faults.len()),
                (expected, 0, faults),
                "{name}"
            );
        }
    }
}
