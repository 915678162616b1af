//! What units are waiting for, told while somebody waits for them. They say it in their StatusText=, which whoever typed
//! `rbdmap map` or `unmap` would not look at before it is over.

use std::collections::HashMap;

use crate::image::ImageSpec;
use crate::meanwhile::Meanwhile;
use crate::root::Root;
use crate::sys::systemd::Manager;
use crate::unit;

/// At how many units to look each time, for systemd has better to do; the others' turn comes later.
const LOOKS: usize = 16;

/// Tells what the instances of these images wait for, each thing once, until it is dropped.
pub fn tell(root: &Root, images: Vec<ImageSpec>) -> Meanwhile {
    let (root, mut manager, mut told, mut images) = (root.clone(), None, HashMap::new(), images);
    Meanwhile::every_now_and_then(move || {
        if manager.is_none() {
            manager = Manager::connect(&root).ok();
        }
        for (spec, wait) in manager.iter().flat_map(|manager| waits(manager, &images)) {
            if told.insert(spec.clone(), wait.clone()).as_ref() != Some(&wait) {
                tracing::info!("{spec}: {wait}");
            }
        }
        let looked_at = LOOKS.min(images.len());
        images.rotate_left(looked_at);
    })
}

/// Which of the images are being mapped or unmapped and wait for something.
fn waits<'a>(manager: &Manager, images: &'a [ImageSpec]) -> Vec<(&'a ImageSpec, String)> {
    let busy = manager.having_jobs().unwrap_or_default();
    let images = images.iter().filter(|spec| busy.contains(&unit::instance(spec)));
    images
        .take(LOOKS)
        .filter_map(|spec| Some((spec, wait(&manager.unit(&unit::instance(spec)).ok()?.status)?)))
        .collect()
}

/// The wait in a status, without how long it has been.
fn wait(status: &str) -> Option<String> {
    let is_wait = status.contains("waiting") || status.starts_with("trying again: ");
    is_wait.then(|| status.split(", for ").next().unwrap_or(status).to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wait_is_the_same_however_long_it_lasts() {
        let text = "waiting for OSDs, or for whoever has its lock, to answer (the monitors do)";
        assert_eq!(wait(&format!("{text}, for 5 s now")).as_deref(), Some(text));
        assert_eq!(wait(text).as_deref(), Some(text));
        assert_eq!(wait("mapping"), None);
    }
}
