//! Takes mappings down, in this process, from what the kernel says: the hook, then everything that stands on the mapping,
//! the last mounted first, then the mapping. Which mappings is decided by the plan.
//!
//! Each goes as fast as it can, whatever becomes of the others. What is in use is tried again until nothing more has gone
//! for the time that was given: of hundreds, the kernel takes one after the other. What is there is read again each time: after a last close udev's probing has the device open for a moment (ceph
//! `src/krbd.cc`, do_krbd_remove: 250 ms), at shutdown applications are still ending, and somebody may mount
//! meanwhile. What is gone already is success; what is still in use at the end stays, and `busy` says by whom.

mod busy;
mod hope;
mod loss;
mod shutdown;
#[cfg(test)]
mod tests;
mod thing;

pub use busy::holders;
pub use loss::Losses;
pub use shutdown::{Shutdown, ShutdownLimits};

use std::collections::{HashMap, HashSet};
use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::deadline::Deadline;
use crate::direct::Limits;
use crate::event::Event;
use crate::hook;
use crate::model::block_node::BlockNode;
use crate::model::hook_call::{DeclaredHooks, HookCall};
use crate::model::mapping::Mapping;
use crate::plan::teardown::{Picture, Step, Thing};
use crate::pool::Pool;
use crate::removal::{self, Removal};
use crate::report::Report;
use crate::root::Root;
use crate::sys::{device, mounts};
use hope::Hope;
use thing::{Key, Tried, busy_pause};

/// What a run is told beside its mappings.
#[derive(Debug, Clone, Copy)]
pub struct Manner<'a> {
    /// How long it may take until something more has gone, and how many things are done at a time.
    pub limits: Limits,
    /// The hooks that settings name, if hooks are to be run at all.
    pub hooks: Option<&'a DeclaredHooks>,
    /// If the system may be going down: what to go by then, in the place of the time.
    pub shutdown: Option<&'a Shutdown<'a>>,
}

/// Takes the mappings down, each independently of the others' failures.
pub fn mappings(root: &Root, mappings: &[Mapping], manner: Manner) -> Report {
    let Manner { limits, hooks, shutdown } = manner;
    let stage = if hooks.is_some() { Stage::Hook } else { Stage::Stack };
    let items = mappings.iter().map(|mapping| Item::new(root, mapping, stage)).collect();
    let (start, patience) = (Instant::now(), Deadline::after(limits.time));
    let (pool, hope) = (Pool::new(limits.parallel), Hope::new());
    let (things, losses, report) = (HashMap::new(), Losses::new(root), Report::default());
    let mut work = Work { root, start, patience, shutdown, hope, losses, items, things, pool, report };
    hooks.into_iter().for_each(|own| work.start_hooks(own));
    while work.items.iter().any(|item| item.stage != Stage::Over) {
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

/// How far a mapping is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// Its hook is running.
    Hook,
    /// Something stands on it, or it was found busy.
    Stack,
    /// The kernel is removing it.
    Removing,
    /// Gone, or given up.
    Over,
}

/// One mapping that is to go.
struct Item {
    mapping: Mapping,
    nodes: Vec<BlockNode>,
    stage: Stage,
    /// All that was ever seen on it.
    things: HashSet<Key>,
    /// When it may be tried to remove it.
    not_before: Instant,
    /// Whether somebody had it open when that was tried.
    was_busy: bool,
}

impl Item {
    fn new(root: &Root, mapping: &Mapping, stage: Stage) -> Self {
        let disk = BlockNode { name: mapping.name(), number: mapping.number, partition: None };
        let mut nodes = device::nodes(root, &mapping.name());
        if !nodes.contains(&disk) {
            nodes.push(disk);
        }
        Self {
            mapping: mapping.clone(),
            nodes,
            stage,
            things: HashSet::new(),
            not_before: Instant::now(),
            was_busy: false,
        }
    }
}

/// What a job came to.
enum Done {
    Hook(usize, Result<(), String>),
    Thing(Key, Tried),
    Removal(usize, Removal),
}

/// What has been done so far, and what is under way.
struct Work<'a> {
    root: &'a Root,
    start: Instant,
    /// Restarts whenever something has gone.
    patience: Deadline,
    shutdown: Option<&'a Shutdown<'a>>,
    hope: Hope,
    losses: Losses,
    items: Vec<Item>,
    things: HashMap<Key, Tried>,
    pool: Pool<Done>,
    report: Report,
}

