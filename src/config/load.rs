//! Everything that administrators have written, read once and put together: table, settings, fstab, Ceph's environment.
//!
//! What is wrong is remembered as faults beside what is right. Where the table and the settings name the same image, or
//! fstab and the settings the same mount point, the older file counts and the other is a fault.

use std::env;
use std::path::{Path, PathBuf};

use super::environment::{self, Environment};
use super::fstab;
use super::settings::{self, DeclaredImage, Settings};
use super::table::{self, Entry};
use crate::model::fault::Fault;
use crate::model::fstab_entry::FstabEntry;
use crate::model::hook_call::DeclaredHooks;
use crate::model::image_spec::ImageSpec;
use crate::runtime::root::Root;
use crate::sys::file::read_if_there;

/// What was read.
pub struct Configuration {
    /// Images, the table's before those of the settings, each completed by defaults and environment.
    pub entries: Vec<Entry>,
    /// fstab's lines and those that images of the settings declare.
    pub lines: Vec<FstabEntry>,
    /// Limits and defaults.
    pub settings: Settings,
    /// What is wrong with all of these.
    pub faults: Vec<Fault>,
    /// The table that was read.
    pub table: PathBuf,
}

impl Configuration {
    /// Reads all of it. What does not exist says nothing; what cannot be read is a fault.
    pub fn read(root: &Root) -> Self {
        let mut inputs = Self::of(root, table::parse);
        let fstab = fstab::read(root)
            .unwrap_or_else(|error| (Vec::new(), vec![unreadable(&root.fstab(), &error)]));
        inputs.lines = fstab.0;
        inputs.faults.extend(fstab.1);
        inputs.put_together()
    }

    /// What there is about these images, and nothing of fstab: for the run that only maps them, of which boot has one for each.
    pub fn of_images(root: &Root, images: &[ImageSpec]) -> Self {
        let mut inputs = Self::of(root, |path, text| table::parse_only(path, text, images));
        inputs
            .settings
            .images
            .retain(|image| images.contains(&image.entry.spec));
        inputs.put_together()
    }

