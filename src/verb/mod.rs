//! From what was typed to an engine: each verb reads, plans, and has systemd or this process carry the plan out.

mod map;
mod unmap;

use std::env;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Result, anyhow};

use crate::cli::{Cli, Engine, Format, Verb};
use crate::config::environment::Environment;
use crate::config::fault::Fault;
use crate::config::fstab::{self, FstabEntry};
use crate::config::table::{self, Entry};
use crate::generator::{self, Directories};
use crate::report::Report;
use crate::root::Root;
use crate::sys::file::read_if_there;
use crate::sys::rbd;
use crate::{list, logging, summary};

/// Does what was asked; the answer is the exit status.
pub fn run(cli: Cli) -> ExitCode {
    let root = Root::new(cli.root);
    if let Verb::Generator { normal, early, .. } = cli.verb {
        return generator::run(&root, &Directories { normal, early });
    }
    logging::start();
    let report = match cli.verb {
        Verb::Map(arguments) => map::run(&root, &arguments),
        Verb::Unmap(arguments) => unmap::run(&root, &arguments),
        Verb::UnmapAll(engine) => unmap::all(&root, &engine),
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

fn show(root: &Root, format: Format) -> Result<Report> {
    print!("{}", list::render(&rbd::list(root)?, format));
    Ok(Report::default())
}

fn summarize(root: &Root) -> Result<Report> {
    summary::run(root, &read_table(root)?.0);
    Ok(Report::default())
}

/// systemd is asked where it runs, unless this is to be done here. A table of one's own is not what its units were
/// made from.
fn asks_systemd(root: &Root, engine: &Engine) -> bool {
    !engine.direct && root.systemd().exists() && table_path(root) == root.table()
}

/// The table: `$RBDMAPFILE`, as for the script, or /etc/ceph/rbdmap.
fn table_path(root: &Root) -> PathBuf {
    env::var_os("RBDMAPFILE").filter(|path| !path.is_empty()).map_or_else(|| root.table(), |path| root.join(path))
}

/// The table's good lines, completed by the environment, and the faults of the others. No table is no lines.
fn read_table(root: &Root) -> Result<(Vec<Entry>, Vec<Fault>)> {
    let path = table_path(root);
    let (mut entries, faults) = table::parse(&path, &read_if_there(&path)?.unwrap_or_default());
    let environment = Environment::of_process();
    for entry in &mut entries {
        if entry.options.key.is_some() {
            tracing::warn!("{}", Fault::new(&path, (entry.line, 0), KEY_IN_TABLE));
        }
        environment.complete(&mut entry.options).map_err(|error| anyhow!(error))?;
    }
    Ok((entries, faults))
}

const KEY_IN_TABLE: &str = "key= puts the secret where anybody may read it; write it into a file of mode 0600 and say \
    keyfile=FILE";

fn read_fstab(root: &Root) -> Result<Vec<FstabEntry>> {
    let (lines, faults) = fstab::read(root)?;
    faults.iter().for_each(|fault| tracing::warn!("{fault}"));
    Ok(lines)
}
