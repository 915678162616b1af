//! One `[[image]]`: its keys, and the lines of table and fstab that say the same.

use std::path::{Path, PathBuf};

use anyhow::{Result, bail, ensure};
use serde::Deserialize;
use toml::Spanned;

use super::DeclaredImage;
use super::value::{
    Between, FilePath, Folder, Fsid, Monitors, MountOptions, Options, Problem, Spec, Subfolder,
    Word,
};
use crate::config::map_options::MapOptions;
use crate::config::table::{Entry, EntryOptions, EntrySource};
use crate::model::fstab_entry::{FstabEntry, FstabSource};

/// `[[image]]`. What is absent comes from ceph.conf, as for a line of the table.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ImageFragment {
    /// Which image.
    spec: Spec,
    /// The Ceph user without `client.`: admin.
    #[serde(alias = "id")]
    user: Option<Word>,
    /// Where the user's key is.
    keyring: Option<FilePath>,
    /// A file with nothing but the key.
    keyfile: Option<FilePath>,
    /// ceph.conf.
    conf: Option<FilePath>,
    /// The cluster's name in those paths: ceph.
    cluster: Option<Word>,
    /// In the place of ceph.conf's `mon_host`.
    monitors: Option<Monitors>,
    /// The cluster's id, in the place of ceph.conf's: the map option of that name.
    fsid: Option<Fsid>,
    /// Map read-only; `false` outdoes a `ro` of the defaults.
    read_only: Option<bool>,
    /// Do not hand the exclusive lock to others: false.
    #[serde(default)]
    exclusive: bool,
    /// Options for the kernel: none.
    #[serde(default)]
    options: Options,
    /// Boot goes on without it: false.
    #[serde(default)]
    nofail: bool,
    /// The hook, in the place of that which is named like the image.
    hook: Option<FilePath>,
    /// What is mounted on it: nothing.
    #[serde(default)]
    mount: Vec<MountFragment>,
}

/// `[[image.mount]]`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct MountFragment {
    /// The mount point.
    #[serde(rename = "where")]
    target: Folder,
    /// The file system's type: auto.
    #[serde(rename = "type")]
    fstype: Option<Word>,
    /// Its options: defaults.
    options: Option<MountOptions>,
    /// Its partition: the whole image.
    partition: Option<Between<1, 255>>,
    /// What lies on top of it: nothing.
    overlay: Option<Spanned<OverlayFragment>>,
}

/// `[image.mount.overlay]`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct OverlayFragment {
    /// The overlay's mount point.
    #[serde(rename = "where")]
    target: Folder,
    /// The folder of the mount to lie on: the mount itself.
    lower: Option<Subfolder>,
    /// Where changes go.
    upper: Folder,
    /// An empty folder on the file system of `upper`, for the kernel.
    work: Folder,
}

impl ImageFragment {
    /// What the lines of table and fstab would be. It is declared in `path` on `line`, from the byte `start` on.
    pub fn declare(self, path: &Path, start: usize, line: usize) -> Result<DeclaredImage, Problem> {
        let mounts = self.mounts(path)?;
        let map = self
            .map_options()
            .map_err(|error| Problem::new(start, &error))?;
        let options = EntryOptions {
            user: self.user.map(|word| word.0),
            keyring: self.keyring.map(|path| path.0),
            keyfile: self.keyfile.map(|path| path.0.into()),
            conf: self.conf.map(|path| path.0),
            cluster: self.cluster.map(|word| word.0),
            mon_host: self.monitors.map(|monitors| monitors.0),
            key: None,
            map,
        };
        let (nofail, hook) = (self.nofail, self.hook.map(|path| path.0.into()));
        Ok(DeclaredImage {
            entry: Entry {
                spec: self.spec.0,
                options,
                source: EntrySource::Settings {
                    path: path.to_owned(),
                    line,
                },
                nofail,
                hook,
            },
            mounts,
        })
    }

