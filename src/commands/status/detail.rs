//! Everything about one image: what the kernel has, what uses it, and the last lines of its unit in the journal.

use std::fmt::Write;

use super::machine_state::{HOLDER_SEARCH_TIMEOUT, MachineState};
use super::row::StatusRow;
use super::size;
use super::state::MappedBy;
use crate::model::image_features;
use crate::runtime::root::Root;
use crate::sys::rbd::bus;

/// The lines of one image.
pub fn render(root: &Root, row: &StatusRow, machine: &MachineState<'_>) -> String {
    let mut block = DetailBlock::new(row);
    add_row(&mut block, row);
    if let Some(id) = row.number {
        add_kernel_attributes(&mut block, root, id);
        for user in users(row) {
            block.add("used by", user);
        }
    }
    if let Some(unit) = &row.unit {
        for line in machine.journal_lines(root, &unit.name) {
            block.add("journal", line);
        }
    }
    block.text
}

/// A headline, and below it lines with a name and a value.
struct DetailBlock {
    text: String,
}

impl DetailBlock {
    fn new(row: &StatusRow) -> Self {
        let mut text = format!("{}: {}", row.spec, row.state.word());
        if let Some(remark) = row.state.remark() {
            text += &format!(": {remark}");
        }
        Self { text: text + "\n" }
    }

    /// Adds a line, unless the value is empty.
    fn add(&mut self, name: &str, value: impl AsRef<str>) {
        let value = value.as_ref();
        if !value.is_empty() {
            // Writing to a String cannot fail.
            let _ = writeln!(self.text, "  {name:<11} {value}");
        }
    }

    /// Adds a line if there is a value.
    fn add_some(&mut self, name: &str, value: Option<impl AsRef<str>>) {
        if let Some(value) = value {
            self.add(name, value);
        }
    }
}

fn add_row(block: &mut DetailBlock, row: &StatusRow) {
    if let Some(device) = &row.device {
        let size = row.size.map(size::readable).unwrap_or_default();
        let mode = if row.read_only == Some(true) {
            "read-only"
        } else {
            "read-write"
        };
        block.add("device", format!("{device} ({size}, {mode})"));
    }
    block.add("mounted on", row.mounts_as_text().join(", "));
    if let Some(unit) = &row.unit {
        block.add("unit", format!("{} ({})", unit.name, unit.active));
    }
    block.add_some("mapped by", row.origin.map(mapped_by));
}

/// What sysfs has of the mapping (linux `Documentation/ABI/testing/sysfs-bus-rbd`).
fn add_kernel_attributes(block: &mut DetailBlock, root: &Root, id: u32) {
    block.add_some("cluster", bus::attribute(root, id, "cluster_fsid"));
    // The line that was written to the bus: MONITORS OPTIONS POOL IMAGE SNAPSHOT.
    let config_info = bus::attribute(root, id, "config_info").unwrap_or_default();
    let mut words = config_info.split_whitespace();
    block.add_some("monitors", words.next());
    block.add_some("options", words.next().map(without_secrets));
    if let Some(client) = bus::attribute(root, id, "client_id") {
        let address = bus::attribute(root, id, "client_addr")
            .map(|address| format!(" ({address})"))
            .unwrap_or_default();
        block.add("client", client + &address);
    }
    let mask = bus::attribute(root, id, "features");
    block.add_some(
        "features",
        mask.and_then(|mask| image_features::names(&mask)),
    );
    let parents = bus::attribute(root, id, "parent");
    block.add_some("parent", parents.map(|text| parent_chain(&text)));
}

fn mapped_by(origin: MappedBy) -> &'static str {
    match origin {
        MappedBy::Table => "rbdmap, from the table",
        MappedBy::Hand => "rbdmap, by hand",
        MappedBy::Other => "another program",
        MappedBy::Hidden => "hidden; run as root to see this, the options and the monitors",
    }
}

/// The options of a mapping that may be shown.
fn without_secrets(options: &str) -> String {
    // rbdmap passes the name of a key in the kernel's keyring. Another program may have passed the secret itself.
    let shown = options
        .split(',')
        .filter(|option| !option.starts_with("key=") && !option.starts_with("secret="));
    shown.collect::<Vec<_>>().join(",")
}

/// The parents of a clone, the nearest one first. The attribute `parent` has a block for each, with an empty line between
/// two blocks.
fn parent_chain(attribute: &str) -> String {
    let parents = attribute.split("\n\n").filter_map(parent);
    parents.collect::<Vec<_>>().join(" <- ")
}

/// The name of one parent, from lines of the form `NAME VALUE`.
fn parent(block: &str) -> Option<String> {
    let pool = value(block, "pool_name")?;
    let image = value(block, "image_name")?;
    let snapshot = value(block, "snap_name")?;
    match value(block, "pool_ns") {
        Some(namespace) => Some(format!("{pool}/{namespace}/{image}@{snapshot}")),
        None => Some(format!("{pool}/{image}@{snapshot}")),
    }
}

fn value<'a>(block: &'a str, name: &str) -> Option<&'a str> {
    let line = block
        .lines()
        .find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    line.map(str::trim).filter(|value| !value.is_empty())
}

/// One line for each user.
fn users(row: &StatusRow) -> Vec<String> {
    match &row.holders {
        Some(holders) => holders.iter().map(ToString::to_string).collect(),
        None => vec![format!(
            "unknown; the search took longer than {} s",
            HOLDER_SEARCH_TIMEOUT.as_secs()
        )],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_not_shown() {
        assert_eq!(
            without_secrets("name=boot,secret=AQ==,queue_depth=8,key=client.boot"),
            "name=boot,queue_depth=8"
        );
    }

    fn parent_block(pool: &str, namespace: &str, image: &str) -> String {
        format!(
            "pool_id 2\npool_name {pool}\npool_ns {namespace}\nimage_id 10\nimage_name {image}\nsnap_id 4\nsnap_name s\noverlap 8\n"
        )
    }

    #[test]
    fn the_chain_of_parents_begins_with_the_nearest() {
        let text = parent_block("rbd", "", "base") + "\n" + &parent_block("gold", "space", "root");
        assert_eq!(parent_chain(&text), "rbd/base@s <- gold/space/root@s");
        assert_eq!(parent_chain("(no parent image)"), "");
    }
}
