//! The administrator's hook of an image, `/etc/ceph/rbd.d/POOL/[NAMESPACE/]IMAGE[@SNAPSHOT]`: whether an image has one, and how
//! it is called. As with Ceph's script, that is `HOOK map LINK` after the image was mapped and mounted, and `HOOK unmap LINK`
//! before it is unmounted; never for an image that was mapped already. A hook that fails is reported and stops nothing.
//!
//! A hook runs as root, so `sys::file_trust` must find that nobody but root can change or replace it.

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

/// The entries whose images have a hook.
pub fn entries_with_hook<'a>(
    root: &Root,
    entries: impl IntoIterator<Item = &'a Entry>,
) -> Vec<&'a Entry> {
    // Few machines have the directory, and without it there is nothing to look for, for hundreds of images.
    let has_directory = root.hooks().exists();
    entries
        .into_iter()
        .filter(|entry| entry.hook.is_some() || has_directory && find(root, &entry.spec).is_some())
        .collect()
}

/// The hook of one image.
pub struct ImageHook<'a> {
    /// The image.
    pub spec: &'a ImageSpec,
    /// The program that the settings declare, instead of the file that has the name of the image.
    pub declared: Option<&'a Path>,
}

impl ImageHook<'_> {
    /// Runs the hook, if the image has one. The error names the hook, but not the image.
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
        // The arguments that Ceph's script passes.
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

/// The path of the hook that has the name of the image, if it exists.
fn find(root: &Root, spec: &ImageSpec) -> Option<PathBuf> {
    // The name may come from the kernel, which allows any: `..` must not lead out of the directory of hooks.
    let name = spec.clone().checked().ok()?.to_string();
    let path = root.hooks().join(name);
    let metadata = path.symlink_metadata().ok()?;
    // A directory belongs to a namespace that has the name of the image.
    (!metadata.is_dir()).then_some(path)
}

#[cfg(test)]
mod tests;
