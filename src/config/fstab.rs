//! fstab(5), read by libmount, and which of its entries stand on which image.
//!
//! An entry stands on an image when its source is the image's link below /dev/rbd, or that of one of its partitions
//! (`-partN`). What is to be done with an entry is decided by the plan and by the generator.

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
}

impl FstabEntry {
    /// Whether an option is there, with or without a value.
    pub fn has(&self, option: &str) -> bool {
        self.options.iter().any(|text| text.split('=').next() == Some(option))
    }

    /// The options as one string, as fstab has them.
    pub fn option_string(&self) -> String {
        self.options.join(",")
    }

    /// Whether the entry stands on the image or on a partition of it.
    pub fn stands_on(&self, spec: &ImageSpec) -> bool {
        let link = Path::new("/dev").join(spec.link());
        let Some(rest) = self.source.strip_prefix(&*link.to_string_lossy()) else { return false };
        match rest.strip_prefix("-part") {
            Some(number) => !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit()),
            None => rest.is_empty(),
        }
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
    Ok((entries.into_iter().map(FstabEntry::from).collect(), faults))
}

impl From<libmount::Entry> for FstabEntry {
    fn from(entry: libmount::Entry) -> Self {
        Self {
            source: entry.source,
            target: entry.target,
            fstype: entry.fstype,
            options: entry.options.split(',').filter(|option| !option.is_empty()).map(str::to_owned).collect(),
            pass: entry.pass,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(source: &str, options: &str) -> FstabEntry {
        FstabEntry::from(libmount::Entry {
            source: source.to_owned(),
            target: "/mnt/x".into(),
            fstype: "xfs".to_owned(),
            options: options.to_owned(),
            frequency: 0,
            pass: 0,
        })
    }

    #[test]
    fn an_entry_stands_on_its_image_and_on_its_partitions_only() {
        let spec: ImageSpec = "rbd/a".parse().unwrap();
        let rows = [
            ("/dev/rbd/rbd/a", true),
            ("/dev/rbd/rbd/a-part2", true),
            ("/dev/rbd/rbd/a-part", false),
            ("/dev/rbd/rbd/a-partner", false),
            ("/dev/rbd/rbd/ab", false),
            ("/dev/rbd0", false),
            ("UUID=1234", false),
        ];
        for (source, stands) in rows {
            assert_eq!(entry(source, "noauto").stands_on(&spec), stands, "{source}");
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
