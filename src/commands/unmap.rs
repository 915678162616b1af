//! `rbdmap unmap` and `rbdmap unmap-all`: what was named, by image, device or mount point, found among what is mapped.

use std::fs;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, anyhow};

use super::{asks_systemd, timeouts};
use crate::cli::{Engine, UnmapAllArguments, UnmapArguments};
use crate::config::load::Configuration;
use crate::config::settings;
use crate::engine::direct::shutdown_check::ShutdownCheck;
use crate::engine::direct::{down, unmap_run::UnmapSettings};
use crate::engine::progress;
use crate::engine::systemd::{self, JobOptions, StopRequest};
use crate::model::block_node::BlockNode;
use crate::model::image_spec::ImageSpec;
use crate::model::mapping::Mapping;
use crate::model::owner_tag::Origin;
use crate::plan::teardown::MountStack;
use crate::plan::{self, Target, UnmapPlan};
use crate::report::event::Event;
use crate::report::failures::Report;
use crate::runtime::deadline::{Deadline, Wait};
use crate::runtime::root::Root;
use crate::sys::rbd::mapping_cache::MappingCache;
use crate::sys::rbd::{bus, image_lock};
use crate::sys::{device, mounts};

/// Unmaps what was asked for.
pub fn run(root: &Root, arguments: &UnmapArguments) -> Result<Report> {
    if arguments.if_ours || arguments.left_over {
        return for_unit(root, arguments);
    }
    let mapped = bus::list(root)?;
    let named = arguments
        .targets
        .iter()
        .map(|text| target(root, &mapped, text));
    let numbers = arguments.devices.iter().map(|id| Ok(Target::Device(*id)));
    let targets: Vec<Target> = named.chain(numbers).collect::<Result<_>>()?;
    let plan = plan::unmap(&mapped, &targets);
    let wish = Wish {
        engine: &arguments.engine,
        stop_users: arguments.users.stop_users,
    };
    let mut report = carry_out(root, &plan, targets.is_empty(), wish)?;
    tell(&plan, &mut report);
    Ok(report)
}

/// Unmaps everything there is.
pub fn all(root: &Root, arguments: &UnmapAllArguments) -> Result<Report> {
    let plan = UnmapPlan {
        mappings: bus::list(root)?,
        ..UnmapPlan::default()
    };
    carry_out(
        root,
        &plan,
        true,
        Wish {
            engine: &arguments.engine,
            stop_users: arguments.users.stop_users,
        },
    )
}

/// What was typed beside the names.
struct Wish<'a> {
    engine: &'a Engine,
    stop_users: bool,
}

fn carry_out(root: &Root, plan: &UnmapPlan, everything: bool, wish: Wish<'_>) -> Result<Report> {
    let Wish { engine, stop_users } = wish;
    if engine.dry_run {
        return show(root, plan);
    }
    let inputs = Configuration::read(root);
    let own = inputs.own_hooks();
    let timeout = timeouts(engine, &inputs.settings).unmap;
    let settings = UnmapSettings {
        timeout,
        parallel: inputs.settings.parallel,
        hooks: Some(&own),
        shutdown: None,
    };
    let images: Vec<&ImageSpec> = plan.mappings.iter().map(|mapping| &mapping.spec).collect();
    systemd::wait_for_devices(root, &images).unwrap_or_else(|error| tracing::debug!("{error:#}"));
    if !asks_systemd(root, engine, &inputs) {
        let report = down::unmap(root, &plan.mappings, settings);
        systemd::stop_remapping(root, &images, timeout)
            .unwrap_or_else(|error| tracing::debug!("{error:#}"));
        return Ok(report);
    }
    let table = if everything { &inputs.entries[..] } else { &[] };
    let options = JobOptions {
        block: !engine.no_block,
        stop_users,
    };
    systemd::unmap(root, &StopRequest { plan, table }, settings, options)
}

/// In a unit, where the system may be going down. The last of the units may use force. Tables and fstab are not read: what
/// is there counts.
fn for_unit(root: &Root, arguments: &UnmapArguments) -> Result<Report> {
    let (settings, _) = settings::read(root);
    let timeouts = timeouts(&arguments.engine, &settings);
    let mappings = if arguments.left_over {
        if let Err(error) = systemd::stop_unfinished(root, timeouts.unmap / 2) {
            tracing::warn!("{error:#}");
        }
        bus::list(root)?
            .into_iter()
            .filter(|mapping| mapping.tag.is_some())
            .collect()
    } else {
        mappings_of_unit(root, &arguments.targets, timeouts.unmap / 2)?
    };
    let force = settings.shutdown_force && arguments.left_over;
    let shutdown = ShutdownCheck::new(root, timeouts, force);
    Ok(down::unmap(
        root,
        &mappings,
        UnmapSettings {
            timeout: timeouts.unmap.max(timeouts.shutdown),
            parallel: settings.parallel,
            hooks: None,
            shutdown: Some(&shutdown),
        },
    ))
}

