//! Whether the system shuts down, and what the settings state for that.

use std::cell::OnceCell;

use crate::model::timeouts::Timeouts;
use crate::runtime::root::Root;
use crate::sys::systemd::{Manager, SystemState};

/// For a run in a unit, which systemd may stop because the system shuts down.
#[derive(Debug)]
pub struct ShutdownCheck<'a> {
    pub(super) timeouts: Timeouts,
    root: &'a Root,
    force: bool,
    manager: OnceCell<Option<Manager>>,
}

impl<'a> ShutdownCheck<'a> {
    /// `force`: whether images that are in use at the end of a shutdown are unmapped by force.
    pub fn new(root: &'a Root, timeouts: Timeouts, force: bool) -> Self {
        Self {
            timeouts,
            root,
            force,
            manager: OnceCell::new(),
        }
    }

    /// Whether the system shuts down and images are then unmapped by force.
    pub(super) fn uses_force(&self) -> bool {
        self.force && self.manager().is_some()
    }

    /// A connection to systemd if the system shuts down. The first call asks systemd, so a run in which nothing is in use
    /// never does: asking takes longer than unmapping.
    pub(super) fn manager(&self) -> Option<&Manager> {
        // Only once: a shutdown that has begun does not end before this process.
        self.manager
            .get_or_init(|| stopping_manager(self.root))
            .as_ref()
    }
}

fn stopping_manager(root: &Root) -> Option<Manager> {
    let manager = Manager::connect(root).ok()?;
    (manager.system_state().ok()? == SystemState::Stopping).then_some(manager)
}