    fn of(root: &Root, parse: impl Fn(&Path, &str) -> (Vec<Entry>, Vec<Fault>)) -> Self {
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

    fn put_together(mut self) -> Self {
        for image in std::mem::take(&mut self.settings.images) {
            self.add(image);
        }
        self.complete(&Environment::of_process());
        self
    }

    /// Whether the table is the machine's own, from which systemd's units are made.
    pub fn is_machines_own(&self, root: &Root) -> bool {
        self.table == machines_table(root)
    }

    /// The hooks that the settings name.
    pub fn own_hooks(&self) -> DeclaredHooks {
        let named = self
            .entries
            .iter()
            .filter_map(|entry| Some((entry.spec.clone(), entry.hook.clone()?)));
        named.collect()
    }

    fn add(&mut self, image: DeclaredImage) {
        let mut fault = |message| {
            self.faults.push(Fault::new(
                image.entry.path(),
                (image.entry.line(), 0),
                message,
            ))
        };
        if let Some(entry) = self
            .entries
            .iter()
            .find(|entry| entry.spec == image.entry.spec)
        {
            let (spec, table, line) = (&entry.spec, self.table.display(), entry.line());
            return fault(format!(
                "image {spec} is in {table}:{line} as well, which counts; keep one of the two"
            ));
        }
        for mount in image.mounts {
            if self.lines.iter().any(|line| line.target == mount.target) {
                fault(format!(
                    "{} is in fstab as well, which counts; keep one of the two",
                    mount.target.display()
                ));
            } else {
                self.lines.push(mount);
            }
        }
        self.entries.push(image.entry);
    }

    fn complete(&mut self, environment: &Environment) {
        for entry in &mut self.entries {
            if entry.options.key.is_some() {
                self.faults
                    .push(Fault::new(entry.path(), (entry.line(), 0), KEY_IN_TABLE).served());
            }
            entry.options.map.fill(&self.settings.defaults);
            if let Err(error) = environment.complete(&mut entry.options) {
                self.faults.push(Fault::new(
                    entry.path(),
                    (entry.line(), 0),
                    error.to_string(),
                ));
            }
        }
    }
}

fn unreadable(path: &Path, error: &anyhow::Error) -> Fault {
    Fault::new(path, (0, 0), error.root_cause().to_string())
}

const KEY_IN_TABLE: &str = "key= puts the secret where anybody may read it; write it into a file of mode 0600 and say \
    keyfile=FILE";

/// The table: `$RBDMAPFILE`, as for the script, or the machine's.
fn table_path(root: &Root) -> PathBuf {
    let named = env::var_os("RBDMAPFILE").filter(|path| !path.is_empty());
    named.map_or_else(|| machines_table(root), |path| root.join(path))
}

/// The table of the machine, as its units see it: that which the files for Ceph's services name, or /etc/ceph/rbdmap.
fn machines_table(root: &Root) -> PathBuf {
    let texts = root
        .service_environments()
        .into_iter()
        .filter_map(|path| read_if_there(&path).ok().flatten());
    let named = texts
        .filter_map(|text| environment::assigned(&text, "RBDMAPFILE"))
        .next_back();
    named
        .filter(|path| !path.is_empty())
        .map_or_else(|| root.table(), |path| root.join(path))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn machine(files: &[(&str, &str)]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        let root = Root::new(folder.path());
        std::fs::create_dir_all(root.join("etc/ceph")).unwrap();
        files
            .iter()
            .for_each(|(path, text)| std::fs::write(root.join(path), text).unwrap());
        folder
    }

    fn inputs(files: &[(&str, &str)]) -> Configuration {
        Configuration::read(&Root::new(machine(files).path()))
    }

    #[test]
    fn a_machine_with_nothing_has_nothing_to_do_and_no_faults() {
        let inputs = inputs(&[]);
        assert_eq!(
            (
                inputs.entries.len(),
                inputs.lines.len(),
                inputs.faults.len()
            ),
            (0, 0, 0)
        );
    }

    #[test]
    fn images_of_table_and_settings_come_together_and_the_table_wins() {
        let settings = "map_options = \"queue_depth=8\"\n[[image]]\nspec = \"rbd/a\"\n[[image]]\nspec = \"rbd/b\"\n\
                        [[image.mount]]\nwhere = \"/mnt/b\"\n";
        let inputs = inputs(&[
            ("etc/ceph/rbdmap", "rbd/a id=x\n"),
            ("etc/rbdmap.toml", settings),
        ]);
        let specs: Vec<_> = inputs
            .entries
            .iter()
            .map(|entry| entry.spec.to_string())
            .collect();
        assert_eq!(specs, ["rbd/a", "rbd/b"]);
        assert_eq!(inputs.entries[0].options.user.as_deref(), Some("x"));
        assert_eq!(inputs.entries[0].options.map.to_string(), "queue_depth=8");
        assert_eq!(inputs.lines.len(), 1);
        assert!(
            inputs
                .faults
                .iter()
                .any(|fault| fault.message.contains("keep one of the two"))
        );
    }

    #[test]
    fn a_bad_line_of_any_file_is_a_fault_beside_the_good_ones() {
        let inputs = inputs(&[
            ("etc/ceph/rbdmap", "rbd/a nonsense=1\nrbd/b\n"),
            ("etc/fstab", "nonsense\n/dev/rbd/rbd/b /b xfs noauto 0 0\n"),
            ("etc/rbdmap.toml", "nonsense = 1\n"),
        ]);
        assert_eq!(
            (
                inputs.entries.len(),
                inputs.lines.len(),
                inputs.faults.len()
            ),
            (1, 1, 3)
        );
    }

    #[test]
    fn who_maps_one_image_reads_of_the_files_what_is_about_it() {
        let folder = machine(&[
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
            let inputs =
                Configuration::of_images(&Root::new(folder.path()), &[name.parse().unwrap()]);
            let found: Vec<_> = inputs
                .entries
                .iter()
                .map(|entry| (entry.spec.to_string(), entry.options.map.to_string()))
                .collect();
            let expected: Vec<_> = options
                .into_iter()
                .map(|options| (name.to_owned(), options.to_owned()))
                .collect();
            assert_eq!(
                (found, inputs.lines.len(), inputs.faults.len()),
                (expected, 0, faults),
                "{name}"
            );
        }
    }
}