/// What the table made of these images, not what was mapped by hand beside it. A start that was interrupted may have left a
/// write to the kernel behind, which goes on and then is a mapping; it has the image's lock as long.
fn mappings_of_unit(root: &Root, targets: &[String], patience: Duration) -> Result<Vec<Mapping>> {
    let specs: Vec<ImageSpec> = targets
        .iter()
        .map(|text| text.parse())
        .collect::<Result<_>>()?;
    let deadline = Deadline::after(patience);
    for spec in &specs {
        let tell = || progress::report_wait(Event::UnmapWaits, spec, image_lock::WHOSE);
        if let Err(error) = image_lock::image(
            root,
            spec,
            Wait {
                deadline: &deadline,
                on_delay: &tell,
            },
        ) {
            tracing::warn!("{spec}: {error:#}");
        }
    }
    let mappings =
        MappingCache::new(root).of_images(|name| specs.iter().any(|spec| spec.image == name))?;
    Ok(mappings
        .into_iter()
        .filter(|mapping| specs.contains(&mapping.spec) && mapping.has_origin(Origin::Table))
        .collect())
}

fn show(root: &Root, plan: &UnmapPlan) -> Result<Report> {
    let devices: Vec<BlockNode> = plan
        .mappings
        .iter()
        .flat_map(|mapping| device::nodes(root, &mapping.name()))
        .collect();
    let seen = mounts::look(root)?;
    MountStack::new(&seen)
        .standing_on(&devices)
        .iter()
        .for_each(|step| println!("would {}", step.layer));
    plan.mappings
        .iter()
        .for_each(|mapping| println!("would unmap {} (/dev/{})", mapping.spec, mapping.name()));
    Ok(Report::default())
}

/// What was named and not touched.
fn tell(plan: &UnmapPlan, report: &mut Report) {
    for mapping in &plan.foreign {
        let device = mapping.name();
        report.image_failed(
            Event::UnmapFailed,
            &mapping.spec,
            format!("left alone: another program mapped it; `rbdmap unmap /dev/{device}` unmaps it all the same"),
        );
    }
    for absent in &plan.absent {
        tracing::info!("{absent}: not mapped");
    }
}

/// An argument that starts with `/dev/` is a device or a link to one, as for `rbd unmap`; another that starts with `/`
/// is a mount point; all else is an image.
fn target(root: &Root, mapped: &[Mapping], text: &str) -> Result<Target> {
    let found = match (text.strip_prefix("/dev/"), text.starts_with('/')) {
        (Some(name), _) => device(root, mapped, &root.dev(name)),
        (None, true) => mount_point(root, mapped, Path::new(text)),
        (None, false) => {
            return text
                .parse()
                .map(Target::Image)
                .map_err(|error| anyhow!("{error}"));
        }
    };
    found.map(Target::Device).with_context(|| text.to_owned())
}

/// The number of the mapping behind a device node or link; that of the disk for a partition.
fn device(root: &Root, mapped: &[Mapping], path: &Path) -> Result<u32> {
    fs::metadata(path)?;
    let node = device::at(path).context("not a block device")?;
    mapping_of(root, mapped, node.number).context("not an rbd device")
}

/// The number of the mapping that is mounted there.
fn mount_point(root: &Root, mapped: &[Mapping], path: &Path) -> Result<u32> {
    let path = fs::canonicalize(path)?;
    let mounted = mounts::list(root)?;
    let mount = mounted
        .iter()
        .rfind(|mount| mount.target == path)
        .context("nothing is mounted there")?;
    mapping_of(root, mapped, mount.device).context("what is mounted there is not an RBD image")
}

fn mapping_of(root: &Root, mapped: &[Mapping], number: (u32, u32)) -> Option<u32> {
    mapped
        .iter()
        .find(|mapping| {
            device::nodes(root, &mapping.name())
                .iter()
                .any(|node| node.number == number)
        })
        .map(|mapping| mapping.id)
}
