//! The direct engine: carries a plan out in this process, without asking systemd. It is what the units themselves run,
//! and what works where there is no systemd.
//!
//! Images are mapped in parallel, by a bounded number of threads; mounts are made by the thread that collects the results,
//! each as soon as its image is there and what it is mounted inside of is mounted. So a slow image holds up
//! nothing but what stands on it.

use std::sync::{Mutex, mpsc};
use std::thread;
use std::time::Duration;

use anyhow::Result;

use crate::config::table::Entry;
use crate::map::{self, Mapped};
use crate::plan::{self, MapPlan, MountStep};
use crate::report::Report;
use crate::root::Root;
use crate::sys::rbd::{self, Mapping};
use crate::sys::{mounts, notify};
use crate::tag::Origin;
use crate::unmap;

/// How many images are mapped at a time.
const PARALLEL: usize = 16;

/// Maps every image of the plan and mounts what stands on those that are mapped now.
pub fn map(root: &Root, plan: &MapPlan<'_>, origin: Origin, limit: Duration) -> Report {
    let queue = Mutex::new(plan.images.iter().copied());
    let (sender, results) = mpsc::channel();
    let mut work = Work { root, report: Report::default(), mapped: Vec::new(), waiting: plan.mounts.iter().collect() };
    notify::status("mapping");
    thread::scope(|scope| {
        for _ in 0..PARALLEL.min(plan.images.len()) {
            let (sender, queue) = (sender.clone(), &queue);
            scope.spawn(move || {
                while let Some(entry) = next(queue) {
                    // The receiver outlives the scope.
                    let _ = sender.send((entry, map::image(root, entry, origin, limit)));
                }
            });
        }
        drop(sender);
        for (entry, result) in results {
            work.mapped(entry, result);
            work.mount_what_can_be();
        }
    });
    work.report
}

/// Takes down what the plan names.
pub fn unmap(root: &Root, mappings: &[Mapping], limit: Duration) -> Report {
    let mut report = Report::default();
    unmap::mappings(root, mappings, limit, &mut report);
    report
}

fn next<'a>(queue: &Mutex<impl Iterator<Item = &'a Entry>>) -> Option<&'a Entry> {
    // A thread that panicked took nothing with it: the queue is good.
    queue.lock().unwrap_or_else(std::sync::PoisonError::into_inner).next()
}

/// What has been done so far, and what waits for it.
struct Work<'a> {
    root: &'a Root,
    report: Report,
    mapped: Vec<(&'a Entry, Mapping)>,
    /// Parents before children, as the plan has them.
    waiting: Vec<&'a MountStep<'a>>,
}

impl<'a> Work<'a> {
    fn mapped(&mut self, entry: &'a Entry, result: Result<Mapped>) {
        match result {
            Ok(done) => {
                notify::status(&done.describe());
                self.report.done(&entry.spec, done.describe());
                self.mapped.push((entry, done.mapping));
            }
            Err(error) => {
                notify::status(&format!("{error:#}"));
                self.report.image_failed(&entry.spec, format!("{error:#}"));
                self.give_up(&|step| *step.spec == entry.spec);
            }
        }
    }

    /// Mounts whose image is there and which are inside of no mount that is still waited for.
    fn mount_what_can_be(&mut self) {
        let mut at = 0;
        while let Some(step) = self.waiting.get(at).copied() {
            let inside = |other: &&MountStep| step.entry.target.starts_with(&other.entry.target);
            let mapping =
                self.mapped.iter().find(|(entry, _)| entry.spec == *step.spec).map(|(_, mapping)| mapping.clone());
            let Some(mapping) = mapping.filter(|_| !self.waiting[..at].iter().any(inside)) else {
                at += 1;
                continue;
            };
            self.waiting.remove(at);
            match mount(self.root, step, &mapping) {
                Ok(what) => self.report.done(step.spec, what),
                Err(why) => {
                    self.report.image_failed(step.spec, why);
                    self.give_up(&|inner| inner.entry.target.starts_with(&step.entry.target));
                }
            }
        }
    }

    /// What stands on, or inside of, what has failed is not mounted in its place.
    fn give_up(&mut self, lost: &dyn Fn(&MountStep) -> bool) {
        let (lost, rest): (Vec<_>, Vec<_>) = self.waiting.iter().copied().partition(|step| lost(step));
        self.waiting = rest;
        for step in lost {
            let target = step.entry.target.display();
            self.report.image_failed(step.spec, format!("not mounted on {target}: what it needs is not there"));
            self.give_up(&|inner| inner.entry.target.starts_with(&step.entry.target));
        }
    }
}

/// Mounts an entry, if it is not mounted; the error is a sentence.
fn mount(root: &Root, step: &MountStep<'_>, mapping: &Mapping) -> Result<String, String> {
    let target = &step.entry.target;
    let devices = rbd::block_numbers(root, mapping);
    let mounted = mounts::list(root).map_err(|error| format!("{error:#}"))?;
    if plan::mount_points(&mounted, &devices).contains(target) {
        return Ok(format!("already mounted on {}", target.display()));
    }
    match mounts::mount(step.entry) {
        Ok(()) => Ok(format!("mounted on {}", target.display())),
        Err(error) => Err(format!("mounting {} on {}: {error}", step.entry.source, target.display())),
    }
}
