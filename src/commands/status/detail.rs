//! Everything there is to say of one image: what the kernel has of it, who uses it, and what its unit said last.

use std::fmt::Write;

use super::print::readable;
use super::state::{MappedBy, StatusRow};
use super::{LOOK_LIMIT, MachineState};
use crate::model::image_spec::features;
use crate::runtime::root::Root;
use crate::sys::journal::Journal;
use crate::sys::rbd::bus;

/// The block of lines of one image.
pub fn of(root: &Root, row: &StatusRow, seen: &MachineState<'_>) -> String {
    let remark = row
        .state
        .remark()
        .map(|remark| format!(": {remark}"))
        .unwrap_or_default();
    let mut text = format!("{}: {}{remark}\n", row.spec, row.state.word());
    let mut say = |name: &str, value: Option<String>| {
        if let Some(value) = value.filter(|value| !value.is_empty()) {
            // Writing to a String cannot fail.
            let _ = writeln!(text, "  {name:<11} {value}");
        }
    };
    let size = row.size.map(readable).unwrap_or_default();
    let mode = if row.read_only == Some(true) {
        "read-only"
    } else {
        "read-write"
    };
    say(
        "device",
        row.device
            .as_ref()
            .map(|device| format!("{device} ({size}, {mode})")),
    );
    say(
        "mounted on",
        Some(
            row.mounts
                .iter()
                .map(|target| target.display().to_string())
                .collect::<Vec<_>>()
                .join(", "),
        ),
    );
    say(
        "unit",
        row.unit
            .as_ref()
            .map(|(name, active)| format!("{name} ({active})")),
    );
    say(
        "mapped by",
        row.origin.map(|origin| by_whom(origin).to_owned()),
    );
    if let Some(number) = row.number {
        let attribute = |name: &str| bus::attribute(root, number, name);
        let line = attribute("config_info").unwrap_or_default();
        say("cluster", attribute("cluster_fsid"));
        say(
            "monitors",
            line.split_whitespace().next().map(str::to_owned),
        );
        say(
            "options",
            line.split_whitespace().nth(1).map(without_secrets),
        );
        let address = attribute("client_addr")
            .map(|address| format!(" ({address})"))
            .unwrap_or_default();
        say(
            "client",
            attribute("client_id").map(|client| client + &address),
        );
        say(
            "features",
            attribute("features").and_then(|mask| features(&mask)),
        );
        say("parent", attribute("parent").map(|parents| chain(&parents)));
        for user in users(row) {
            say("used by", Some(user));
        }
    }
    for line in row
        .unit
        .as_ref()
        .map(|(unit, _)| last_lines(root, unit, seen))
        .unwrap_or_default()
    {
        say("journal", Some(line));
    }
    text
}

fn by_whom(origin: MappedBy) -> &'static str {
    match origin {
        MappedBy::Table => "the table, through rbdmap",
        MappedBy::Hand => "hand, with rbdmap",
        MappedBy::Other => "another program",
        MappedBy::Hidden => "whom, only root can see; options and monitors neither",
    }
}

/// The options of a mapping; one that another program made may have its secret there.
fn without_secrets(options: &str) -> String {
    let shown = options
        .split(',')
        .filter(|option| !option.starts_with("key=") && !option.starts_with("secret="));
    shown.collect::<Vec<_>>().join(",")
}

/// The parents of a clone, the nearest first, from the attribute `parent`: blocks of lines `NAME VALUE`, an empty line between
/// them (linux `Documentation/ABI/testing/sysfs-bus-rbd`).
fn chain(parents: &str) -> String {
    let block = |block: &str| -> Option<String> {
        let value = |name: &str| {
            let line = block
                .lines()
                .find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
            line.map(str::trim).filter(|value| !value.is_empty())
        };
        let namespace = value("pool_ns")
            .map(|namespace| format!("{namespace}/"))
            .unwrap_or_default();
        Some(format!(
            "{}/{namespace}{}@{}",
            value("pool_name")?,
            value("image_name")?,
            value("snap_name")?
        ))
    };
    parents
        .split("\n\n")
        .filter_map(block)
        .collect::<Vec<_>>()
        .join(" <- ")
}

/// A line for each, as in the sentence of who cannot unmap it; none where nobody uses it.
fn users(row: &StatusRow) -> Vec<String> {
    let late = || vec!["whom could not be found out in time".to_owned()];
    row.holders.as_ref().map_or_else(late, |holders| {
        holders.iter().map(ToString::to_string).collect()
    })
}

/// What the unit said last.
fn last_lines(root: &Root, unit: &str, seen: &MachineState<'_>) -> Vec<String> {
    if seen.manager.is_none() {
        Vec::new()
    } else {
        Journal::new(root, LOOK_LIMIT).lines(unit)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_not_shown() {
        assert_eq!(
            without_secrets("name=boot,secret=AQ==,queue_depth=8,key=client.boot"),
            "name=boot,queue_depth=8"
        );
    }

    #[test]
    fn the_chain_of_parents_is_told_from_the_nearest_on() {
        let one = |pool: &str, namespace: &str, image: &str| {
            format!(
                "pool_id 2\npool_name {pool}\npool_ns {namespace}\nimage_id 10\nimage_name {image}\nsnap_id 4\nsnap_name s\noverlap 8\n"
            )
        };
        let text = format!(
            "{}\n{}",
            one("rbd", "", "base"),
            one("gold", "space", "root")
        );
        assert_eq!(chain(&text), "rbd/base@s <- gold/space/root@s");
        assert_eq!(chain("(no parent image)"), "");
    }
}
