//! `rbdmap status`: compares what the configuration lists with what the kernel and systemd have, one row for each image, with
//! the reason where they differ.
//!
//! Files, bus, mounts and units are read once, the units with a single request to systemd. Only a unit that failed or is
//! starting is asked for its reason.

mod detail; // everything about one image
mod holder_json; // a user of an image, as JSON
mod json; // rows as JSON
mod layout; // terminal or pipe
mod machine_state; // reads what the kernel and systemd have
mod row; // one image
mod size; // bytes for people
mod state; // decides the state of an image
mod table; // rows as text

#[cfg(test)]
mod fixtures;

use anyhow::Result;

use crate::cli::StatusArguments;
use crate::config::load::Configuration;
use crate::report::failures::Report;
use crate::runtime::root::Root;
use layout::Layout;
use machine_state::MachineState;
use row::StatusRow;

/// Prints the status. Each row with a problem counts as a failure.
pub fn run(root: &Root, arguments: &StatusArguments) -> Result<Report> {
    let config = Configuration::read(root);
    let mut report = Report::default();
    for fault in config.faults.iter().filter(|fault| !fault.is_served) {
        report.failed(fault);
    }
    let machine = MachineState::read(root, &config)?;
    let mut rows = row::rows(&machine);
    if !arguments.specs.is_empty() {
        select(&mut rows, &arguments.specs, &mut report);
        // Only for images that were named: the search for users reads all of /proc for each image.
        for row in &mut rows {
            row.holders = row.number.and_then(|id| machine.holders(root, id));
        }
    }
    rows.sort_by_key(|row| {
        (
            !row.state.is_problem(),
            row.spec.to_string(),
            row.device.clone(),
        )
    });
    let problems = rows.iter().filter(|row| row.state.is_problem()).count();
    print!("{}", render(root, arguments, &rows, &machine)?);
    report.add_failures(problems);
    Ok(report)
}

/// Keeps the rows of these images, and reports those that have none.
fn select(rows: &mut Vec<StatusRow>, specs: &[String], report: &mut Report) {
    for spec in specs {
        if !rows.iter().any(|row| row.spec.to_string() == *spec) {
            report.failed(format!("{spec}: neither listed nor mapped"));
        }
    }
    rows.retain(|row| specs.contains(&row.spec.to_string()));
}

fn render(
    root: &Root,
    arguments: &StatusArguments,
    rows: &[StatusRow],
    machine: &MachineState<'_>,
) -> Result<String> {
    if arguments.json {
        Ok(json::render(rows)? + "\n")
    } else if arguments.specs.is_empty() {
        Ok(table::render(rows, Layout::from_stdout()))
    } else {
        let blocks = rows.iter().map(|row| detail::render(root, row, machine));
        Ok(blocks.collect())
    }
}