impl Work<'_> {
    /// Hooks may take half of the time: the other half is for what they leave.
    fn start_hooks(&mut self, own: &DeclaredHooks) {
        let deadline = Deadline::after(self.patience.limit() / 2);
        for (at, item) in self.items.iter().enumerate().filter(|(_, item)| item.stage == Stage::Hook) {
            let (root, spec) = (self.root.clone(), item.mapping.spec.clone());
            let own = own.get(&spec).cloned();
            self.pool
                .submit(move || Done::Hook(at, hook::run(&root, (&spec, own.as_deref()), HookCall::Unmap, &deadline)));
        }
    }

    /// Whether the kernel, or a hook, is at all that is left, as it is most of the time with hundreds.
    fn has_nothing_to_do(&self) -> bool {
        self.items.iter().all(|item| item.stage != Stage::Stack)
    }

    /// Whether that is so and nobody was ever found to use any of it, so nobody is worth looking for.
    fn is_up_to_the_kernel(&self) -> bool {
        self.has_nothing_to_do() && !self.items.iter().any(|item| self.is_in_use(item))
    }

    /// Looks what is there, and starts all that can be done now.
    fn round(&mut self) -> anyhow::Result<()> {
        if self.has_nothing_to_do() {
            return Ok(());
        }
        let seen = mounts::look(self.root)?;
        let picture = Picture::of(&seen);
        let stacks: Vec<Vec<Step>> = self.items.iter().map(|item| picture.standing_on(&item.nodes)).collect();
        // An image may be mounted inside another's mount: nothing of it goes before its hook has ended.
        let hooked = self.items.iter().zip(&stacks).filter(|(item, _)| item.stage == Stage::Hook);
        let hooked: HashSet<Key> = hooked.flat_map(|(_, steps)| steps).map(|step| Key::of(&step.thing)).collect();
        for (at, steps) in stacks.iter().enumerate() {
            let item = &mut self.items[at];
            if item.stage != Stage::Stack || item.not_before > Instant::now() {
                continue;
            }
            item.things.extend(steps.iter().map(|step| Key::of(&step.thing)));
            // What is gone from the kernel's list may not have been struck from libmount's yet.
            let under_way = |key: &Key| matches!(self.things.get(key), Some(Tried::UnderWay));
            let in_vain = steps.iter().find_map(|step| match self.things.get(&Key::of(&step.thing)) {
                Some(Tried::InVain(why)) => Some(why),
                _ => None,
            });
            if let Some(why) = in_vain {
                item.stage = Stage::Over;
                let why = format!("it stays mapped as /dev/{}: {why}", item.mapping.name());
                self.report.image_failed(Event::UnmapFailed, &item.mapping, why);
            } else if steps.is_empty() && !item.things.iter().any(under_way) {
                item.stage = Stage::Removing;
                let (root, mapping, limit) = (self.root.clone(), item.mapping.clone(), self.patience.limit());
                // From when it is its turn.
                let attempt = move || removal::attempt(&root, &mapping, &Deadline::after(limit));
                self.pool.submit(move || Done::Removal(at, attempt()));
            }
            steps.iter().filter(|step| !hooked.contains(&Key::of(&step.thing))).for_each(|step| self.take_away(step));
        }
        Ok(())
    }

    /// Starts to unmount it, or to give it back, if that can be done now.
    fn take_away(&mut self, step: &Step<'_>) {
        let key = Key::of(&step.thing);
        let may_be_tried = match self.things.get(&key) {
            None | Some(Tried::Unmounted(_)) => true,
            Some(Tried::Again(time)) => *time <= Instant::now(),
            Some(Tried::UnderWay | Tried::InVain(_)) => false,
        };
        if !may_be_tried || !step.free || step.hidden_below.is_some() {
            return;
        }
        self.things.insert(key.clone(), Tried::UnderWay);
        let pause = self.pause();
        match step.thing {
            Thing::Mount(mount) => {
                let target = mount.target.clone();
                self.pool.submit(move || Done::Thing(key, thing::unmount(&target, pause)));
            }
            Thing::Loop(device) => {
                let (root, name) = (self.root.clone(), device.name.clone());
                self.pool.submit(move || Done::Thing(key, thing::detach(&root, &name, pause)));
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

    fn take(&mut self, done: Done) {
        match done {
            Done::Hook(at, result) => {
                self.items[at].stage = Stage::Stack;
                if let Err(why) = result {
                    self.report.image_failed(Event::HookFailed, &self.items[at].mapping.spec, why);
                }
            }
            Done::Thing(key, tried) => {
                if let Tried::Unmounted(target) = &tried {
                    tracing::info!("unmounted {}", target.display());
                    self.go_on();
                }
                self.things.insert(key, tried);
            }
            Done::Removal(at, removal) => {
                let item = &mut self.items[at];
                let (mapping, device) = (&item.mapping, item.mapping.name());
                item.stage = Stage::Over;
                match removal {
                    Removal::Gone => {
                        self.report.done(Event::Unmapped, mapping, format!("unmapped /dev/{device}"));
                        self.losses.tell(mapping, &mut self.report);
                        self.go_on();
                    }
                    Removal::Failed(why) => self.report.image_failed(Event::UnmapFailed, mapping, why),
                    Removal::Busy => {
                        item.stage = Stage::Stack;
                        item.was_busy = true;
                        item.not_before = Instant::now() + busy_pause(self.start.elapsed());
                    }
                }
            }
        }
    }
}
