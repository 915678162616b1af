//! One entry of fstab(5), or a mount that the settings declare in the same terms. `config::fstab` reads the file.

use std::path::{Path, PathBuf};

use super::image_spec::{ImageSpec, disk_of_partition};

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
    /// The image that it names: as x-rbdmap.image=, or as a device that udev links an image or its partition to.
    pub fn image(&self) -> Option<ImageSpec> {
        if let Some(name) = self.value("x-rbdmap.image") {
            return name.parse().ok();
        }
        let source = Path::new(&self.source).components().collect::<PathBuf>();
        let name = source.strip_prefix("/dev/rbd").ok()?.to_str()?;
        let disk = disk_of_partition(name).unwrap_or(name);
        disk.contains('/').then(|| disk.parse().ok()).flatten()
    }

    /// Whether an option is there, with or without a value.
    pub fn has(&self, option: &str) -> bool {
        self.options
            .iter()
            .any(|text| text.split('=').next() == Some(option))
    }

    /// The options as one string, as fstab has them.
    pub fn option_string(&self) -> String {
        self.options.join(",")
    }

    /// The last value of an option.
    pub fn value(&self, option: &str) -> Option<&str> {
        self.options
            .iter()
            .filter_map(|text| text.strip_prefix(option)?.strip_prefix('='))
            .next_back()
    }

    /// Of an option and its opposite, which are both there or not, whether it counts: the last one does, as for systemd.
    pub fn is_enabled(&self, yes: &str, no: &str) -> bool {
        self.options
            .iter()
            .rfind(|option| *option == yes || *option == no)
            .is_some_and(|option| option == yes)
    }

    /// Whether boot goes on without it.
    pub fn is_nofail(&self) -> bool {
        self.is_enabled("nofail", "fail")
    }

    /// The device node of the source, as udev links it for tags (systemd `src/shared/fstab-util.c`, fstab_node_to_udev_node);
    /// the source itself where it is no tag.
    pub fn device_node(&self) -> PathBuf {
        let folders = [
            ("UUID=", "uuid"),
            ("LABEL=", "label"),
            ("PARTUUID=", "partuuid"),
            ("PARTLABEL=", "partlabel"),
        ];
        let tag = folders
            .iter()
            .find_map(|(tag, folder)| Some((folder, self.source.strip_prefix(tag)?)));
        match tag {
            Some((folder, value)) => Path::new("/dev/disk")
                .join(format!("by-{folder}"))
                .join(encoded(value.trim_matches('"'))),
            None => PathBuf::from(&self.source),
        }
    }
}

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

/// A name as udev writes it into a link of a tag (systemd `src/shared/device-nodes.c`, encode_devnode_name).
fn encoded(name: &str) -> String {
    let stays = |c: char| !c.is_ascii() || c.is_ascii_alphanumeric() || "#+-.:=@_".contains(c);
    name.chars()
        .map(|c| {
            if stays(c) {
                c.to_string()
            } else {
                format!("\\x{:02x}", c as u32)
            }
        })
        .collect()
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
    fn tags_are_nodes_as_udev_links_them() {
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
    fn options_are_found_by_name() {
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
