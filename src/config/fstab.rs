//! fstab(5), read by libmount, and which of its entries belong to which image.
//!
//! An entry belongs to an image if its source is the image's link below /dev/rbd or the link of one of its partitions
//! (`-partN`), or if its option `x-rbdmap.image=` names the image, which serves sources such as `UUID=`. The plan and the
//! generator decide what to do with an entry.

use std::collections::{HashMap, HashSet};
use std::os::unix::fs::FileTypeExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::model::fault::{Fault, Position};
use crate::model::fstab_entry::FstabEntry;
use crate::model::image_spec::{ImageSpec, disk_of_partition};
use crate::runtime::root::Root;

/// Images, found by the names that fstab can use for them.
pub struct Images<'a> {
    by_link: HashMap<String, &'a ImageSpec>,
    by_name: HashSet<&'a ImageSpec>,
}

impl<'a> Images<'a> {
    /// Indexes these images.
    pub fn new(specs: &[&'a ImageSpec]) -> Self {
        let mut by_link = HashMap::new();
        for spec in specs {
            // Two names can have one link: udev replaces characters. The first image counts.
            by_link
                .entry(format!("/dev/{}", spec.link().display()))
                .or_insert(*spec);
        }
        Self {
            by_link,
            by_name: specs.iter().copied().collect(),
        }
    }

    /// The image that an entry names itself.
    pub fn below(&self, entry: &FstabEntry) -> Option<&'a ImageSpec> {
        if let Some(name) = entry.value("x-rbdmap.image") {
            let spec: ImageSpec = name.parse().ok()?;
            return self.by_name.get(&spec).copied();
        }
        // systemd too ignores double slashes.
        let source: PathBuf = Path::new(&entry.source).components().collect();
        let source = source.to_string_lossy();
        // The whole link comes first, because an image may be called `x-part1`.
        let whole = self.by_link.get(source.as_ref());
        let disk = disk_of_partition(&source).and_then(|disk| self.by_link.get(disk));
        whole.or(disk).copied()
    }
}

/// Reads fstab: its entries in order, and the lines that libmount cannot parse. A missing fstab is an empty one.
pub fn read(root: &Root) -> Result<(Vec<FstabEntry>, Vec<Fault>)> {
    let path = root.fstab();
    // A link to /dev/null switches fstab off; libmount reads only regular files.
    let is_device = path
        .metadata()
        .is_ok_and(|metadata| metadata.file_type().is_char_device());
    if is_device {
        return Ok((Vec::new(), Vec::new()));
    }
    let (lines, bad_lines) = match libmount::fstab(&path) {
        Ok(read) => read,
        Err(error) if error.errno() == Some(nix::libc::ENOENT) => {
            return Ok((Vec::new(), Vec::new()));
        }
        Err(error) => return Err(error).with_context(|| format!("reading {}", path.display())),
    };
    let mut entries = Vec::new();
    for line in lines {
        entries.push(FstabEntry::new(line, &path));
    }
    let mut faults = Vec::new();
    for bad in bad_lines {
        let message = "not an fstab entry, expected: device mount-point type options dump pass";
        faults.push(Fault::new(&path, Position::line(bad.line), message));
    }
    Ok((entries, faults))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::runtime::fake_root::FakeRoot;

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
    fn an_entry_belongs_to_the_image_of_its_link_partition_or_option() {
        let specs: [ImageSpec; 2] = ["rbd/a", "rbd/a-part7"].map(|name| name.parse().unwrap());
        let images = Images::new(&[&specs[0], &specs[1]]);
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
    fn an_fstab_that_links_to_dev_null_is_empty() {
        let root = FakeRoot::new();
        std::fs::create_dir(root.join("etc")).unwrap();
        std::os::unix::fs::symlink("/dev/null", root.fstab()).unwrap();
        assert_eq!(read(&root).unwrap(), (Vec::new(), Vec::new()));
    }
}
