//! Maps images that the table or the settings list.

use anyhow::Result;

use super::options::{fstab_lines, job_options, map_settings};
use super::{dependents, dry_run};
use crate::cli::MapArguments;
use crate::commands::engine_choice::uses_systemd_to_map;
use crate::config::load::Configuration;
use crate::engine::direct::map_run::MapSettings;
use crate::engine::direct::retry_policy::RetryPolicy;
use crate::engine::direct::up;
use crate::engine::systemd;
use crate::model::fault::Fault;
use crate::model::image_spec::ImageSpec;
use crate::model::owner_tag::Origin;
use crate::plan::{self, MapPlan};
use crate::report::event::Event;
use crate::report::failures::Report;
use crate::runtime::root::Root;

/// Maps the images that the arguments name, or all, and mounts what fstab lists on them.
pub fn map(root: &Root, arguments: &MapArguments, retry: RetryPolicy) -> Result<Report> {
    let named: Vec<ImageSpec> = arguments
        .specs
        .iter()
        .map(|text| text.parse())
        .collect::<Result<_>>()?;
    let config = read_configuration(root, arguments, &named);
    let plan = plan::map(&config.entries, fstab_lines(arguments, &config), &named);
    let run = TableRun {
        root,
        arguments,
        config: &config,
        retry,
    };
    let mut report = run.carry_out(&plan)?;
    if report.is_clean() {
        dependents::start(root);
    }
    report_unknown(&config, &plan.unknown, &mut report);
    // An invalid line does not fail a run that names other images.
    if named.is_empty() {
        report_faults(&config, &mut report);
    }
    Ok(report)
}

fn read_configuration(root: &Root, arguments: &MapArguments, named: &[ImageSpec]) -> Configuration {
    // At boot the unit of every image runs this. With hundreds of images, each reading all of the table and fstab takes long.
    if arguments.no_mount && !named.is_empty() {
        Configuration::of_images(root, named)
    } else {
        Configuration::read(root)
    }
}

struct TableRun<'a> {
    root: &'a Root,
    arguments: &'a MapArguments,
    config: &'a Configuration,
    retry: RetryPolicy,
}

impl TableRun<'_> {
    fn carry_out(&self, plan: &MapPlan<'_>) -> Result<Report> {
        let engine = &self.arguments.engine;
        if engine.dry_run {
            return Ok(dry_run::show(self.root, plan));
        }
        let settings = MapSettings {
            retry: self.retry,
            ..map_settings(self.arguments, &self.config.settings, Origin::Table)
        };
        // Asked even if the plan is empty: it logs why this process does the work.
        if uses_systemd_to_map(self.root, engine, self.config) && !plan.images.is_empty() {
            return systemd::map(self.root, plan, settings, job_options(engine));
        }
        Ok(up::map(self.root, plan, settings))
    }
}

/// Reports the images that were named and that no valid line lists.
fn report_unknown(config: &Configuration, unknown: &[ImageSpec], report: &mut Report) {
    if unknown.is_empty() {
        return;
    }
    let invalid: Vec<&Fault> = config.faults.iter().filter(|it| !it.is_served).collect();
    for fault in &invalid {
        tracing::warn!("{fault}");
    }
    let table = config.table.display();
    for spec in unknown {
        let why = if invalid.is_empty() {
            format!("not in {table}; add a line such as `{spec} id=USER`, or use --id USER")
        } else {
            format!(
                "not found in {table}, which has invalid lines (see above); fix them, or use --id USER"
            )
        };
        report.image_failed(Event::MapFailed, spec, why);
    }
}

/// Reports invalid lines, and that there is nothing to do.
fn report_faults(config: &Configuration, report: &mut Report) {
    for fault in config.faults.iter().filter(|fault| fault.is_served) {
        tracing::warn!("{fault}");
    }
    for fault in config.faults.iter().filter(|fault| !fault.is_served) {
        report.failed(fault);
    }
    if config.entries.is_empty() && config.faults.is_empty() {
        tracing::info!("nothing to map: {} lists no image", config.table.display());
    }
}
