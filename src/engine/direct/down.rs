//! Unmaps mappings in this process, from what the kernel reports: it runs the hook, removes the layers on the mapping, the
//! last mounted first, and then the mapping. The plan decides which mappings.
//!
//! No mapping waits for another, and no failure stops another. What is in use is retried until nothing has progressed for the
//! time limit: the kernel removes hundreds of mappings one after the other. Each round looks at the mounts again. After the
//! last close, udev's probing holds the device open for a moment (ceph `src/krbd.cc`, do_krbd_remove: 250 ms), applications
//! end during a shutdown, and somebody may mount something. What is gone already counts as done. What is in use at the end
//! stays mapped, and `blockers` reports who uses it.

#[cfg(test)]
mod tests;

use std::collections::HashSet;
use std::thread::sleep;
use std::time::{Duration, Instant};

use super::layer::{self, LayerKey, LayerState, retry_pause};
use super::unmap_image::{self, Removal};
use super::unmap_run::{UnmapItem, UnmapJobDone, UnmapRun, UnmapSettings, UnmapStage};
use crate::engine::hook::ImageHook;
use crate::model::hook_call::{DeclaredHooks, HookCall};
use crate::model::mapping::Mapping;
use crate::plan::teardown::{Layer, MountStack, TeardownStep};
use crate::report::event::Event;
use crate::report::failures::Report;
use crate::runtime::deadline::Deadline;
use crate::runtime::root::Root;
use crate::sys::mounts;

/// Unmaps the mappings, each independently of the others' failures.
pub fn unmap(root: &Root, mappings: &[Mapping], settings: UnmapSettings) -> Report {
    let mut run = UnmapRun::new(root, mappings, settings);
    if let Some(declared) = settings.hooks {
        run.start_hooks(declared);
    }
    while !run.is_finished() {
        if let Err(error) = run.start_jobs() {
            run.report.failed(format!("{error:#}"));
            break;
        }
        if run.should_give_up() {
            run.give_up();
            break;
        }
        run.collect();
    }
    run.report
}

