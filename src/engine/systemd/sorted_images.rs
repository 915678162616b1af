//! Which of the images to unmap systemd holds by an active unit, and which of these units can be stopped.

use std::collections::{BTreeSet, HashMap};

use anyhow::Result;

use super::job_options::JobOptions;
use crate::model::image_spec::ImageSpec;
use crate::model::unit_name;
use crate::report::event::Event;
use crate::report::failures::Report;
use crate::sys::systemd::Manager;

/// The images that systemd holds.
#[derive(Default)]
pub struct SortedImages<'a> {
    /// By the name of the instance to stop.
    pub held: HashMap<String, &'a ImageSpec>,
    /// Those of them that are still being mapped.
    pub interrupted: Vec<&'a ImageSpec>,
    /// Those that stay mapped, each with the reason.
    pub failed: HashMap<&'a ImageSpec, String>,
    /// The services that are stopped before the instances.
    pub services: BTreeSet<String>,
}

impl<'a> SortedImages<'a> {
    /// Sorts the images by the state of their instances. Reports the services that the command stops.
    pub fn new(
        manager: &Manager,
        specs: Vec<&'a ImageSpec>,
        options: JobOptions,
        report: &Report,
    ) -> Result<Self> {
        // A unit that is not loaded holds nothing, and systemd would load it to answer for it.
        let states = manager.loaded_units(&[unit_name::ALL_INSTANCES])?;
        let mut sorted = Self::default();
        for spec in specs {
            let instance = unit_name::instance(spec);
            let Some(state) = states.get(&instance) else {
                continue;
            };
            // If the image is mapped, the direct engine unmaps it.
            if !state.is_up_or_starting() {
                continue;
            }
            // systemd stops them with the instance, so the caller must have agreed.
            let services = manager.services_that_need(&instance)?;
            if !services.is_empty() && !options.stop_users {
                sorted.failed.insert(spec, left_for(&services));
                continue;
            }
            if !services.is_empty() {
                let names = services.join(" ");
                let text = format!(
                    "stopping {names}; `systemctl start {names}` starts them again, and maps the image for them"
                );
                report.succeeded(Event::JobQueued, spec, text);
            }
            sorted.services.extend(services);
            if !state.is_active() {
                sorted.interrupted.push(spec);
            }
            sorted.held.insert(instance, spec);
        }
        Ok(sorted)
    }

    /// The images whose instances systemd has stopped, or has been asked to stop.
    pub fn stopped(&self) -> impl Iterator<Item = (&String, &'a ImageSpec)> {
        self.held
            .iter()
            .filter(|(_, spec)| !self.failed.contains_key(*spec))
            .map(|(unit, spec)| (unit, *spec))
    }
}

fn left_for(services: &[String]) -> String {
    let names = services.join(" ");
    format!(
        "left mapped: {names} would be stopped with it; `systemctl stop {names}` first, or use --stop-users"
    )
}
