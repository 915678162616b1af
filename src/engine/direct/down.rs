//! Takes mappings down, in this process, from what the kernel says: the hook, then everything that stands on the mapping,
//! the last mounted first, then the mapping. Which mappings is decided by the plan.
//!
//! Each goes as fast as it can, whatever becomes of the others. What is in use is tried again until nothing more has gone
//! for the time that was given: of hundreds, the kernel takes one after the other. What is there is read again each time: after a last close udev's probing has the device open for a moment (ceph
//! `src/krbd.cc`, do_krbd_remove: 250 ms), at shutdown applications are still ending, and somebody may mount
//! meanwhile. What is gone already is success; what is still in use at the end stays, and `busy` says by whom.

#[cfg(test)]
mod tests;

use std::collections::{HashMap, HashSet};
use std::thread::sleep;
use std::time::{Duration, Instant};

use super::layer::{self, LayerKey, LayerState, busy_pause};
use super::shutdown_progress::ShutdownProgress;
use super::unmap_image::{self, Removal};
use super::unmap_run::{UnmapItem, UnmapJobDone, UnmapRun, UnmapSettings, UnmapStage};
use crate::engine::hook::ImageHook;
use crate::engine::write_errors::LostWrites;
use crate::model::hook_call::{DeclaredHooks, HookCall};
use crate::model::mapping::Mapping;
use crate::plan::teardown::{Layer, MountStack, TeardownStep};
use crate::report::event::Event;
use crate::report::failures::Report;
use crate::runtime::deadline::Deadline;
use crate::runtime::job_pool::JobPool;
use crate::runtime::root::Root;
use crate::sys::mounts;

/// Takes the mappings down, each independently of the others' failures.
pub fn unmap(root: &Root, mappings: &[Mapping], manner: UnmapSettings) -> Report {
    let UnmapSettings {
        timeout,
        parallel,
        hooks,
        shutdown,
    } = manner;
    let stage = if hooks.is_some() {
        UnmapStage::Hook
    } else {
        UnmapStage::Stack
    };
    let items = mappings
        .iter()
        .map(|mapping| UnmapItem::new(root, mapping, stage))
        .collect();
    let (start, patience) = (Instant::now(), Deadline::after(timeout));
    let (pool, hope) = (JobPool::new(parallel), ShutdownProgress::new());
    let (things, losses, report) = (HashMap::new(), LostWrites::new(root), Report::default());
    let mut work = UnmapRun {
        root,
        start,
        patience,
        shutdown,
        hope,
        losses,
        items,
        things,
        pool,
        report,
    };
    hooks.into_iter().for_each(|own| work.start_hooks(own));
    while work.items.iter().any(|item| item.stage != UnmapStage::Over) {
        if let Err(error) = work.round() {
            work.report.failed(format!("{error:#}"));
            break;
        }
        if work.is_over() {
            work.give_up();
            break;
        }
        work.collect();
    }
    work.report
}

