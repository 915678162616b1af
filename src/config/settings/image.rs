//! One `[[image]]` of a settings file, and the lines of table and fstab that it stands for.

use std::path::{Path, PathBuf};

use anyhow::{Result, bail, ensure};
use serde::Deserialize;
use toml::Spanned;

use super::keys::{InnerTable, TableKeys, field_names};
use super::value::{
    BoundedNumber, ClusterId, DirectoryPath, FilePath, ImageName, KernelOptions, MonitorList,
    MountOptions, OffsetError, PlainName, RelativePath,
};
use crate::config::map_options::MapOptions;
use crate::config::table::{Entry, EntryOptions, EntrySource};
use crate::model::fstab_entry::{FstabEntry, FstabSource};

/// An image that a settings file declares.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeclaredImage {
    /// The image, in the form of a line of the table.
    pub entry: Entry,
    /// Its mounts, in the form of fstab entries: an overlay follows the mount that it covers.
    pub mounts: Vec<FstabEntry>,
}

/// `[[image]]`. As for a line of the table, ceph.conf has the values of absent keys.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, expecting = "an [[image]] table")]
pub struct ImageTable {
    /// The image's name.
    spec: ImageName,
    /// The Ceph user without `client.`. Default: admin.
    #[serde(alias = "id")]
    user: Option<PlainName>,
    /// The keyring with the user's key.
    keyring: Option<FilePath>,
    /// A file that contains only the key.
    keyfile: Option<FilePath>,
    /// The path of ceph.conf.
    conf: Option<FilePath>,
    /// The cluster's name, which is part of the default paths. Default: ceph.
    cluster: Option<PlainName>,
    /// Replaces `mon_host` of ceph.conf.
    monitors: Option<MonitorList>,
    /// Replaces `fsid` of ceph.conf: the map option of that name.
    fsid: Option<ClusterId>,
    /// Map read-only. `false` overrides `ro` in the top-level `map_options`.
    read_only: Option<bool>,
    /// Keep the exclusive lock when another client requests it. Default: false.
    #[serde(default)]
    exclusive: bool,
    /// Options for the kernel.
    #[serde(default)]
    options: KernelOptions,
    /// Boot does not wait for the image. Default: false.
    #[serde(default)]
    nofail: bool,
    /// Replaces the hook that has the image's name.
    hook: Option<FilePath>,
    /// The mounts on the image.
    #[serde(default)]
    mount: Vec<MountTable>,
}

/// `[[image.mount]]`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, expecting = "an [[image.mount]] table")]
struct MountTable {
    /// The mount point.
    #[serde(rename = "where")]
    target: DirectoryPath,
    /// The file system's type. Default: auto.
    #[serde(rename = "type")]
    fstype: Option<PlainName>,
    /// The mount options. Default: defaults.
    options: Option<MountOptions>,
    /// The partition to mount. Default: the whole image.
    partition: Option<BoundedNumber<1, 255>>,
    /// An overlay on top of the mount.
    overlay: Option<Spanned<OverlayTable>>,
}

/// `[image.mount.overlay]`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, expecting = "an [image.mount.overlay] table")]
struct OverlayTable {
    /// The overlay's mount point.
    #[serde(rename = "where")]
    target: DirectoryPath,
    /// The directory of the mount to cover. Default: all of it.
    lower: Option<RelativePath>,
    /// The directory that takes the changes.
    upper: DirectoryPath,
    /// An empty directory on the file system of `upper`, for the kernel.
    work: DirectoryPath,
}

/// The keys of `[[image]]`.
pub const IMAGE_KEYS: TableKeys = TableKeys {
    names: field_names::<ImageTable>,
    inner: Some(InnerTable {
        name: "mount",
        heading: "[[image.mount]]",
        keys: &MOUNT_KEYS,
        is_list: true,
    }),
};

/// The keys of `[[image.mount]]`.
pub const MOUNT_KEYS: TableKeys = TableKeys {
    names: field_names::<MountTable>,
    inner: Some(InnerTable {
        name: "overlay",
        heading: "[image.mount.overlay]",
        keys: &OVERLAY_KEYS,
        is_list: false,
    }),
};

/// The keys of `[image.mount.overlay]`.
pub const OVERLAY_KEYS: TableKeys = TableKeys {
    names: field_names::<OverlayTable>,
    inner: None,
};