    /// `options`, and the keys that are options in the kernel's line; a key says more than an option.
    fn map_options(&self) -> Result<MapOptions> {
        let mut map = self.options.0.clone();
        let read_only = self
            .read_only
            .map(|read_only| if read_only { "ro" } else { "rw" });
        let exclusive = self.exclusive.then_some("exclusive");
        read_only
            .into_iter()
            .chain(exclusive)
            .try_for_each(|option| map.add(option))?;
        self.fsid
            .iter()
            .try_for_each(|fsid| map.add(&format!("fsid={}", fsid.0)))?;
        Ok(map)
    }

    /// Each mount, followed by the overlay on it.
    fn mounts(&self, path: &Path) -> Result<Vec<FstabEntry>, Problem> {
        let link = Path::new("/dev")
            .join(self.spec.0.link())
            .to_string_lossy()
            .into_owned();
        let mut entries = Vec::new();
        for mount in &self.mount {
            entries.push(FstabEntry {
                path: path.to_owned(),
                ..mount.entry(&link, self.nofail)
            });
            if let Some(overlay) = &mount.overlay {
                let entry = overlay.get_ref().entry(&mount.target.0, self.nofail);
                let entry = entry.map_err(|error| Problem::new(overlay.span().start, &error))?;
                entries.push(FstabEntry {
                    path: path.to_owned(),
                    ..entry
                });
            }
        }
        Ok(entries)
    }
}

impl MountFragment {
    fn entry(&self, link: &str, nofail: bool) -> FstabEntry {
        let part = self
            .partition
            .as_ref()
            .map(|number| format!("-part{}", number.get()))
            .unwrap_or_default();
        let given = self
            .options
            .as_ref()
            .map(|options| options.0.clone())
            .filter(|options| !options.is_empty());
        FstabEntry {
            source: format!("{link}{part}"),
            target: self.target.0.clone(),
            fstype: self
                .fstype
                .as_ref()
                .map_or("auto", |word| &word.0)
                .to_owned(),
            options: for_network(given.unwrap_or_else(|| vec!["defaults".to_owned()]), nofail),
            pass: 0,
            path: PathBuf::new(),
            declared_in: FstabSource::Settings,
        }
    }
}

impl OverlayFragment {
    fn entry(&self, mount: &Path, nofail: bool) -> Result<FstabEntry> {
        let (target, upper, work) = (&self.target.0, &self.upper.0, &self.work.0);
        ensure!(
            target != mount,
            "the overlay is to be on {target:?} like the mount below it, expected another folder"
        );
        ensure!(
            !upper.starts_with(work) && !work.starts_with(upper),
            "upper {upper:?} and work {work:?} lie in one another, expected two folders apart"
        );
        let lower = self
            .lower
            .as_ref()
            .map_or_else(|| mount.to_owned(), |folder| mount.join(&folder.0));
        let options = [("lowerdir", &lower), ("upperdir", upper), ("workdir", work)];
        let options = options
            .into_iter()
            .map(folder_option)
            .collect::<Result<_>>()?;
        Ok(FstabEntry {
            source: "overlay".to_owned(),
            target: target.clone(),
            fstype: "overlay".to_owned(),
            options: for_network(options, nofail),
            pass: 0,
            path: PathBuf::new(),
            declared_in: FstabSource::Settings,
        })
    }
}

/// An option of overlayfs. Which characters are taken for separators, and how they could be escaped, differs between
/// kernels and mount(8)s: such paths are refused.
fn folder_option((name, path): (&str, &PathBuf)) -> Result<String> {
    let path = path.to_string_lossy();
    let separators = if name == "lowerdir" {
        ",\\\":"
    } else {
        ",\\\""
    };
    match path.chars().find(|c| separators.contains(*c)) {
        Some(c) => bail!(
            "{name} {path:?} has {c:?} in it, which overlayfs takes for a separator; rename the folder"
        ),
        None => Ok(format!("{name}={path}")),
    }
}

/// With what fstab needs for mounts that end before the network does.
fn for_network(mut options: Vec<String>, nofail: bool) -> Vec<String> {
    for option in ["_netdev"].into_iter().chain(nofail.then_some("nofail")) {
        if !options.iter().any(|given| given == option) {
            options.push(option.to_owned());
        }
    }
    options
}