impl UnmapRun<'_> {
    /// Hooks may take half of the time: the other half is for what they leave.
    fn start_hooks(&mut self, own: &DeclaredHooks) {
        let deadline = Deadline::after(self.patience.limit() / 2);
        for (at, item) in self
            .items
            .iter()
            .enumerate()
            .filter(|(_, item)| item.stage == UnmapStage::Hook)
        {
            let (root, spec) = (self.root.clone(), item.mapping.spec.clone());
            let own = own.get(&spec).cloned();
            self.pool.submit(move || {
                let hook = ImageHook {
                    spec: &spec,
                    declared: own.as_deref(),
                };
                UnmapJobDone::Hook(at, hook.run(&root, HookCall::Unmap, &deadline))
            });
        }
    }

    /// Whether the kernel, or a hook, is at all that is left, as it is most of the time with hundreds.
    fn has_nothing_to_do(&self) -> bool {
        self.items
            .iter()
            .all(|item| item.stage != UnmapStage::Stack)
    }

    /// Whether that is so and nobody was ever found to use any of it, so nobody is worth looking for.
    pub(super) fn is_up_to_the_kernel(&self) -> bool {
        self.has_nothing_to_do() && !self.items.iter().any(|item| self.is_in_use(item))
    }

    /// Looks what is there, and starts all that can be done now.
    fn round(&mut self) -> anyhow::Result<()> {
        if self.has_nothing_to_do() {
            return Ok(());
        }
        let seen = mounts::look(self.root)?;
        let picture = MountStack::new(&seen);
        let stacks: Vec<Vec<TeardownStep>> = self
            .items
            .iter()
            .map(|item| picture.standing_on(&item.nodes))
            .collect();
        // An image may be mounted inside another's mount: nothing of it goes before its hook has ended.
        let hooked = self
            .items
            .iter()
            .zip(&stacks)
            .filter(|(item, _)| item.stage == UnmapStage::Hook);
        let hooked: HashSet<LayerKey> = hooked
            .flat_map(|(_, steps)| steps)
            .map(|step| LayerKey::of(&step.layer))
            .collect();
        for (at, steps) in stacks.iter().enumerate() {
            let item = &mut self.items[at];
            if item.stage != UnmapStage::Stack || item.not_before > Instant::now() {
                continue;
            }
            item.things
                .extend(steps.iter().map(|step| LayerKey::of(&step.layer)));
            // What is gone from the kernel's list may not have been struck from libmount's yet.
            let under_way =
                |key: &LayerKey| matches!(self.things.get(key), Some(LayerState::UnderWay));
            let in_vain =
                steps
                    .iter()
                    .find_map(|step| match self.things.get(&LayerKey::of(&step.layer)) {
                        Some(LayerState::InVain(why)) => Some(why),
                        _ => None,
                    });
            if let Some(why) = in_vain {
                item.stage = UnmapStage::Over;
                let why = format!("it stays mapped as /dev/{}: {why}", item.mapping.name());
                self.report
                    .image_failed(Event::UnmapFailed, &item.mapping, why);
            } else if steps.is_empty() && !item.things.iter().any(under_way) {
                item.stage = UnmapStage::Removing;
                let (root, mapping, limit) = (
                    self.root.clone(),
                    item.mapping.clone(),
                    self.patience.limit(),
                );
                // From when it is its turn.
                let attempt =
                    move || unmap_image::attempt(&root, &mapping, &Deadline::after(limit));
                self.pool
                    .submit(move || UnmapJobDone::Removal(at, attempt()));
            }
            steps
                .iter()
                .filter(|step| !hooked.contains(&LayerKey::of(&step.layer)))
                .for_each(|step| self.take_away(step));
        }
        Ok(())
    }

    /// Starts to unmount it, or to give it back, if that can be done now.
    fn take_away(&mut self, step: &TeardownStep<'_>) {
        let key = LayerKey::of(&step.layer);
        let may_be_tried = match self.things.get(&key) {
            None | Some(LayerState::Unmounted(_)) => true,
            Some(LayerState::Again(time)) => *time <= Instant::now(),
            Some(LayerState::UnderWay | LayerState::InVain(_)) => false,
        };
        if !may_be_tried || !step.is_free || step.hidden_below.is_some() {
            return;
        }
        self.things.insert(key.clone(), LayerState::UnderWay);
        let pause = self.pause();
        match step.layer {
            Layer::Mount(mount) => {
                let target = mount.target.clone();
                self.pool
                    .submit(move || UnmapJobDone::Layer(key, layer::unmount(&target, pause)));
            }
            Layer::Loop(device) => {
                let (root, name) = (self.root.clone(), device.name.clone());
                self.pool
                    .submit(move || UnmapJobDone::Layer(key, layer::detach(&root, &name, pause)));
            }
        }
    }

    /// Takes what has come, and waits a moment if nothing has.
    fn collect(&mut self) {
        let patience = self.pause().min(self.patience.remaining());
        match self.pool.next(patience) {
            Some(done) => {
                self.take(done);
                // All that has come meanwhile before the next look.
                while let Some(done) = self.pool.next(Duration::ZERO) {
                    self.take(done);
                }
            }
            None if self.pool.is_idle() => sleep(patience),
            None => {}
        }
    }

    fn pause(&self) -> Duration {
        busy_pause(self.start.elapsed())
    }

    pub(super) fn take(&mut self, done: UnmapJobDone) {
        match done {
            UnmapJobDone::Hook(at, result) => {
                self.items[at].stage = UnmapStage::Stack;
                if let Err(why) = result {
                    self.report.image_failed(
                        Event::HookFailed,
                        &self.items[at].mapping.spec,
                        format!("{why:#}"),
                    );
                }
            }
            UnmapJobDone::Layer(key, tried) => {
                if let LayerState::Unmounted(target) = &tried {
                    tracing::info!("unmounted {}", target.display());
                    self.go_on();
                }
                self.things.insert(key, tried);
            }
            UnmapJobDone::Removal(at, removal) => {
                let item = &mut self.items[at];
                let (mapping, device) = (&item.mapping, item.mapping.name());
                item.stage = UnmapStage::Over;
                match removal {
                    Removal::Gone => {
                        self.report.succeeded(
                            Event::Unmapped,
                            mapping,
                            format!("unmapped /dev/{device}"),
                        );
                        self.losses.report(mapping, &mut self.report);
                        self.go_on();
                    }
                    Removal::Failed(why) => {
                        self.report.image_failed(Event::UnmapFailed, mapping, why)
                    }
                    Removal::Busy => {
                        item.stage = UnmapStage::Stack;
                        item.was_busy = true;
                        item.not_before = Instant::now() + busy_pause(self.start.elapsed());
                    }
                }
            }
        }
    }
}
