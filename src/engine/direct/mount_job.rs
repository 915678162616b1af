//! One mount of the direct engine: finds it made already, or makes it. It may hang where a disk does not answer, so it has
//! a thread of its own, which is left behind after the limit.

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::double_mount;
use crate::engine::progress;
use crate::model::fstab_entry::FstabEntry;
use crate::model::image_spec::ImageSpec;
use crate::model::mapping::Mapping;
use crate::plan::already_mounted;
use crate::report::event::Event;
use crate::runtime::deadline::{Deadline, Wait};
use crate::runtime::root::Root;
use crate::sys::rbd::image_lock;
use crate::sys::{device, mounts, real_path};

/// One mount, with all that it takes to make it in another thread.
pub struct MountJob {
    /// Where it is mounted.
    pub root: Root,
    /// The image that it is told as being about.
    pub spec: ImageSpec,
    /// The fstab entry.
    pub entry: FstabEntry,
    /// The mapping of its own image.
    pub own: Option<Mapping>,
    /// Mount points that it needs and that nobody mounts for it.
    pub elsewhere: Vec<PathBuf>,
    /// How long it may take.
    pub limit: Duration,
}

impl MountJob {
    /// Mounts, if it is not mounted; the error is a sentence.
    pub fn run(self) -> Result<String, String> {
        let target = self.entry.target.display().to_string();
        let source = self.entry.source.clone();
        let deadline = Deadline::after(self.limit);
        let (spec, what) = (
            self.spec.clone(),
            format!("the mounting of {source} on {target}"),
        );
        let wait = Wait {
            deadline: &deadline,
            on_delay: &|| progress::report_wait(Event::MapWaits, &spec, &what),
        };
        let ended = wait.run(move || self.mount(&deadline)).unwrap_or_else(|| {
            Err(format!(
                "mounting {source} on {target} has not ended for {} s",
                deadline.limit().as_secs()
            ))
        })?;
        Ok(ended)
    }

    fn mount(&self, deadline: &Deadline) -> Result<String, String> {
        let (source, target) = (&self.entry.source, self.entry.target.display());
        let place = real_path::resolve(&self.root, &self.entry.target);
        let _lock = image_lock::mount_point(&self.root, &place, Wait::silent(deadline))
            .map_err(|error| format!("{error:#}"))?;
        let seen = mounts::look(&self.root).map_err(|error| format!("{error:#}"))?;
        let is_there = |place: &PathBuf| {
            seen.mounts
                .iter()
                .any(|mount| mount.target == real_path::resolve(&self.root, place))
        };
        if let Some(missing) = self.elsewhere.iter().find(|place| !is_there(place)) {
            return Err(format!(
                "not mounted on {target}: it needs {}, which is not mounted",
                missing.display()
            ));
        }
        let mut devices = self
            .own
            .as_ref()
            .map(|own| device::nodes(&self.root, &own.name()))
            .unwrap_or_default();
        // It may be on a device that stands on the image, as with LVM or dm-crypt.
        devices.extend(device::at(&self.root.join(self.entry.device_node())));
        if already_mounted::is_mounted(&self.really(), &devices, &seen) {
            return Ok(format!("already mounted on {target}"));
        }
        match mounts::mount(&self.entry) {
            Ok(()) => {
                double_mount::take_back(&self.root, &place);
                Ok(format!("mounted on {target}"))
            }
            Err(error) => Err(format!("mounting {source} on {target}: {error}")),
        }
    }

    /// The entry as the kernel tells it: without symbolic links.
    fn really(&self) -> FstabEntry {
        let source = Path::new(&self.entry.source);
        let is_device = source.strip_prefix("/dev").is_ok();
        let source = if source.is_absolute() && !is_device {
            real_path::resolve(&self.root, source)
        } else {
            source.to_path_buf()
        };
        let source = source.to_string_lossy().into_owned();
        FstabEntry {
            source,
            target: real_path::resolve(&self.root, &self.entry.target),
            ..self.entry.clone()
        }
    }
}
