//! `rbdmap map`: the table's images, or one that the command line describes by itself.

use std::env;
use std::path::Path;
use std::thread::sleep;
use std::time::Duration;

use anyhow::Result;

use super::{asks_systemd_to_map, timeouts};
use crate::ceph::file_cache::FileCache;
use crate::ceph::request;
use crate::cli::{ByHand, MapArguments};
use crate::config::environment::Environment;
use crate::config::load::Configuration;
use crate::config::settings::Settings;
use crate::config::table::{Entry, EntryOptions, client_id};
use crate::engine::direct::map_image::RetryPolicy;
use crate::engine::direct::up::{self, MapSettings};
use crate::engine::systemd::{self, JobOptions};
use crate::model::fault::Fault;
use crate::model::hook_call::HookPolicy;
use crate::model::image_spec::ImageSpec;
use crate::model::owner_tag::Origin;
use crate::model::unit_name;
use crate::plan::{self, MapPlan};
use crate::report::event::Event;
use crate::report::failures::Report;
use crate::report::logging::Attempts;
use crate::runtime::backoff::Backoff;
use crate::runtime::deadline::Deadline;
use crate::runtime::root::Root;
use crate::sys::resolver;

/// How long the unit of an image that boot does not wait for goes on trying, and the least that it pauses.
const AN_HOUR: Duration = Duration::from_secs(3600);
const PAUSE: Duration = Duration::from_secs(10);

/// Maps what was asked for.
pub fn run(root: &Root, arguments: &MapArguments, attempts: &Attempts) -> Result<Report> {
    if arguments.by_hand.is_given() {
        by_hand(root, arguments)
    } else if is_nofail() {
        for_nofail(root, arguments, attempts)
    } else {
        by_table(root, arguments, RetryPolicy::UntilTimeout)
    }
}

/// In the unit of an image that boot does not wait for. While the machine boots, a short try, so that boot is not held up. When systemd
/// has started the unit again by itself, one try after the other, from the files as they are then: a unit that fails each time
/// would say so each time, and systemd with it.
fn for_nofail(root: &Root, arguments: &MapArguments, attempts: &Attempts) -> Result<Report> {
    if systemd::is_booting(root).unwrap_or(false) {
        return by_table(root, arguments, RetryPolicy::Once);
    }
    let (end, mut backoff) = (Deadline::after(AN_HOUR), Backoff::new());
    let goes_on = systemd::has_restarted(root, &arguments.specs).unwrap_or(false);
    loop {
        let report = by_table(root, arguments, RetryPolicy::UntilTimeout)?;
        if report.is_clean() || !goes_on || end.remaining().is_zero() {
            return Ok(report);
        }
        sleep(PAUSE + backoff.pause());
        attempts.next();
    }
}

fn by_table(root: &Root, arguments: &MapArguments, retry: RetryPolicy) -> Result<Report> {
    let named = arguments
        .specs
        .iter()
        .map(|text| text.parse())
        .collect::<Result<Vec<ImageSpec>>>()?;
    let is_only_mapping = arguments.no_mount && !named.is_empty();
    let inputs = if is_only_mapping {
        Configuration::of_images(root, &named)
    } else {
        Configuration::read(root)
    };
    let lines = if arguments.no_mount {
        &[][..]
    } else {
        &inputs.lines
    };
    let plan = plan::map(&inputs.entries, lines, &named);
    let settings = MapSettings {
        retry,
        ..map_settings(arguments, Origin::Table, &inputs.settings)
    };
    let mut report = if arguments.engine.dry_run {
        show(root, &plan)
    } else if asks_systemd_to_map(root, &arguments.engine, &inputs) && !plan.images.is_empty() {
        let options = JobOptions {
            block: !arguments.engine.no_block,
            stop_users: false,
        };
        systemd::map(root, &plan, settings, options)?
    } else {
        up::map(root, &plan, settings)
    };
    let units = nofail_units();
    if !units.is_empty() && report.is_clean() {
        systemd::start_dependents(root, &units).unwrap_or_else(|error| tracing::warn!("{error:#}"));
    }
    tell_of_unknown(&inputs, &plan.unknown, &mut report);
    // A line that cannot be read fails a run over all of them, not one that names other images.
    if named.is_empty() {
        let (served, refused): (Vec<&Fault>, Vec<&Fault>) =
            inputs.faults.iter().partition(|fault| fault.is_served);
        served.iter().for_each(|fault| tracing::warn!("{fault}"));
        refused.iter().for_each(|fault| report.failed(fault));
        if inputs.entries.is_empty() && inputs.faults.is_empty() {
            tracing::info!("nothing to map: {} lists no image", inputs.table.display());
        }
    }
    Ok(report)
}

/// An image without a line, or whose line is one of those that cannot be read.
fn tell_of_unknown(inputs: &Configuration, unknown: &[ImageSpec], report: &mut Report) {
    let unread: Vec<&Fault> = inputs
        .faults
        .iter()
        .filter(|fault| !fault.is_served && !unknown.is_empty())
        .collect();
    unread.iter().for_each(|fault| tracing::warn!("{fault}"));
    for spec in unknown {
        let table = inputs.table.display();
        let why = if unread.is_empty() {
            format!("not in {table}; add a line such as `{spec} id=USER`, or say --id USER")
        } else {
            format!(
                "not among what can be read of {table}; mend what is named above, or say --id USER"
            )
        };
        report.image_failed(Event::MapFailed, spec, why);
    }
}

