//! `rbdmap reload`: applies a changed table. It maps and mounts the images that are new in it, unmaps those that it mapped and
//! no longer lists, unless something uses them, and reports those whose options have changed. Nothing else changes.

use std::time::Duration;

use anyhow::Result;

use super::engine_choice::{uses_systemd, uses_systemd_to_map};
use super::summary;
use crate::ceph::file_cache::FileCache;
use crate::ceph::request;
use crate::cli::Engine;
use crate::config::load::Configuration;
use crate::config::table::Entry;
use crate::engine::direct::map_run::MapSettings;
use crate::engine::direct::retry_policy::RetryPolicy;
use crate::engine::direct::unmap_run::UnmapSettings;
use crate::engine::direct::up;
use crate::engine::direct::{blockers, down};
use crate::engine::systemd::{self, JobOptions, StopRequest};
use crate::model::holder;
use crate::model::hook_call::HookPolicy;
use crate::model::mapping::Mapping;
use crate::model::owner_tag::Origin;
use crate::model::timeouts::Timeouts;
use crate::plan::reload::{self, ReloadPlan};
use crate::plan::{self, UnmapPlan};
use crate::report::failures::Report;
use crate::runtime::root::Root;
use crate::sys::rbd::bus;
use crate::sys::resolver;

/// For finding the users of one image.
const HOLDER_SEARCH_TIMEOUT: Duration = Duration::from_secs(5);

/// Makes the machine match the configuration.
pub fn run(root: &Root, engine: &Engine) -> Result<Report> {
    let config = Configuration::read(root);
    let mut report = Report::default();
    report_faults(&config, &mut report);
    let mut plan = reload::plan(&config.entries, &bus::list(root)?);
    if !report.is_clean() {
        keep_all(&mut plan);
    }
    plan.gone.retain(|mapping| is_unused(root, mapping));
    report_changed_options(root, &plan);
    if engine.dry_run {
        show(&plan);
        return Ok(report);
    }
    let run = ReloadRun {
        root,
        config: &config,
        engine,
        uses_systemd: uses_systemd(root, engine, &config),
    };
    if run.uses_systemd {
        systemd::reload_if_stale(root)?;
    }
    report.merge(run.unmap(plan.gone)?);
    report.merge(run.map(&plan.new)?);
    if run.uses_systemd {
        // rbdmap.service does not run again, so its status text would still count the images of the old table.
        summary::report(root, &config);
    }
    Ok(report)
}

/// Lines that are used in spite of their fault are warnings, all others failures.
fn report_faults(config: &Configuration, report: &mut Report) {
    for fault in config.faults.iter().filter(|fault| fault.is_served) {
        tracing::warn!("{fault}");
    }
    for fault in config.faults.iter().filter(|fault| !fault.is_served) {
        report.failed(fault);
    }
}

/// Removes from the plan the images that the table seems not to list: an invalid line may be that of one of them.
fn keep_all(plan: &mut ReloadPlan<'_>) {
    for mapping in std::mem::take(&mut plan.gone) {
        tracing::warn!(
            "{}: no longer listed; left mapped until the invalid lines are fixed",
            mapping.spec
        );
    }
}

/// Whether nothing uses the image or a file system on it. If something does, or the search exceeds its time limit, the image
/// stays mapped and a warning says why.
fn is_unused(root: &Root, mapping: &Mapping) -> bool {
    let usage = blockers::usage(root, mapping, HOLDER_SEARCH_TIMEOUT);
    let name = &usage.name;
    let reason = match &usage.holders {
        Some(holders) if holders.is_empty() => return true,
        Some(holders) => holder::describe(name, holders),
        None => format!(
            "the users of {name} were not found within {} s",
            HOLDER_SEARCH_TIMEOUT.as_secs()
        ),
    };
    let spec = &mapping.spec;
    tracing::warn!(
        "{spec}: no longer listed; left mapped: {reason}; run `rbdmap unmap {spec}` when nothing uses it"
    );
    false
}

/// Warns about images that are mapped with other options than the configuration has now.
fn report_changed_options(root: &Root, plan: &ReloadPlan<'_>) {
    let files = FileCache::new(root);
    for (entry, mapping) in &plan.kept {
        // Other programs choose their own options.
        if mapping.tag.is_none() {
            continue;
        }
        let changed = changed_options(root, &files, entry, mapping);
        if !changed.is_empty() {
            // The kernel takes options only when it maps, and the image may be in use.
            let spec = &entry.spec;
            tracing::warn!(
                "{spec}: mapped with other options ({}); to apply the new ones, run `rbdmap unmap {spec}` and `rbdmap map {spec}`",
                changed.join(" ")
            );
        }
    }
}

/// The differences, as `+queue_depth=64` and `-ro`. None if the request cannot be resolved: `map` reports why.
fn changed_options(
    root: &Root,
    files: &FileCache,
    entry: &Entry,
    mapping: &Mapping,
) -> Vec<String> {
    let wanted = request::preview(files, entry, resolver::LOOKUP_TIMEOUT);
    match (wanted, bus::attribute(root, mapping.id, "config_info")) {
        (Ok(wanted), Some(config_info)) => reload::changed_options(&config_info, &wanted),
        _ => Vec::new(),
    }
}

fn show(plan: &ReloadPlan<'_>) {
    for mapping in &plan.gone {
        println!("would unmap {} (/dev/{})", mapping.spec, mapping.name());
    }
    for entry in &plan.new {
        println!("would map {}", entry.spec);
    }
    if plan.gone.is_empty() && plan.new.is_empty() {
        println!("nothing to map or unmap");
    }
}

/// What both halves of a reload need.
struct ReloadRun<'a> {
    root: &'a Root,
    config: &'a Configuration,
    engine: &'a Engine,
    uses_systemd: bool,
}

impl ReloadRun<'_> {
    fn unmap(&self, gone: Vec<Mapping>) -> Result<Report> {
        if gone.is_empty() {
            return Ok(Report::default());
        }
        let hooks = self.config.own_hooks();
        let settings = UnmapSettings {
            timeout: self.timeouts().unmap,
            parallel: self.config.settings.parallel,
            hooks: Some(&hooks),
            shutdown: None,
        };
        if !self.uses_systemd {
            return Ok(down::unmap(self.root, &gone, settings));
        }
        let plan = UnmapPlan {
            mappings: gone,
            ..UnmapPlan::default()
        };
        let request = StopRequest {
            plan: &plan,
            table: &[],
        };
        systemd::unmap(self.root, &request, settings, self.job_options())
    }

    fn map(&self, new: &[&Entry]) -> Result<Report> {
        if new.is_empty() {
            return Ok(Report::default());
        }
        let specs: Vec<_> = new.iter().map(|entry| entry.spec.clone()).collect();
        let plan = plan::map(&self.config.entries, &self.config.lines, &specs);
        let settings = MapSettings {
            origin: Origin::Table,
            timeout: self.timeouts().map,
            parallel: self.config.settings.parallel,
            hooks: HookPolicy::Run,
            retry: RetryPolicy::UntilTimeout,
        };
        if self.uses_systemd && uses_systemd_to_map(self.root, self.engine, self.config) {
            return systemd::map(self.root, &plan, settings, self.job_options());
        }
        Ok(up::map(self.root, &plan, settings))
    }

    fn timeouts(&self) -> Timeouts {
        let configured = self.config.settings.timeouts;
        configured.overridden_by(self.engine.timeout)
    }

    fn job_options(&self) -> JobOptions {
        JobOptions {
            block: !self.engine.no_block,
            stop_users: false,
        }
    }
}
