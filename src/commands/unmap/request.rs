//! One run of `rbdmap unmap` or `rbdmap unmap-all`: has systemd or this process carry out the plan, or shows it.

use std::time::Duration;

use anyhow::Result;

use crate::cli::Engine;
use crate::commands::engine_choice::uses_systemd;
use crate::config::load::Configuration;
use crate::engine::direct::down;
use crate::engine::direct::unmap_run::UnmapSettings;
use crate::engine::systemd::{self, JobOptions, StopRequest};
use crate::model::block_node::BlockNode;
use crate::model::image_spec::ImageSpec;
use crate::plan::UnmapPlan;
use crate::plan::teardown::MountStack;
use crate::report::failures::Report;
use crate::runtime::root::Root;
use crate::sys::{device, mounts};

/// A plan, and the options that were given with the command.
pub struct UnmapRequest<'a> {
    /// The mappings to remove.
    pub plan: &'a UnmapPlan,
    /// Whether the units of all images that the table lists are stopped, mapped or not.
    pub is_everything: bool,
    /// Whether systemd stops services that need an image, instead of leaving it mapped.
    pub stop_users: bool,
    /// The options of the engine.
    pub engine: &'a Engine,
}

impl UnmapRequest<'_> {
    /// Unmounts and unmaps, or with --dry-run shows what would be done.
    pub fn carry_out(&self, root: &Root) -> Result<Report> {
        if self.engine.dry_run {
            show(root, self.plan)?;
            return Ok(Report::default());
        }
        let config = Configuration::read(root);
        let hooks = config.own_hooks();
        let timeouts = config.settings.timeouts.overridden_by(self.engine.timeout);
        let settings = UnmapSettings {
            timeout: timeouts.unmap,
            parallel: config.settings.parallel,
            hooks: Some(&hooks),
            shutdown: None,
        };
        let images: Vec<&ImageSpec> = self.plan.mappings.iter().map(|m| &m.spec).collect();
        // When systemd sees a device that was mapped without it, it starts the image's unit. If that happened after the image
        // was unmapped, the unit would map it again. So systemd must have seen every device before.
        if let Err(error) = systemd::wait_for_devices(root, &images) {
            tracing::debug!("{error:#}");
        }
        if uses_systemd(root, self.engine, &config) {
            return self.stop_units(root, &config, settings);
        }
        let report = down::unmap(root, &self.plan.mappings, settings);
        stop_restarted_units(root, &images, timeouts.unmap);
        Ok(report)
    }

    fn stop_units(
        &self,
        root: &Root,
        config: &Configuration,
        settings: UnmapSettings<'_>,
    ) -> Result<Report> {
        // A unit that still waits for a monitor has no mapping yet, but has to be stopped as well.
        let table = if self.is_everything {
            &config.entries[..]
        } else {
            &[]
        };
        let request = StopRequest {
            plan: self.plan,
            table,
        };
        let options = JobOptions {
            block: !self.engine.no_block,
            stop_users: self.stop_users,
        };
        systemd::unmap(root, &request, settings, options)
    }
}

/// Stops the units that systemd started because their device appeared while this process was unmapping it.
fn stop_restarted_units(root: &Root, images: &[&ImageSpec], timeout: Duration) {
    if let Err(error) = systemd::stop_remapping(root, images, timeout) {
        tracing::debug!("{error:#}");
    }
}

fn show(root: &Root, plan: &UnmapPlan) -> Result<()> {
    let devices: Vec<BlockNode> = plan
        .mappings
        .iter()
        .flat_map(|mapping| device::nodes(root, &mapping.name()))
        .collect();
    let snapshot = mounts::look(root)?;
    for step in MountStack::new(&snapshot).standing_on(&devices) {
        println!("would {}", step.layer);
    }
    for mapping in &plan.mappings {
        println!("would unmap {} (/dev/{})", mapping.spec, mapping.name());
    }
    Ok(())
}
