//! Mounts one fstab entry, or finds it mounted. mount(2) may block where a disk does not answer, so it runs in a thread of
//! its own, which is left behind after the time limit.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Result, bail};

use super::double_mount;
use crate::engine::progress;
use crate::model::block_node::BlockNode;
use crate::model::fstab_entry::FstabEntry;
use crate::model::image_spec::ImageSpec;
use crate::model::mapping::Mapping;
use crate::model::mount_snapshot::MountSnapshot;
use crate::plan::already_mounted;
use crate::report::event::Event;
use crate::runtime::deadline::{Deadline, Wait};
use crate::runtime::root::Root;
use crate::sys::rbd::image_lock;
use crate::sys::{device, mounts, real_path};

/// One mount, and what another thread needs to make it.
pub struct MountJob {
    /// The root of all paths.
    pub root: Root,
    /// The image that reports about the mount name.
    pub spec: ImageSpec,
    /// The fstab entry.
    pub entry: FstabEntry,
    /// The mapping of the entry's own image.
    pub own: Option<Mapping>,
    /// Mount points that the entry needs and that the run does not mount.
    pub elsewhere: Vec<PathBuf>,
    /// How long the job may take.
    pub timeout: Duration,
}

impl MountJob {
    /// Mounts the entry, if it is not mounted. Returns what was done.
    pub fn run(self) -> Result<String> {
        let source = self.entry.source.clone();
        let target = self.entry.target.display().to_string();
        let deadline = Deadline::after(self.timeout);
        let spec = self.spec.clone();
        let subject = format!("the mount of {source} on {target} to finish");
        let wait = Wait {
            deadline: &deadline,
            on_delay: &|| progress::report_wait(Event::MapWaits, &spec, &subject),
        };
        match wait.run(move || self.mount(&deadline)) {
            Some(result) => result,
            None => bail!(
                "mounting {source} on {target} did not finish within {} s; check that the cluster is reachable",
                deadline.limit().as_secs()
            ),
        }
    }

    fn mount(&self, deadline: &Deadline) -> Result<String> {
        let target = self.entry.target.display();
        let mount_point = real_path::resolve(&self.root, &self.entry.target);
        // Held until the mount is made, so that no other rbdmap mounts the same between the look and the mount.
        let _lock = image_lock::mount_point(&self.root, &mount_point, Wait::silent(deadline))?;
        let snapshot = mounts::look(&self.root)?;
        if let Some(missing) = self.missing_mount(&snapshot) {
            bail!(
                "not mounted on {target}: it needs {}, which is not mounted",
                missing.display()
            );
        }
        if already_mounted::is_mounted(&self.entry_without_links(), &self.devices(), &snapshot) {
            return Ok(format!("already mounted on {target}"));
        }
        if let Err(error) = mounts::mount(&self.entry) {
            bail!("mounting {} on {target}: {error}", self.entry.source);
        }
        double_mount::take_back(&self.root, &mount_point);
        Ok(format!("mounted on {target}"))
    }

    fn missing_mount(&self, snapshot: &MountSnapshot) -> Option<&PathBuf> {
        self.elsewhere.iter().find(|path| {
            let path = real_path::resolve(&self.root, path);
            !snapshot.mounts.iter().any(|mount| mount.target == path)
        })
    }

    /// The devices from which the entry may be mounted.
    fn devices(&self) -> Vec<BlockNode> {
        let mut devices = match &self.own {
            Some(mapping) => device::nodes(&self.root, &mapping.name()),
            None => Vec::new(),
        };
        // The source may be a device that stands on the image, as with LVM or dm-crypt.
        devices.extend(device::at(&self.root.join(self.entry.device_node())));
        devices
    }

    /// The entry as the kernel reports its mount: without symbolic links.
    fn entry_without_links(&self) -> FstabEntry {
        let source = Path::new(&self.entry.source);
        let is_device = source.strip_prefix("/dev").is_ok();
        // A device is compared by its number, whatever its name.
        let source = if source.is_absolute() && !is_device {
            real_path::resolve(&self.root, source)
        } else {
            source.to_path_buf()
        };
        FstabEntry {
            source: source.to_string_lossy().into_owned(),
            target: real_path::resolve(&self.root, &self.entry.target),
            ..self.entry.clone()
        }
    }
}
