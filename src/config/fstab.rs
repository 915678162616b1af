//! fstab(5), read by libmount, and which of its entries stand on which image.
//!
//! An entry stands on an image when its source is the image's link below /dev/rbd, or that of one of its partitions
//! (`-partN`), or when its option `x-rbdmap.image=` names the image, as for a source like `UUID=`. What is to be done with
//! an entry is decided by the plan and by the generator.

use std::collections::{HashMap, HashSet};
use std::os::unix::fs::FileTypeExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use super::fault::Fault;
use crate::image::ImageSpec;
use crate::root::Root;

/// One entry, with its options apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FstabEntry {
    /// First field, as written.
    pub source: String,
    /// Second field.
    pub target: PathBuf,
    /// Third field.
    pub fstype: String,
    /// Fourth field, split at its commas.
    pub options: Vec<String>,
    /// Sixth field: fsck's pass, 0 for none.
    pub pass: i32,
    /// The file that says so: fstab, or one of our settings, of which systemd knows nothing.
    pub path: PathBuf,
}

impl FstabEntry {
    /// The image that it names: as x-rbdmap.image=, or as a device that udev links an image or its partition to.
    pub fn image(&self) -> Option<ImageSpec> {
        if let Some(name) = self.value("x-rbdmap.image") {
            return name.parse().ok();
        }
        let source = Path::new(&self.source).components().collect::<PathBuf>();
        let name = source.strip_prefix("/dev/rbd").ok()?.to_str()?;
        let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        let disk = name.rsplit_once("-part").filter(|(_, number)| is_number(number)).map_or(name, |(disk, _)| disk);
        disk.contains('/').then(|| disk.parse().ok()).flatten()
    }

    /// Whether an option is there, with or without a value.
    pub fn has(&self, option: &str) -> bool {
        self.options.iter().any(|text| text.split('=').next() == Some(option))
    }

    /// The options as one string, as fstab has them.
    pub fn option_string(&self) -> String {
        self.options.join(",")
    }

    /// The last value of an option.
    pub fn value(&self, option: &str) -> Option<&str> {
        self.options.iter().filter_map(|text| text.strip_prefix(option)?.strip_prefix('=')).next_back()
    }

    /// Of an option and its opposite, which are both there or not, whether it counts: the last one does, as for systemd.
    pub fn says(&self, yes: &str, no: &str) -> bool {
        self.options.iter().rfind(|option| *option == yes || *option == no).is_some_and(|option| option == yes)
    }

    /// Whether boot goes on without it.
    pub fn is_nofail(&self) -> bool {
        self.says("nofail", "fail")
    }

    /// The device node of the source, as udev links it for tags (systemd `src/shared/fstab-util.c`, fstab_node_to_udev_node);
    /// the source itself where it is no tag.
    pub fn node(&self) -> PathBuf {
        let folders = [("UUID=", "uuid"), ("LABEL=", "label"), ("PARTUUID=", "partuuid"), ("PARTLABEL=", "partlabel")];
        let tag = folders.iter().find_map(|(tag, folder)| Some((folder, self.source.strip_prefix(tag)?)));
        match tag {
            Some((folder, value)) => {
                Path::new("/dev/disk").join(format!("by-{folder}")).join(encoded(value.trim_matches('"')))
            }
            None => PathBuf::from(&self.source),
        }
    }
}

/// A name as udev writes it into a link of a tag (systemd `src/shared/device-nodes.c`, encode_devnode_name).
fn encoded(name: &str) -> String {
    let stays = |c: char| !c.is_ascii() || c.is_ascii_alphanumeric() || "#+-.:=@_".contains(c);
    name.chars().map(|c| if stays(c) { c.to_string() } else { format!("\\x{:02x}", c as u32) }).collect()
}

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
        let source = Path::new(&entry.source).components().collect::<PathBuf>().to_string_lossy().into_owned();
        let partitioned = || {
            let (disk, number) = source.rsplit_once("-part")?;
            let is_number = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
            is_number.then(|| self.by_link.get(disk)).flatten()
        };
        self.by_link.get(&source).or_else(partitioned).copied()
    }
}

/// Reads fstab: its entries in order and the lines that libmount cannot read. No file is no entries.
pub fn read(root: &Root) -> Result<(Vec<FstabEntry>, Vec<Fault>)> {
    let path = root.fstab();
    // A link to /dev/null is how fstab is switched off; libmount takes only regular files.
    if path.metadata().is_ok_and(|metadata| metadata.file_type().is_char_device()) {
        return Ok((Vec::new(), Vec::new()));
    }
    let (entries, faults) = match libmount::fstab(&path) {
        Ok(read) => read,
        Err(error) if error.errno() == Some(nix::libc::ENOENT) => return Ok((Vec::new(), Vec::new())),
        Err(error) => return Err(error).with_context(|| format!("reading {}", path.display())),
    };
    let message = "not an fstab entry, expected: device mount-point type options dump pass";
    let faults = faults.iter().map(|fault| Fault::new(&path, (fault.line, 0), message)).collect();
    Ok((entries.into_iter().map(|entry| FstabEntry::of(entry, &path)).collect(), faults))
}

impl FstabEntry {
    fn of(entry: libmount::Entry, path: &Path) -> Self {
        Self {
            source: entry.source,
            target: entry.target,
            fstype: entry.fstype,
            options: entry.options.split(',').filter(|option| !option.is_empty()).map(str::to_owned).collect(),
            pass: entry.pass,
            path: path.to_owned(),
        }
    }
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
            frequency: 0,
            pass: 0,
        };
        FstabEntry::of(entry, Path::new("/etc/fstab"))
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
            let below = images.below(&entry(source, options)).map(ToString::to_string);
            assert_eq!(below.as_deref(), expected, "{source} {options}");
        }
    }

    #[test]
    fn tags_are_nodes_as_udev_links_them() {
        let rows = [
            ("UUID=12-ab", "/dev/disk/by-uuid/12-ab"),
            ("LABEL=my data", "/dev/disk/by-label/my\\x20data"),
            ("LABEL=\"a/b\"", "/dev/disk/by-label/a\\x2fb"),
            ("/dev/rbd/rbd/a", "/dev/rbd/rbd/a"),
        ];
        for (source, expected) in rows {
            assert_eq!(entry(source, "noauto").node(), Path::new(expected));
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

    #[test]
    fn options_are_found_by_name() {
        let entry = entry("/dev/rbd/rbd/a", "noauto,x-systemd.device-timeout=5,_netdev");
        assert!(entry.has("noauto") && entry.has("_netdev") && entry.has("x-systemd.device-timeout"));
        assert!(!entry.has("auto"));
        assert_eq!(entry.option_string(), "noauto,x-systemd.device-timeout=5,_netdev");
    }
}
