//! `rbdmap reload`: the table has changed. What is new in it is mapped and mounted, what the table had mapped and no longer
//! lists is unmapped if nobody uses it, what is listed with other options is told. All else stays as it is.

use std::time::Duration;

use anyhow::Result;

use super::{asks_systemd, asks_systemd_to_map, summary, timeouts};
use crate::ceph::file_cache::FileCache;
use crate::ceph::request;
use crate::cli::Engine;
use crate::config::load::Configuration;
use crate::config::table::Entry;
use crate::engine::direct::blockers;
use crate::engine::direct::down;
use crate::engine::direct::map_image::RetryPolicy;
use crate::engine::direct::unmap_run::UnmapSettings;
use crate::engine::direct::up::{self, MapSettings};
use crate::engine::systemd::{self, JobOptions, StopRequest};
use crate::model::fault::Fault;
use crate::model::holder;
use crate::model::hook_call::HookPolicy;
use crate::model::mapping::Mapping;
use crate::model::owner_tag::Origin;
use crate::plan::reload::{self, ReloadPlan};
use crate::plan::{self, UnmapPlan};
use crate::report::failures::Report;
use crate::runtime::root::Root;
use crate::sys::rbd::bus;
use crate::sys::resolver;

/// How long looking for who uses an image may take.
const LOOK_LIMIT: Duration = Duration::from_secs(5);

/// Brings the machine to what the files say.
pub fn run(root: &Root, engine: &Engine) -> Result<Report> {
    let inputs = Configuration::read(root);
    let mut report = Report::default();
    inputs
        .faults
        .iter()
        .filter(|fault| fault.is_served)
        .for_each(|fault| tracing::warn!("{fault}"));
    let refused: Vec<&Fault> = inputs
        .faults
        .iter()
        .filter(|fault| !fault.is_served)
        .collect();
    refused.iter().for_each(|fault| report.failed(fault));
    let mut plan = reload::plan(&inputs.entries, &bus::list(root)?);
    // A line that cannot be read may be that of an image which only seems to be gone.
    if !refused.is_empty() {
        for mapping in std::mem::take(&mut plan.gone) {
            tracing::warn!(
                "{}: not listed any more, and left mapped until all lines can be read",
                mapping.spec
            );
        }
    }
    plan.gone.retain(|mapping| is_free(root, mapping));
    tell_changes(root, &plan);
    if engine.dry_run {
        show(&plan);
        return Ok(report);
    }
    let work = ReloadRun {
        root,
        inputs: &inputs,
        engine,
        systemd: asks_systemd(root, engine, &inputs),
    };
    if work.systemd {
        systemd::reload_if_stale(root)?;
    }
    report.merge(work.unmap(plan.gone)?);
    report.merge(work.map(&plan.new)?);
    if work.systemd {
        summary::run(root, &inputs);
    }
    Ok(report)
}

struct ReloadRun<'a> {
    root: &'a Root,
    inputs: &'a Configuration,
    engine: &'a Engine,
    systemd: bool,
}

impl ReloadRun<'_> {
    fn job_options(&self) -> JobOptions {
        JobOptions {
            block: !self.engine.no_block,
            stop_users: false,
        }
    }

    fn unmap(&self, gone: Vec<Mapping>) -> Result<Report> {
        if gone.is_empty() {
            return Ok(Report::default());
        }
        let (settings, own) = (&self.inputs.settings, self.inputs.own_hooks());
        let unmap_settings = UnmapSettings {
            timeout: timeouts(self.engine, settings).unmap,
            parallel: settings.parallel,
            hooks: Some(&own),
            shutdown: None,
        };
        let plan = UnmapPlan {
            mappings: gone,
            ..UnmapPlan::default()
        };
        if self.systemd {
            systemd::unmap(
                self.root,
                &StopRequest {
                    plan: &plan,
                    table: &[],
                },
                unmap_settings,
                self.job_options(),
            )
        } else {
            Ok(down::unmap(self.root, &plan.mappings, unmap_settings))
        }
    }

    fn map(&self, new: &[&Entry]) -> Result<Report> {
        if new.is_empty() {
            return Ok(Report::default());
        }
        let specs: Vec<_> = new.iter().map(|entry| entry.spec.clone()).collect();
        let plan = plan::map(&self.inputs.entries, &self.inputs.lines, &specs);
        let settings = &self.inputs.settings;
        let map_settings = MapSettings {
            origin: Origin::Table,
            timeout: timeouts(self.engine, settings).map,
            parallel: settings.parallel,
            hooks: HookPolicy::Run,
            retry: RetryPolicy::UntilTimeout,
        };
        if self.systemd && asks_systemd_to_map(self.root, self.engine, self.inputs) {
            return systemd::map(self.root, &plan, map_settings, self.job_options());
        }
        Ok(up::map(self.root, &plan, map_settings))
    }
}

/// Whether nobody uses what is mounted on it; who does is told, and keeps it. So does who could not be looked up in time.
fn is_free(root: &Root, mapping: &Mapping) -> bool {
    let usage = blockers::usage(root, mapping, LOOK_LIMIT);
    let name = &usage.name;
    let sentence = match &usage.holders {
        Some(holders) if holders.is_empty() => return true,
        Some(holders) => holder::describe(name, holders),
        None => format!("who uses {name} could not be found out in time"),
    };
    let spec = &mapping.spec;
    tracing::warn!(
        "{spec}: not listed any more, and left mapped: {sentence}; `rbdmap unmap {spec}` when it is free"
    );
    false
}

/// The kernel takes options only when it maps.
fn tell_changes(root: &Root, plan: &ReloadPlan<'_>) {
    let sources = FileCache::new(root);
    for (entry, mapping) in plan
        .kept
        .iter()
        .filter(|(_, mapping)| mapping.tag.is_some())
    {
        let wanted = request::preview(&sources, entry, resolver::LIMIT);
        let (Ok(wanted), Some(config_info)) =
            (wanted, bus::attribute(root, mapping.id, "config_info"))
        else {
            continue;
        };
        let changed = reload::changed_options(&config_info, &wanted);
        if !changed.is_empty() {
            let spec = &entry.spec;
            tracing::warn!(
                "{spec}: mapped with other options ({}): they count after `rbdmap unmap {spec}` and `rbdmap map {spec}`",
                changed.join(" ")
            );
        }
    }
}

fn show(plan: &ReloadPlan<'_>) {
    plan.gone
        .iter()
        .for_each(|mapping| println!("would unmap {} (/dev/{})", mapping.spec, mapping.name()));
    plan.new
        .iter()
        .for_each(|entry| println!("would map {}", entry.spec));
    if plan.gone.is_empty() && plan.new.is_empty() {
        println!("nothing to map or unmap");
    }
}
