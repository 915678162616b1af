//! The end of an unmapping whose deadline has passed: says of each mapping that is left what is in the way, and who.

use std::path::PathBuf;
use std::time::Duration;

use super::thing::{Key, Tried};
use super::{Stage, Work};
use crate::deadline::Deadline;
use crate::holder;
use crate::plan::teardown::{Picture, Step, Thing};
use crate::sys::holders::{self, Held};
use crate::sys::{mounts, rbd};

/// How long a last try may take, after the deadline.
const LAST_TRY_LIMIT: Duration = Duration::from_secs(1);

/// How long looking for holders may take, after the deadline.
const LOOK_LIMIT: Duration = Duration::from_secs(3);

impl Work<'_> {
    /// Reports every mapping that is left.
    pub(super) fn give_up(&mut self) {
        self.await_last_tries();
        let seen = mounts::look(self.root).unwrap_or_default();
        let picture = Picture::of(&seen);
        let patience = Deadline::after(LOOK_LIMIT);
        for item in self.items.iter().filter(|item| item.stage != Stage::Over) {
            let (spec, device) = (&item.mapping.spec, item.mapping.name());
            let steps = picture.standing_on(&item.nodes);
            if item.stage == Stage::Removing {
                if rbd::find(self.root, item.mapping.id).as_ref() == Some(&item.mapping) {
                    let seconds = self.deadline.limit().as_secs();
                    let why =
                        format!("the kernel has not unmapped /dev/{device} for {seconds} s; is the cluster there?");
                    self.report.image_failed(spec, why);
                } else {
                    self.report.done(spec, format!("unmapped /dev/{device}"));
                }
                continue;
            }
            let obstacle = self.known_obstacle(&steps).unwrap_or_else(|| {
                let name = steps.iter().find_map(target).unwrap_or_else(|| format!("/dev/{device}"));
                let mount_points = steps.iter().filter_map(mount_point).collect();
                let (root, held) = (self.root.clone(), Held { nodes: item.nodes.clone(), mount_points });
                match patience.run(move || holders::of(&root, &held)) {
                    Some(holders) => holder::sentence(&name, &holders),
                    None => format!("{name} is in use; `fuser -vm {name}` shows by whom"),
                }
            });
            self.report.image_failed(spec, format!("it stays mapped as /dev/{device}: {obstacle}"));
        }
    }

    /// A try that is under way when the deadline passes ends in a moment, busy or not; only one that hangs does not.
    fn await_last_tries(&mut self) {
        let deadline = Deadline::after(LAST_TRY_LIMIT);
        while self.things.values().any(|tried| matches!(tried, Tried::UnderWay)) && !deadline.remaining().is_zero() {
            if let Some(done) = self.pool.next(deadline.remaining()) {
                self.take(done);
            }
        }
    }

    /// What is in the way without being anybody's doing.
    fn known_obstacle(&self, steps: &[Step<'_>]) -> Option<String> {
        steps.iter().find_map(|step| {
            let name = target(step)?;
            match (self.things.get(&Key::of(&step.thing)), step.hidden_below) {
                (Some(Tried::UnderWay), _) => {
                    Some(format!("unmounting {name} has not ended for {} s", self.deadline.limit().as_secs()))
                }
                (_, Some(above)) => {
                    Some(format!("{name} is hidden below the mount on {}; unmount that first", above.display()))
                }
                _ => None,
            }
        })
    }
}

fn mount_point(step: &Step<'_>) -> Option<PathBuf> {
    match step.thing {
        Thing::Mount(mount) => Some(mount.target.clone()),
        Thing::Loop(_) => None,
    }
}

fn target(step: &Step<'_>) -> Option<String> {
    mount_point(step).map(|target| target.display().to_string())
}