/// systemd knows nothing of such a mapping, so it is made here; at shutdown the sweep takes it down.
fn by_hand(root: &Root, arguments: &MapArguments) -> Result<Report> {
    let inputs = Configuration::read(root);
    let mut options = arguments.by_hand.entry_options()?;
    options.map.fill(&inputs.settings.defaults);
    Environment::of_process().complete(&mut options)?;
    let pool = request::default_pool(&FileCache::new(root), &options)?;
    let entry = |text: &String| {
        ImageSpec::parse(text, &pool).map(|spec| Entry::from_command_line(spec, options.clone()))
    };
    let entries: Vec<Entry> = arguments.specs.iter().map(entry).collect::<Result<_>>()?;
    let lines = if arguments.no_mount {
        &[][..]
    } else {
        &inputs.lines
    };
    let plan = plan::map(&entries, lines, &[]);
    if arguments.engine.dry_run {
        return Ok(show(root, &plan));
    }
    Ok(up::map(
        root,
        &plan,
        map_settings(arguments, Origin::Hand, &inputs.settings),
    ))
}

fn nofail_units() -> Vec<String> {
    env::var(unit_name::NOFAIL_DEPENDENTS_VARIABLE)
        .unwrap_or_default()
        .split_whitespace()
        .map(str::to_owned)
        .collect()
}

fn is_nofail() -> bool {
    env::var_os(unit_name::NOFAIL_DEPENDENTS_VARIABLE).is_some()
}

/// Without mounts no hook either: units map so, and a hook comes after the mounts.
fn map_settings(arguments: &MapArguments, origin: Origin, settings: &Settings) -> MapSettings {
    let hooks = if arguments.no_mount {
        HookPolicy::Skip
    } else {
        HookPolicy::Run
    };
    MapSettings {
        origin,
        timeout: timeouts(&arguments.engine, settings).map,
        parallel: settings.parallel,
        hooks,
        retry: RetryPolicy::UntilTimeout,
    }
}

/// What would be done, with the line that each image would be asked for. What keeps one from being mapped fails here too.
fn show(root: &Root, plan: &MapPlan<'_>) -> Report {
    let mut report = Report::default();
    let (mut would_map, sources) = (Vec::new(), FileCache::new(root));
    for entry in &plan.images {
        match request::preview(&sources, entry, resolver::LIMIT) {
            Ok(line) => {
                println!("would map {}\nwould write: {line}", entry.spec);
                would_map.push(&entry.spec);
            }
            Err(error) => report.image_failed(Event::MapFailed, &entry.spec, format!("{error:#}")),
        }
    }
    let fails = |entry: &&&Entry| !would_map.contains(&&entry.spec);
    let failed: Vec<&ImageSpec> = plan
        .images
        .iter()
        .filter(fails)
        .map(|entry| &entry.spec)
        .collect();
    for step in plan
        .mounts
        .iter()
        .filter(|step| !step.images.iter().any(|spec| failed.contains(spec)))
    {
        println!(
            "would mount {} on {}",
            step.entry.source,
            step.entry.target.display()
        );
    }
    report
}

/// A file that was named on the command line, where relative means to the current folder.
fn from_here(path: impl AsRef<Path>) -> String {
    let path = path.as_ref();
    std::path::absolute(path)
        .unwrap_or_else(|_| path.to_owned())
        .display()
        .to_string()
}

impl ByHand {
    fn is_given(&self) -> bool {
        let words = [
            &self.monitor,
            &self.id,
            &self.name,
            &self.keyring,
            &self.cluster,
        ];
        let files = [&self.keyfile, &self.conf];
        words.iter().any(|word| word.is_some())
            || files.iter().any(|file| file.is_some())
            || !self.options.is_empty()
            || self.read_only
            || self.exclusive
    }

    /// The same as a line of the table would say. `--read-only` and `--exclusive` win over `-o`, as for `rbd`.
    fn entry_options(&self) -> Result<EntryOptions> {
        let mut options = EntryOptions {
            user: self.id.clone(),
            keyring: self.keyring.as_deref().map(|list| {
                if list.contains([',', ';']) {
                    list.to_owned()
                } else {
                    from_here(list)
                }
            }),
            keyfile: self.keyfile.as_ref().map(|path| from_here(path).into()),
            conf: self.conf.as_ref().map(from_here),
            cluster: self.cluster.clone(),
            mon_host: self.monitor.clone(),
            ..EntryOptions::default()
        };
        if let Some(name) = &self.name {
            options.user = Some(client_id(name)?);
        }
        self.options
            .iter()
            .try_for_each(|list| options.map.add(list))?;
        let flags = [("ro", self.read_only), ("exclusive", self.exclusive)];
        flags
            .iter()
            .filter(|(_, given)| *given)
            .try_for_each(|(flag, _)| options.map.add(flag))?;
        Ok(options)
    }
}
