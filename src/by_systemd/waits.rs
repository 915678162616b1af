//! What units are waiting for, told while somebody waits for them. They say it in their StatusText=, which whoever typed
//! `rbdmap map` or `unmap` would not look at before it is over.

use std::collections::HashMap;
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::thread;
use std::time::Duration;

use crate::image::ImageSpec;
use crate::root::Root;
use crate::sys::systemd::Manager;
use crate::unit;

/// What takes no longer is worth no word.
const PATIENCE: Duration = Duration::from_secs(5);
/// Between two looks.
const PERIOD: Duration = Duration::from_secs(2);

/// Tells until it is dropped.
pub struct Waits(#[expect(dead_code, reason = "its end is the message")] Sender<()>);

/// Tells what the instances of these images wait for, each thing once.
pub fn tell(root: &Root, images: Vec<ImageSpec>) -> Waits {
    let (sender, end) = mpsc::channel::<()>();
    let root = root.clone();
    thread::spawn(move || {
        let is_over = |time| end.recv_timeout(time) != Err(RecvTimeoutError::Timeout);
        if is_over(PATIENCE) {
            return;
        }
        let Ok(manager) = Manager::connect(&root) else { return };
        let mut told = HashMap::new();
        loop {
            for (spec, wait) in waits(&manager, &images) {
                if told.insert(spec, wait.clone()).as_ref() != Some(&wait) {
                    tracing::info!("{spec}: {wait}");
                }
            }
            if is_over(PERIOD) {
                return;
            }
        }
    });
    Waits(sender)
}

/// Which of the images are being mapped or unmapped and wait for something.
fn waits<'a>(manager: &Manager, images: &'a [ImageSpec]) -> Vec<(&'a ImageSpec, String)> {
    let busy = manager.having_jobs().unwrap_or_default();
    let images = images.iter().filter(|spec| busy.contains(&unit::instance(spec)));
    images.filter_map(|spec| Some((spec, wait(&manager.unit(&unit::instance(spec)).ok()?.status)?))).collect()
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
        let text = "waiting for OSDs to answer (the monitors do)";
        assert_eq!(wait(&format!("{text}, for 5 s now")).as_deref(), Some(text));
        assert_eq!(wait(text).as_deref(), Some(text));
        assert_eq!(wait("mapping"), None);
    }
}
