//! The administrator's hook of an image, `/etc/ceph/rbd.d/POOL/[NAMESPACE/]IMAGE[@SNAPSHOT]`: whether it is to be run, and
//! what it is called with. As ceph's script has it: `HOOK map LINK` after the image was mapped and mounted, `HOOK unmap
//! LINK` before it is unmounted, never for an image that was mapped already. A hook that fails is told, and stops
//! nothing.
//!
//! It runs as root, so it must be root's own, and nobody else may be able to replace it: the file and every folder above
//! it, up to /etc/ceph/rbd.d, and where a symbolic link leads out of there, up to /.

use std::path::{Path, PathBuf};

use anyhow::{Result, bail};

use super::progress;
use crate::config::table::Entry;
use crate::model::hook_call::HookCall;
use crate::model::image_spec::ImageSpec;
use crate::report::event::Event;
use crate::runtime::deadline::{Deadline, Wait};
use crate::runtime::root::Root;
use crate::sys::{file_trust, hook_process};

/// The entries whose images have a hook, or something in the place of one. Without a folder of hooks, which few machines
/// have, none is looked for.
pub fn entries_with_hook<'a>(
    root: &Root,
    entries: impl IntoIterator<Item = &'a Entry>,
) -> Vec<&'a Entry> {
    let is_there = root.hooks().exists();
    let has =
        |entry: &&Entry| entry.hook.is_some() || is_there && find(root, &entry.spec).is_some();
    entries.into_iter().filter(has).collect()
}

/// The hook of one image.
pub struct ImageHook<'a> {
    /// The image.
    pub spec: &'a ImageSpec,
    /// The program that the settings declare, instead of the file that has the name of the image.
    pub declared: Option<&'a Path>,
}

impl ImageHook<'_> {
    /// Runs the hook, if the image has one. The error does not name the image.
    pub fn run(&self, root: &Root, call: HookCall, deadline: &Deadline) -> Result<()> {
        let declared = self.declared.map(|path| root.join(path));
        let Some(hook) = declared.or_else(|| find(root, self.spec)) else {
            return Ok(());
        };
        let name = hook.display();
        if let Err(error) = file_trust::check_program(&hook, &root.hooks()) {
            bail!(
                "hook {name} is not run: {}: {error}",
                error.path().display()
            );
        }
        let (verb, event) = match call {
            HookCall::Map => ("map", Event::MapWaits),
            HookCall::Unmap => ("unmap", Event::UnmapWaits),
        };
        let arguments = [verb.into(), root.dev(self.spec.link()).into_os_string()];
        let wait = Wait {
            deadline,
            on_delay: &|| {
                progress::report_wait(event, self.spec, &format!("its hook {name} {verb}"));
            },
        };
        match hook_process::run(&hook, &arguments, self.spec, wait) {
            Ok(status) if status.success() => Ok(()),
            Ok(status) => bail!("hook {name} {verb} failed: {status}"),
            Err(error) => bail!("hook {name} {verb} failed: {error}"),
        }
    }
}

/// The hook's path, if something is there. Names from the kernel are unchecked; one that leads elsewhere has no hook.
fn find(root: &Root, spec: &ImageSpec) -> Option<PathBuf> {
    let path = root.hooks().join(spec.clone().checked().ok()?.to_string());
    // A folder there is that of a namespace that is called as the image.
    path.symlink_metadata()
        .ok()
        .filter(|metadata| !metadata.is_dir())
        .map(|_| path)
}

#[cfg(test)]
mod tests;
