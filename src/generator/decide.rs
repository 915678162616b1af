//! What to write and what to say, as a pure function of the table, fstab and the administrator's units.
//!
//! Owns which fstab entry belongs to which image and what becomes of entries that are not served: they are not
//! touched at all, nor are their devices, and a message says why. What is written is `instance`'s and `mount`'s.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::administrator::AdministratorUnits;
use super::file::GeneratedFile;
use super::kernel_log::Message;
use super::row::Row;
use super::{TABLE, instance, mount};
use crate::config::fstab::FstabEntry;
use crate::config::table::Entry;
use crate::unit;

/// All that is known.
pub struct Inputs<'a> {
    /// The table's good lines.
    pub entries: &'a [Entry],
    /// fstab's good lines, their mount points resolved.
    pub fstab: &'a [FstabEntry],
    /// What must not be overridden.
    pub administrator: &'a AdministratorUnits,
}

/// All that is to be done.
#[derive(Debug, Default)]
pub struct Decision {
    /// What to write, each path once.
    pub files: Vec<GeneratedFile>,
    /// What to say.
    pub messages: Vec<Message>,
}

/// An fstab entry on an image of the table.
struct Line<'a> {
    image: &'a Entry,
    entry: &'a FstabEntry,
    /// How it is served, or why not.
    row: Result<Row, String>,
}

/// Decides.
pub fn decide(inputs: &Inputs) -> Decision {
    let (images, mut messages) = images(inputs);
    let lines = lines(inputs, &images);
    let mut files = Vec::new();
    for line in &lines {
        match &line.row {
            Ok(row) if !inputs.administrator.has(&unit::mount(&line.entry.target)) => {
                files.extend(mount::files(line.entry, &line.image.spec, *row));
                messages.extend((*row == Row::NoAuto).then(|| Message::notice(line.say(LACKS_NETDEV))));
            }
            Ok(_) => {}
            Err(reason) => messages.push(Message::warning(line.say(&format!("left to systemd as it is: {reason}")))),
        }
    }
    for image in images {
        files.extend(image_files(image, &lines, inputs.administrator));
    }
    files.sort_by(|a, b| (a.folder, &a.path).cmp(&(b.folder, &b.path)));
    files.dedup_by(|a, b| (a.folder, &a.path) == (b.folder, &b.path));
    Decision { files, messages }
}

const LACKS_NETDEV: &str = "taken as if it had _netdev, without which systemd would unmount it after the network; \
    add _netdev";

/// The images to serve, each once. One whose unit is masked is not to be mapped, so it is none of ours.
fn images<'a>(inputs: &Inputs<'a>) -> (Vec<&'a Entry>, Vec<Message>) {
    let (mut images, mut messages) = (Vec::<&Entry>::new(), Vec::new());
    for entry in inputs.entries {
        if let Some(first) = images.iter().find(|image| image.spec == entry.spec) {
            let (spec, line, first) = (&entry.spec, entry.line, first.line);
            messages.push(Message::warning(format!("{TABLE}:{line}: {spec} is in line {first} already, which counts")));
        } else if !inputs.administrator.masks(&unit::instance(&entry.spec)) {
            images.push(entry);
        }
    }
    (images, messages)
}

fn lines<'a>(inputs: &Inputs<'a>, images: &[&'a Entry]) -> Vec<Line<'a>> {
    let mut targets = BTreeSet::new();
    let mut lines = Vec::new();
    for entry in inputs.fstab {
        // Of two lines for one mount point systemd takes the first, whatever stands on it.
        let is_first = entry.fstype == "swap" || targets.insert(&entry.target);
        let second = || Err("a line above has the same mount point; remove one of them".to_owned());
        if let Some(image) = image_below(entry, images) {
            let row = if is_first { Row::of(entry) } else { second() };
            lines.push(Line { image, entry, row });
        }
    }
    lines
}

/// The image that an entry stands on: the one of that name before the one with such a partition, for an image may be
/// called `x-part1`.
fn image_below<'a>(entry: &FstabEntry, images: &[&'a Entry]) -> Option<&'a Entry> {
    let named = |image: &&&Entry| instance::device(&image.spec) == Path::new(&entry.source);
    images.iter().find(named).or_else(|| images.iter().find(|image| entry.stands_on(&image.spec))).copied()
}

/// What is written for an image, given all lines.
fn image_files(image: &Entry, lines: &[Line], administrator: &AdministratorUnits) -> Vec<GeneratedFile> {
    let on_it: Vec<&Line> = lines.iter().filter(|line| line.image.spec == image.spec).collect();
    let mut devices = BTreeSet::from([instance::device(&image.spec)]);
    devices.extend(on_it.iter().map(|line| PathBuf::from(&line.entry.source)));
    for line in on_it.iter().filter(|line| line.row.is_err()) {
        devices.remove(&PathBuf::from(&line.entry.source));
    }
    let mut files = instance::device_files(&image.spec, &devices);
    files.push(GeneratedFile::hook("rbdmap.service.wants", &unit::instance(&image.spec)));
    if !administrator.has(&unit::instance(&image.spec)) {
        let targets: Vec<_> = on_it.iter().map(|line| line.entry.target.as_path()).collect();
        files.push(instance::drop_in(image, &targets));
    }
    files
}

impl Line<'_> {
    fn say(&self, text: &str) -> String {
        format!("/etc/fstab: {} on RBD image {}: {text}", self.entry.target.display(), self.image.spec)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::table;

    fn line(source: &str, target: &str) -> FstabEntry {
        let options = vec!["noauto".to_owned(), "_netdev".to_owned()];
        FstabEntry { source: source.into(), target: target.into(), fstype: "xfs".into(), options, pass: 0 }
    }

    fn paths(table: &str, fstab: &[FstabEntry]) -> (Vec<String>, usize) {
        let entries = table::parse(Path::new(TABLE), table).0;
        let decision = decide(&Inputs { entries: &entries, fstab, administrator: &AdministratorUnits::default() });
        (decision.files.into_iter().map(|file| file.path).collect(), decision.messages.len())
    }

    #[test]
    fn an_image_called_like_a_partition_is_an_image() {
        let (paths, _) = paths("rbd/x\nrbd/x-part1\n", &[line("/dev/rbd/rbd/x-part1", "/a")]);
        assert!(paths.contains(&r"dev-rbd-rbd-x\x2dpart1.device.requires/rbdmap@rbd-x\x2dpart1.service".to_owned()));
        assert!(!paths.contains(&r"dev-rbd-rbd-x\x2dpart1.device.requires/rbdmap@rbd-x.service".to_owned()));
    }

    #[test]
    fn the_first_line_of_a_mount_point_counts_even_if_it_is_not_on_an_image() {
        let (paths, messages) = paths("rbd/x\n", &[line("/dev/sda1", "/a"), line("/dev/rbd/rbd/x", "/a")]);
        assert!(!paths.iter().any(|path| path.contains("a.mount")), "{paths:?}");
        assert_eq!(messages, 1);
    }

    #[test]
    fn an_image_that_is_in_the_table_twice_is_served_once() {
        let (paths, messages) = paths("rbd/x\nrbd/x\n", &[]);
        assert_eq!(paths.iter().filter(|path| path.ends_with("rbdmap@rbd-x.service")).count(), 2, "{paths:?}");
        assert_eq!(messages, 1);
    }
}
