//! An entry of fstab(5), or a mount that the settings declare in the same form. `config::fstab` reads the files.

use std::path::{Path, PathBuf};

use super::image_spec::{ImageSpec, disk_of_partition};
use super::udev_name;

/// An entry, with its options as a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FstabEntry {
    /// The first field: a device, a tag such as `UUID=…`, or another source.
    pub source: String,
    /// The second field: the mount point.
    pub target: PathBuf,
    /// The third field: the type of the file system.
    pub fstype: String,
    /// The fourth field, split at its commas.
    pub options: Vec<String>,
    /// The sixth field: the pass of fsck(8); 0 for no check.
    pub pass: i32,
    /// The file that it was read from.
    pub path: PathBuf,
    /// What kind of file that is.
    pub declared_in: FstabSource,
}

/// The kind of file that declares an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FstabSource {
    /// fstab: systemd-fstab-generator makes a unit for the entry too.
    Fstab,
    /// A settings file, which systemd does not read.
    Settings,
}

impl FstabEntry {
    /// The image that the entry names, with x-rbdmap.image= or as the link that udev makes for an image or its partition.
    pub fn image(&self) -> Option<ImageSpec> {
        if let Some(name) = self.value("x-rbdmap.image") {
            return name.parse().ok();
        }
        let source = Path::new(&self.source).components().collect::<PathBuf>();
        let name = source.strip_prefix("/dev/rbd").ok()?.to_str()?;
        // A link of udev has the pool. Parsing a name without one would add the default pool.
        let disk = disk_of_partition(name).unwrap_or(name);
        disk.contains('/').then(|| disk.parse().ok()).flatten()
    }

    /// Whether the entry has an option, with or without a value.
    pub fn has(&self, option: &str) -> bool {
        self.options
            .iter()
            .any(|text| text.split('=').next() == Some(option))
    }

    /// The options as in the file.
    pub fn option_string(&self) -> String {
        self.options.join(",")
    }

    /// The value of an option; the last one, if the option is repeated.
    pub fn value(&self, option: &str) -> Option<&str> {
        self.options
            .iter()
            .filter_map(|text| text.strip_prefix(option)?.strip_prefix('='))
            .next_back()
    }

    /// Whether `yes` is set. If the entry has `yes` and its opposite `no`, the last one counts, as for systemd.
    pub fn is_enabled(&self, yes: &str, no: &str) -> bool {
        self.options
            .iter()
            .rfind(|option| *option == yes || *option == no)
            .is_some_and(|option| option == yes)
    }

    /// Whether boot continues without the mount.
    pub fn is_nofail(&self) -> bool {
        self.is_enabled("nofail", "fail")
    }

    /// The device node of the source. For a tag, the link that udev makes (systemd `src/shared/fstab-util.c`,
    /// fstab_node_to_udev_node); otherwise the source itself.
    pub fn device_node(&self) -> PathBuf {
        for (tag, directory) in TAGS {
            if let Some(value) = self.source.strip_prefix(tag) {
                let link = udev_name::encode_tag(value.trim_matches('"'));
                return Path::new("/dev/disk").join(directory).join(link);
            }
        }
        PathBuf::from(&self.source)
    }
}

/// Tags of file systems and partitions, with udev's directories for them.
const TAGS: [(&str, &str); 4] = [
    ("UUID=", "by-uuid"),
    ("LABEL=", "by-label"),
    ("PARTUUID=", "by-partuuid"),
    ("PARTLABEL=", "by-partlabel"),
];

impl FstabEntry {
    /// An entry of the fstab at `path`, as libmount reads it.
    pub fn new(entry: libmount::Entry, path: &Path) -> Self {
        Self {
            source: entry.source,
            target: entry.target,
            fstype: entry.fstype,
            options: entry
                .options
                .split(',')
                .filter(|option| !option.is_empty())
                .map(str::to_owned)
                .collect(),
            pass: entry.pass,
            path: path.to_owned(),
            declared_in: FstabSource::Fstab,
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
            pass: 0,
        };
        FstabEntry::new(entry, Path::new("/etc/fstab"))
    }

    #[test]
    fn the_device_node_of_a_tag_is_the_link_of_udev() {
        let rows = [
            ("UUID=12-ab", "/dev/disk/by-uuid/12-ab"),
            ("LABEL=my data", "/dev/disk/by-label/my\\x20data"),
            ("LABEL=\"a/b\"", "/dev/disk/by-label/a\\x2fb"),
            ("/dev/rbd/rbd/a", "/dev/rbd/rbd/a"),
        ];
        for (source, expected) in rows {
            assert_eq!(entry(source, "noauto").device_node(), Path::new(expected));
        }
    }

    #[test]
    fn an_option_is_found_by_its_name_with_or_without_a_value() {
        let entry = entry(
            "/dev/rbd/rbd/a",
            "noauto,x-systemd.device-timeout=5,_netdev",
        );
        assert!(
            entry.has("noauto") && entry.has("_netdev") && entry.has("x-systemd.device-timeout")
        );
        assert!(!entry.has("auto"));
        assert_eq!(
            entry.option_string(),
            "noauto,x-systemd.device-timeout=5,_netdev"
        );
    }
}
