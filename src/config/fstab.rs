//! fstab(5), read by libmount, and which of its entries stand on which image.
//!
//! An entry stands on an image when its source is the image's link below /dev/rbd, or that of one of its partitions
//! (`-partN`), or when its option `x-rbdmap.image=` names the image, as for a source like `UUID=`. What is to be done with
//! an entry is decided by the plan and by the generator.

use std::collections::{HashMap, HashSet};
use std::os::unix::fs::FileTypeExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::model::fault::Fault;
use crate::model::fstab_entry::FstabEntry;
use crate::model::image_spec::{ImageSpec, disk_of_partition};
use crate::runtime::root::Root;

/// Images by what fstab can call them.
pub struct Images<'a> {
    by_link: HashMap<String, &'a ImageSpec>,
    by_name: HashSet<&'a ImageSpec>,
}

impl<'a> Images<'a> {
    /// These images.
    pub fn of(specs: &[&'a ImageSpec]) -> Self {
        let link = |spec: &ImageSpec| format!("/dev/{}", spec.link().display());
        Self {
            by_link: specs.iter().rev().map(|spec| (link(spec), *spec)).collect(),
            by_name: specs.iter().copied().collect(),
        }
    }

    /// The image that an entry stands on by itself: the one of that name before the one with such a partition, for an image
    /// may be called `x-part1`.
    pub fn below(&self, entry: &FstabEntry) -> Option<&'a ImageSpec> {
        if let Some(name) = entry.value("x-rbdmap.image") {
            let spec: ImageSpec = name.parse().ok()?;
            return self.by_name.get(&spec).copied();
        }
        // Without double slashes, as systemd takes it.
        let source = Path::new(&entry.source)
            .components()
            .collect::<PathBuf>()
            .to_string_lossy()
            .into_owned();
        let disk = disk_of_partition(&source).and_then(|disk| self.by_link.get(disk));
        self.by_link.get(&source).or(disk).copied()
    }
}

/// Reads fstab: its entries in order and the lines that libmount cannot read. No file is no entries.
pub fn read(root: &Root) -> Result<(Vec<FstabEntry>, Vec<Fault>)> {
    let path = root.fstab();
    // A link to /dev/null is how fstab is switched off; libmount takes only regular files.
    if path
        .metadata()
        .is_ok_and(|metadata| metadata.file_type().is_char_device())
    {
        return Ok((Vec::new(), Vec::new()));
    }
    let (entries, faults) = match libmount::fstab(&path) {
        Ok(read) => read,
        Err(error) if error.errno() == Some(nix::libc::ENOENT) => {
            return Ok((Vec::new(), Vec::new()));
        }
        Err(error) => return Err(error).with_context(|| format!("reading {}", path.display())),
    };
    let message = "not an fstab entry, expected: device mount-point type options dump pass";
    let faults = faults
        .iter()
        .map(|fault| Fault::new(&path, (fault.line, 0), message))
        .collect();
    Ok((
        entries
            .into_iter()
            .map(|entry| FstabEntry::new(entry, &path))
            .collect(),
        faults,
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(source: &str, options: &str) -> FstabEntry {
        let entry = libmount::Entry {
            source: source.to_owned(),
            target: "/mnt/x".into(),
            fstype: "xfs".to_owned(),
            options: options.to_owned(),
            pass: 0,
        };
        FstabEntry::new(entry, Path::new("/etc/fstab"))
    }

    #[test]
    fn an_entry_stands_on_its_image_and_on_its_partitions_only() {
        let specs: [ImageSpec; 2] = ["rbd/a", "rbd/a-part7"].map(|name| name.parse().unwrap());
        let images = Images::of(&[&specs[0], &specs[1]]);
        let rows = [
            ("/dev/rbd/rbd/a", "noauto", Some("rbd/a")),
            ("/dev/rbd/rbd/a-part2", "noauto", Some("rbd/a")),
            ("/dev/rbd/rbd/a-part7", "noauto", Some("rbd/a-part7")),
            ("/dev/rbd/rbd/a-part7-part1", "noauto", Some("rbd/a-part7")),
            ("/dev/rbd/rbd/a-part", "noauto", None),
            ("/dev/rbd/rbd/a-partner", "noauto", None),
            ("/dev/rbd/rbd/ab", "noauto", None),
            ("/dev/rbd0", "noauto", None),
            ("UUID=1234", "noauto", None),
            ("UUID=1234", "noauto,x-rbdmap.image=rbd/a", Some("rbd/a")),
            ("UUID=1234", "noauto,x-rbdmap.image=a", Some("rbd/a")),
            ("UUID=1234", "noauto,x-rbdmap.image=rbd/b", None),
        ];
        for (source, options, expected) in rows {
            let below = images
                .below(&entry(source, options))
                .map(ToString::to_string);
            assert_eq!(below.as_deref(), expected, "{source} {options}");
        }
    }

    #[test]
    fn an_fstab_that_is_switched_off_is_empty() {
        let folder = tempfile::tempdir().unwrap();
        let root = Root::new(folder.path());
        std::fs::create_dir(root.join("etc")).unwrap();
        std::os::unix::fs::symlink("/dev/null", root.fstab()).unwrap();
        assert_eq!(read(&root).unwrap(), (Vec::new(), Vec::new()));
    }
}
