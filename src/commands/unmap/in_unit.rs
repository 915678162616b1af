//! `rbdmap unmap --if-ours` and `--left-over`: the calls in rbdmap@.service and rbdmap-sweep.service. The system may be
//! shutting down. The table and fstab are not read: they may have changed since the images were mapped.

use std::time::Duration;

use anyhow::Result;

use crate::cli::UnmapArguments;
use crate::config::settings;
use crate::engine::direct::down;
use crate::engine::direct::shutdown_check::ShutdownCheck;
use crate::engine::direct::unmap_run::UnmapSettings;
use crate::engine::{progress, systemd};
use crate::model::image_spec::ImageSpec;
use crate::model::mapping::Mapping;
use crate::model::owner_tag::Origin;
use crate::report::event::Event;
use crate::report::failures::Report;
use crate::runtime::deadline::{Deadline, Wait};
use crate::runtime::root::Root;
use crate::sys::rbd::mapping_cache::MappingCache;
use crate::sys::rbd::{bus, image_lock};

/// Unmaps the images of the arguments, or with --left-over all that rbdmap mapped.
pub fn run(root: &Root, arguments: &UnmapArguments) -> Result<Report> {
    let (settings, _) = settings::read(root);
    let timeouts = settings.timeouts.overridden_by(arguments.engine.timeout);
    let mappings = if arguments.left_over {
        mappings_of_rbdmap(root, timeouts.unmap / 2)?
    } else {
        mappings_from_table(root, &arguments.targets, timeouts.unmap / 2)?
    };
    // Not in the unit of one image: the units of its users may still be stopping. The sweep is the last one to run.
    let force = settings.shutdown_force && arguments.left_over;
    let shutdown = ShutdownCheck::new(root, timeouts, force);
    let settings = UnmapSettings {
        timeout: timeouts.unmap.max(timeouts.shutdown),
        parallel: settings.parallel,
        // rbdmap-hook@.service runs the hook.
        hooks: None,
        shutdown: Some(&shutdown),
    };
    Ok(down::unmap(root, &mappings, settings))
}

/// The images that rbdmap mapped, from the table or by hand.
fn mappings_of_rbdmap(root: &Root, timeout: Duration) -> Result<Vec<Mapping>> {
    // A unit that is still starting would map its image after the list was read.
    if let Err(error) = systemd::stop_unfinished(root, timeout) {
        tracing::warn!("{error:#}");
    }
    let mut mappings = bus::list(root)?;
    mappings.retain(|mapping| mapping.tag.is_some());
    Ok(mappings)
}

/// The mappings of these images that were made from the table. One that was made by hand belongs to the administrator.
fn mappings_from_table(root: &Root, names: &[String], timeout: Duration) -> Result<Vec<Mapping>> {
    let specs: Vec<ImageSpec> = names
        .iter()
        .map(|text| text.parse())
        .collect::<Result<_>>()?;
    let deadline = Deadline::after(timeout);
    for spec in &specs {
        await_started_write(root, spec, &deadline);
    }
    let mut mappings =
        MappingCache::new(root).of_images(|name| specs.iter().any(|spec| spec.image == name))?;
    mappings.retain(|mapping| specs.contains(&mapping.spec) && mapping.has_origin(Origin::Table));
    Ok(mappings)
}

/// Waits for a write to the kernel that an interrupted start of the unit has left behind.
fn await_started_write(root: &Root, spec: &ImageSpec, deadline: &Deadline) {
    // The write cannot be aborted, and ends with a mapping. Its process holds the image's lock until then.
    let wait = Wait {
        deadline,
        on_delay: &|| progress::report_wait(Event::UnmapWaits, spec, image_lock::HOLDER),
    };
    if let Err(error) = image_lock::image(root, spec, wait) {
        tracing::warn!("{spec}: {error:#}");
    }
}