impl ImageTable {
    /// The image and its mounts. `path` and `line` are the table's position in the settings, `offset` its byte in that file.
    pub fn declare(
        self,
        path: &Path,
        line: usize,
        offset: usize,
    ) -> Result<DeclaredImage, OffsetError> {
        let mounts = self.mounts(path)?;
        let map = self
            .map_options()
            .map_err(|error| OffsetError::new(offset, &error))?;
        let options = EntryOptions {
            user: self.user.map(|name| name.0),
            keyring: self.keyring.map(|path| path.0),
            keyfile: self.keyfile.map(|path| path.0.into()),
            conf: self.conf.map(|path| path.0),
            cluster: self.cluster.map(|name| name.0),
            mon_host: self.monitors.map(|monitors| monitors.0),
            key: None,
            map,
        };
        let entry = Entry {
            spec: self.spec.0,
            options,
            source: EntrySource::Settings {
                path: path.to_owned(),
                line,
            },
            nofail: self.nofail,
            hook: self.hook.map(|path| path.0.into()),
        };
        Ok(DeclaredImage { entry, mounts })
    }

    /// The map options: `options`, overridden by the keys that are map options too.
    fn map_options(&self) -> Result<MapOptions> {
        let mut map = self.options.0.clone();
        // After `options`, because a later option replaces an earlier one with the same subject.
        match self.read_only {
            Some(true) => map.add("ro")?,
            Some(false) => map.add("rw")?,
            None => {}
        }
        if self.exclusive {
            map.add("exclusive")?;
        }
        if let Some(fsid) = &self.fsid {
            map.add(&format!("fsid={}", fsid.0))?;
        }
        Ok(map)
    }

    /// The mounts in their order, each followed by the overlay on it.
    fn mounts(&self, path: &Path) -> Result<Vec<FstabEntry>, OffsetError> {
        let link = Path::new("/dev").join(self.spec.0.link());
        let mut entries = Vec::new();
        for mount in &self.mount {
            entries.push(mount.entry(&link));
            if let Some(overlay) = &mount.overlay {
                let entry = overlay.get_ref().entry(&mount.target.0);
                entries
                    .push(entry.map_err(|error| OffsetError::new(overlay.span().start, &error))?);
            }
        }
        for entry in &mut entries {
            path.clone_into(&mut entry.path);
            // Without _netdev, systemd would unmount it after it has stopped the network.
            add_option(entry, "_netdev");
            if self.nofail {
                add_option(entry, "nofail");
            }
        }
        Ok(entries)
    }
}

fn add_option(entry: &mut FstabEntry, option: &str) {
    if !entry.options.iter().any(|given| given == option) {
        entry.options.push(option.to_owned());
    }
}

impl MountTable {
    fn entry(&self, link: &Path) -> FstabEntry {
        let mut source = link.to_string_lossy().into_owned();
        if let Some(number) = &self.partition {
            // The name of udev's link to a partition.
            source += &format!("-part{}", number.get());
        }
        let fstype = self.fstype.as_ref().map_or("auto", |name| &name.0);
        let mut options = self
            .options
            .as_ref()
            .map_or(Vec::new(), |given| given.0.clone());
        if options.is_empty() {
            // fstab(5) requires the field.
            options.push("defaults".to_owned());
        }
        FstabEntry {
            source,
            target: self.target.0.clone(),
            fstype: fstype.to_owned(),
            options,
            pass: 0,
            path: PathBuf::new(),
            declared_in: FstabSource::Settings,
        }
    }
}

impl OverlayTable {
    /// The entry of an overlay that covers the file system on `mount`.
    fn entry(&self, mount: &Path) -> Result<FstabEntry> {
        let target = &self.target.0;
        let upper = &self.upper.0;
        let work = &self.work.0;
        // systemd names a mount unit after its mount point, so two mounts cannot share one.
        ensure!(
            target != mount,
            "the overlay has the mount point of the mount that it covers, {target:?}; use another directory"
        );
        // The kernel requires this, and reports only EINVAL.
        ensure!(
            !upper.starts_with(work) && !work.starts_with(upper),
            "one of upper {upper:?} and work {work:?} contains the other; use two separate directories"
        );
        let lower = match &self.lower {
            Some(directory) => mount.join(&directory.0),
            None => mount.to_owned(),
        };
        Ok(FstabEntry {
            source: "overlay".to_owned(),
            target: target.clone(),
            fstype: "overlay".to_owned(),
            options: vec![
                overlay_option("lowerdir", &lower)?,
                overlay_option("upperdir", upper)?,
                overlay_option("workdir", work)?,
            ],
            pass: 0,
            path: PathBuf::new(),
            declared_in: FstabSource::Settings,
        })
    }
}

/// A mount option of overlayfs. Kernels and versions of mount(8) differ in which characters separate paths and in how these can
/// be escaped: such paths are refused.
fn overlay_option(name: &str, path: &Path) -> Result<String> {
    let path = path.to_string_lossy();
    let separators = if name == "lowerdir" {
        ",\\\":"
    } else {
        ",\\\""
    };
    if let Some(c) = path.chars().find(|c| separators.contains(*c)) {
        bail!(
            "{name} {path:?} contains {c:?}, which overlayfs reads as a separator; rename the directory"
        );
    }
    Ok(format!("{name}={path}"))
}
