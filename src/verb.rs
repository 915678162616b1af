//! From what was typed to an engine: reads the files, plans, and lets systemd or this process carry the plan out.

use std::fs;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail};
use nix::sys::stat::{major, minor};

use crate::cli::{Cli, Engine, Format, MapArguments, UnmapArguments, Verb};
use crate::config::fault::Fault;
use crate::config::fstab::{self, FstabEntry};
use crate::config::table::{self, Entry};
use crate::generator::{self, Directories};
use crate::image::ImageSpec;
use crate::plan::{self, Target};
use crate::report::Report;
use crate::root::Root;
use crate::sys::file::read_if_there;
use crate::sys::rbd;
use crate::{by_systemd, direct, list, logging, summary};

/// How long one image may take to map where nobody says: less than the 90 s after which systemd would end us.
const MAP_LIMIT: Duration = Duration::from_secs(80);
/// How long taking down may take where nobody says: less than the 60 s after which systemd would end us.
const UNMAP_LIMIT: Duration = Duration::from_secs(50);

/// Does what was asked; the answer is the exit status.
pub fn run(cli: Cli) -> ExitCode {
    let root = Root::new(cli.root);
    if let Verb::Generator { normal, early, .. } = cli.verb {
        return generator::run(&root, &Directories { normal, early });
    }
    logging::start();
    let report = match cli.verb {
        Verb::Map(arguments) => map(&root, &arguments),
        Verb::Unmap(arguments) => unmap(&root, &arguments),
        Verb::List { format } => show(&root, format),
        Verb::Summary | Verb::Generator { .. } => summarize(&root),
    };
    match report {
        Ok(report) => report.exit_code(),
        Err(error) => {
            tracing::error!("{error:#}");
            ExitCode::FAILURE
        }
    }
}

fn map(root: &Root, arguments: &MapArguments) -> Result<Report> {
    let named = specs(&arguments.specs)?;
    let (table, faults) = read_table(root)?;
    let lines = if arguments.no_mount { Vec::new() } else { read_fstab(root)? };
    let plan = plan::map(&table, &lines, &named);
    let limit = arguments.engine.timeout.unwrap_or(MAP_LIMIT);
    let mut report = if asks_systemd(root, &arguments.engine) && !plan.images.is_empty() {
        by_systemd::map(root, &plan, limit)?
    } else {
        direct::map(root, &plan, limit)
    };
    for spec in &plan.unknown {
        report.image_failed(spec, format!("not in {}; add a line such as `{spec} id=USER`", root.table().display()));
    }
    // A line that cannot be read fails a run over the whole table, not one that names other images.
    if named.is_empty() {
        faults.iter().for_each(|fault| report.failed(fault));
    }
    Ok(report)
}

fn unmap(root: &Root, arguments: &UnmapArguments) -> Result<Report> {
    let targets: Vec<Target> = arguments.targets.iter().map(|text| target(root, text)).collect::<Result<_>>()?;
    let mapped = rbd::list(root)?;
    let mut plan = plan::unmap(&mapped, &targets);
    if arguments.left_over {
        plan.mappings = mapped.into_iter().filter(|mapping| mapping.tag.is_some()).collect();
    }
    let limit = arguments.engine.timeout.unwrap_or(UNMAP_LIMIT);
    let mut report = if asks_systemd(root, &arguments.engine) {
        let table = if targets.is_empty() { read_table(root)?.0 } else { Vec::new() };
        by_systemd::unmap(root, &plan, &table, limit)?
    } else {
        direct::unmap(root, &plan.mappings, limit)
    };
    if !arguments.if_ours {
        for mapping in &plan.foreign {
            let device = mapping.name();
            report.image_failed(
                &mapping.spec,
                format!("left alone: another program mapped it; `rbdmap unmap /dev/{device}` unmaps it all the same"),
            );
        }
        for absent in &plan.absent {
            tracing::info!("{absent}: not mapped");
        }
    }
    Ok(report)
}

fn show(root: &Root, format: Format) -> Result<Report> {
    print!("{}", list::render(&rbd::list(root)?, format));
    Ok(Report::default())
}

fn summarize(root: &Root) -> Result<Report> {
    summary::run(root, &read_table(root)?.0);
    Ok(Report::default())
}

/// systemd is asked where it runs, unless this is to be done here. A folder that stands for / has no systemd.
fn asks_systemd(root: &Root, engine: &Engine) -> bool {
    !engine.direct && root.systemd().exists()
}

/// The table's good lines and the faults of the others. No table is no lines.
fn read_table(root: &Root) -> Result<(Vec<Entry>, Vec<Fault>)> {
    let path = root.table();
    Ok(table::parse(&path, &read_if_there(&path)?.unwrap_or_default()))
}

fn read_fstab(root: &Root) -> Result<Vec<FstabEntry>> {
    let (lines, faults) = fstab::read(root)?;
    faults.iter().for_each(|fault| tracing::warn!("{fault}"));
    Ok(lines)
}

fn specs(texts: &[String]) -> Result<Vec<ImageSpec>> {
    texts.iter().map(|text| text.parse().map_err(|error| anyhow!("{error}"))).collect()
}

/// An argument that starts with `/dev/` is a device or a link to one, as for `rbd unmap`; all else is an image.
fn target(root: &Root, text: &str) -> Result<Target> {
    match text.strip_prefix("/dev/") {
        Some(name) => device(root, &root.dev(name)).map(Target::Device).with_context(|| text.to_owned()),
        None => text.parse().map(Target::Image).map_err(|error| anyhow!("{error}")),
    }
}

/// The number of the mapping behind a device node or link; that of the disk for a partition.
fn device(root: &Root, path: &Path) -> Result<u32> {
    let metadata = fs::metadata(path)?;
    if !metadata.file_type().is_block_device() {
        bail!("not a block device");
    }
    let number = (u32::try_from(major(metadata.rdev()))?, u32::try_from(minor(metadata.rdev()))?);
    let found = rbd::list(root)?.into_iter().find(|mapping| rbd::block_numbers(root, mapping).contains(&number));
    found.map(|mapping| mapping.id).context("not an rbd device")
}