impl UnmapRun<'_> {
    fn start_hooks(&mut self, declared: &DeclaredHooks) {
        // Half of the time limit is left for what the hooks leave behind.
        let deadline = Deadline::after(self.deadline.limit() / 2);
        for (at, item) in self.items.iter().enumerate() {
            if item.stage != UnmapStage::Hook {
                continue;
            }
            let root = self.root.clone();
            let spec = item.mapping.spec.clone();
            let declared = declared.get(&spec).cloned();
            self.pool.submit(move || {
                let hook = ImageHook {
                    spec: &spec,
                    declared: declared.as_deref(),
                };
                UnmapJobDone::Hook(at, hook.run(&root, HookCall::Unmap, &deadline))
            });
        }
    }

    /// Looks at the mounts, and starts every job that is possible now.
    fn start_jobs(&mut self) -> anyhow::Result<()> {
        // A look is expensive with hundreds of mounts, and nothing could be started after it.
        if self.only_waits() {
            return Ok(());
        }
        let snapshot = mounts::look(self.root)?;
        let stack = MountStack::new(&snapshot);
        let steps_by_item: Vec<Vec<TeardownStep>> = self
            .items
            .iter()
            .map(|item| stack.standing_on(&item.nodes))
            .collect();
        let kept = self.layers_kept_for_hooks(&steps_by_item);
        for (at, steps) in steps_by_item.iter().enumerate() {
            if !self.items[at].is_due() {
                continue;
            }
            self.advance(at, steps);
            for step in steps {
                if !kept.contains(&LayerKey::new(&step.layer)) {
                    self.remove_layer(step);
                }
            }
        }
        Ok(())
    }

    /// The layers of mappings whose hook still runs. An image may be mounted inside another's mount, so such a layer may
    /// stand on a mapping whose own hook has ended; it stays until both have.
    fn layers_kept_for_hooks(&self, steps_by_item: &[Vec<TeardownStep<'_>>]) -> HashSet<LayerKey> {
        self.items
            .iter()
            .zip(steps_by_item)
            .filter(|(item, _)| item.stage == UnmapStage::Hook)
            .flat_map(|(_, steps)| steps)
            .map(|step| LayerKey::new(&step.layer))
            .collect()
    }

    /// Gives a mapping up if a layer on it cannot be removed, and starts its removal if no layer is left.
    fn advance(&mut self, at: usize, steps: &[TeardownStep<'_>]) {
        let item = &mut self.items[at];
        item.layers
            .extend(steps.iter().map(|step| LayerKey::new(&step.layer)));
        let failed =
            steps
                .iter()
                .find_map(|step| match self.layers.get(&LayerKey::new(&step.layer)) {
                    Some(LayerState::Failed(reason)) => Some(reason),
                    _ => None,
                });
        if let Some(reason) = failed {
            item.stage = UnmapStage::Finished;
            let text = format!("it stays mapped as /dev/{}: {reason}", item.mapping.name());
            self.report
                .image_failed(Event::UnmapFailed, &item.mapping, text);
            return;
        }
        // A mount that is gone from the kernel's list may still be in libmount's, which the running job updates.
        let is_running = item
            .layers
            .iter()
            .any(|key| matches!(self.layers.get(key), Some(LayerState::Running)));
        if steps.is_empty() && !is_running {
            self.remove_mapping(at);
        }
    }

    fn remove_mapping(&mut self, at: usize) {
        let item = &mut self.items[at];
        item.stage = UnmapStage::Removing;
        let root = self.root.clone();
        let mapping = item.mapping.clone();
        let limit = self.deadline.limit();
        self.pool.submit(move || {
            // The time limit starts with the job, not while it waits for a thread of the pool.
            let deadline = Deadline::after(limit);
            UnmapJobDone::Removal(at, unmap_image::attempt(&root, &mapping, &deadline))
        });
    }

    /// Starts to unmount or detach a layer, if that is possible now.
    fn remove_layer(&mut self, step: &TeardownStep<'_>) {
        let key = LayerKey::new(&step.layer);
        let is_due = match self.layers.get(&key) {
            // If a layer is found again after it was unmounted, somebody has mounted it again.
            None | Some(LayerState::Unmounted(_)) => true,
            Some(LayerState::RetryAt(time)) => *time <= Instant::now(),
            Some(LayerState::Running | LayerState::Failed(_)) => false,
        };
        // umount(2) takes a path, so a hidden mount cannot be unmounted: the mount that hides it would be.
        if !is_due || !step.is_free || step.hidden_below.is_some() {
            return;
        }
        self.layers.insert(key.clone(), LayerState::Running);
        let pause = self.pause();
        match step.layer {
            Layer::Mount(mount) => {
                let target = mount.target.clone();
                self.pool
                    .submit(move || UnmapJobDone::Layer(key, layer::unmount(&target, pause)));
            }
            Layer::Loop(device) => {
                let root = self.root.clone();
                let name = device.name.clone();
                self.pool
                    .submit(move || UnmapJobDone::Layer(key, layer::detach(&root, &name, pause)));
            }
        }
    }

    /// Takes the results that have arrived, and waits a moment if there is none.
    fn collect(&mut self) {
        let pause = self.pause().min(self.deadline.remaining());
        match self.pool.next(pause) {
            Some(done) => {
                self.take(done);
                // A look is expensive with hundreds of mounts, so all results are taken before the next one.
                while let Some(done) = self.pool.next(Duration::ZERO) {
                    self.take(done);
                }
            }
            // Without a running job, the pool returns at once.
            None if self.pool.is_idle() => sleep(pause),
            None => {}
        }
    }

    fn pause(&self) -> Duration {
        retry_pause(self.start.elapsed())
    }

    pub(super) fn take(&mut self, done: UnmapJobDone) {
        match done {
            UnmapJobDone::Hook(at, result) => {
                let item = &mut self.items[at];
                item.stage = UnmapStage::Layers;
                if let Err(error) = result {
                    self.report.image_failed(
                        Event::HookFailed,
                        &item.mapping.spec,
                        format!("{error:#}"),
                    );
                }
            }
            UnmapJobDone::Layer(key, state) => {
                if let LayerState::Unmounted(target) = &state {
                    tracing::info!("unmounted {}", target.display());
                    self.note_progress();
                }
                self.layers.insert(key, state);
            }
            UnmapJobDone::Removal(at, removal) => self.take_removal(at, removal),
        }
    }

    fn take_removal(&mut self, at: usize, removal: Removal) {
        let pause = self.pause();
        let UnmapItem {
            mapping,
            stage,
            retry_at,
            was_in_use,
            ..
        } = &mut self.items[at];
        *stage = UnmapStage::Finished;
        match removal {
            Removal::Done => {
                let text = format!("unmapped /dev/{}", mapping.name());
                self.report.succeeded(Event::Unmapped, &*mapping, text);
                self.lost_writes.report(mapping, &mut self.report);
                self.note_progress();
            }
            Removal::Failed(reason) => {
                self.report
                    .image_failed(Event::UnmapFailed, &*mapping, reason);
            }
            // Most often this is udev, which probes the device after its last close.
            Removal::InUse => {
                *stage = UnmapStage::Layers;
                *was_in_use = true;
                *retry_at = Instant::now() + pause;
            }
        }
    }
}
