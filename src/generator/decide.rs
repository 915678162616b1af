//! What to write and what to say, as a pure function of images, fstab and the administrator's units.
//!
//! The entries are those that stand on images, by themselves or through one another (`plan::closure`): an overlay or a bind
//! on a mount of ours that were left ordered as local would close a circle with the network, and systemd would delete a
//! job of it. Owns what becomes of entries that are not served: they are not touched at all, nor are their devices, and a
//! message says why. What is written is `instance`'s, `mount`'s and `swap`'s.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::path::{Path, PathBuf};

use super::administrator::AdministratorUnits;
use super::file::GeneratedFile;
use super::instance::{self, Instance};
use super::kernel_log::Message;
use super::mount::Line;
use super::row::{Made, Row, lost_options};
use super::swap;
use crate::config::fstab::{FstabEntry, Images};
use crate::config::table::Entry;
use crate::image::ImageSpec;
use crate::plan::closure;
use crate::root::Root;
use crate::unit::{self, escape_specifiers};

/// All that is known.
pub struct Inputs<'a> {
    /// The images, of the table and of the settings.
    pub entries: &'a [Entry],
    /// Other images that are in fstab. Nobody is told to map them; their mounts are ordered as the others'.
    pub unlisted: &'a [ImageSpec],
    /// The entries of fstab and of the settings, their mount points resolved.
    pub lines: &'a [FstabEntry],
    /// Images that have a hook.
    pub hooked: &'a HashSet<ImageSpec>,
    /// What must not be overridden.
    pub administrator: &'a AdministratorUnits,
    /// For the names of files.
    pub root: &'a Root,
}

/// All that is to be done.
#[derive(Debug, Default)]
pub struct Decision {
    /// What to write, each path once.
    pub files: Vec<GeneratedFile>,
    /// What to say.
    pub messages: Vec<Message>,
}

const LACKS_NETDEV: &str = "taken as if it had _netdev, without which systemd would unmount it after the network; \
    add _netdev";
const NEEDED_BY_BOOT: &str = "taken as if it had _netdev, without which a boot that does not find the image ends in the \
    emergency shell; add _netdev";

/// Of more entries of a file there is one message: the kernel's log is small.
const TOLD_APART: usize = 3;

/// Decides.
pub fn decide(inputs: &Inputs) -> Decision {
    let mut work = Work {
        inputs,
        decision: Decision::default(),
        service: Service::default(),
        instances: Vec::new(),
        lacking: Vec::new(),
    };
    let images = work.images();
    let listed = images.iter().map(|image| &image.spec);
    let specs: Vec<&ImageSpec> = listed.chain(inputs.unlisted).collect();
    let mounts = work.mounts(&specs);
    work.swaps(&specs, &mounts);
    let mut on_it: HashMap<&ImageSpec, Vec<&Mount>> = HashMap::new();
    for mount in &mounts {
        mount.images.iter().for_each(|spec| on_it.entry(spec).or_default().push(mount));
    }
    for image in images {
        work.image(image, on_it.get(&image.spec).map_or(&[], Vec::as_slice));
    }
    work.instances();
    work.tell_lacking();
    let mut decision = work.decision;
    decision.files.extend(work.service.drop_in());
    decision.files.sort_by(|a, b| (a.folder, &a.path).cmp(&(b.folder, &b.path)));
    decision.files.dedup_by(|a, b| (a.folder, &a.path) == (b.folder, &b.path));
    decision
}

/// An entry that stands on images.
struct Mount<'a> {
    entry: &'a FstabEntry,
    /// The image that is its source, if one is.
    own: Option<&'a ImageSpec>,
    /// Every image that it needs.
    images: Vec<&'a ImageSpec>,
    /// How it is served; nothing where it is left alone.
    row: Option<Row>,
}

struct Work<'a> {
    inputs: &'a Inputs<'a>,
    decision: Decision,
    service: Service,
    /// The drop-ins of the images' units, by the units' names; nothing for the administrator's own units.
    instances: Vec<(String, Option<String>)>,
    /// Entries that lack nothing but `_netdev`, with an image of each.
    lacking: Vec<(&'a FstabEntry, &'a ImageSpec)>,
}

/// What rbdmap.service is told: in one file, for systemd takes as long to read a link as it does to read a file.
#[derive(Debug, Default)]
struct Service {
    wants: BTreeSet<String>,
    after: BTreeSet<String>,
}

impl Service {
    fn drop_in(&self) -> Option<GeneratedFile> {
        let mut text = "[Unit]\n".to_owned();
        for (name, units) in [("Wants", &self.wants), ("After", &self.after)] {
            units.iter().for_each(|unit| text.extend([name, "=", unit, "\n"]));
        }
        // A percent sign is in nothing but the units' names.
        let text = escape_specifiers(&text);
        (!self.wants.is_empty()).then(|| GeneratedFile::drop_in("rbdmap.service", &text))
    }
}

impl<'a> Work<'a> {
    fn warn(&mut self, text: String) {
        self.decision.messages.push(Message::warning(text));
    }

    fn outside(&self, path: &Path) -> PathBuf {
        self.inputs.root.outside(path)
    }

    /// The images to serve, each once. One whose unit is masked is not to be mapped, so it is none of ours.
    fn images(&mut self) -> Vec<&'a Entry> {
        let mut first: HashMap<&ImageSpec, usize> = HashMap::new();
        let mut images = Vec::new();
        for entry in self.inputs.entries {
            if let Some(first) = first.get(&entry.spec) {
                let (spec, path, line) = (&entry.spec, self.outside(&entry.path), entry.line);
                self.warn(format!("{}:{line}: {spec} is in line {first} already, which counts", path.display()));
                continue;
            }
            first.insert(&entry.spec, entry.line);
            if !self.inputs.administrator.masks(&unit::instance(&entry.spec)) {
                images.push(entry);
            }
        }
        images
    }

    /// The entries on the images, with what is written and said of each.
    fn mounts(&mut self, specs: &[&'a ImageSpec]) -> Vec<Mount<'a>> {
        let closure = closure::of(self.inputs.lines, specs);
        let mut mounts = Vec::new();
        for step in closure.steps {
            let declared = step.entry.path != self.inputs.root.fstab();
            let row = match Row::of(step.entry, declared) {
                Ok(row) => Some(row),
                Err(reason) => {
                    self.leave(step.entry, step.images[0], &reason);
                    None
                }
            };
            mounts.push(Mount { entry: step.entry, own: step.own, images: step.images, row });
        }
        for line in closure.refused {
            // Of two lines for one mount point the second may be on no image.
            let Some(own) = line.own else { continue };
            self.leave(line.entry, own, &line.why);
            mounts.push(Mount { entry: line.entry, own: Some(own), images: vec![own], row: None });
        }
        for mount in &mounts {
            if let Some(row) = mount.row {
                self.mount(mount, row);
            }
        }
        mounts
    }

    fn is_listed(&self, image: &ImageSpec) -> bool {
        !self.inputs.unlisted.contains(image)
    }

    fn leave(&mut self, entry: &FstabEntry, image: &ImageSpec, reason: &str) {
        let fate = if entry.path == self.inputs.root.fstab() { "left to systemd as it is" } else { "not mounted" };
        let text = self.about(entry, image, &format!("{fate}: {reason}"));
        self.warn(text);
    }

    fn about(&self, entry: &FstabEntry, image: &ImageSpec, text: &str) -> String {
        let place = if entry.fstype == "swap" { entry.source.clone() } else { entry.target.display().to_string() };
        format!("{}: {place} on RBD image {image}: {text}", self.outside(&entry.path).display())
    }

    /// Says which entries lack `_netdev`; of many in one message.
    fn tell_lacking(&mut self) {
        let messages: Vec<Message> = match self.lacking.as_slice() {
            few if few.len() <= TOLD_APART => {
                few.iter().map(|(entry, image)| Message::notice(self.about(entry, image, LACKS_NETDEV))).collect()
            }
            many => {
                let named = many.iter().take(TOLD_APART).map(|(entry, _)| entry.target.display().to_string());
                let (path, named) = (self.outside(&many[0].0.path), named.collect::<Vec<_>>().join(", "));
                let more = many.len() - TOLD_APART;
                let about = format!("{}: {named} and {more} more on RBD images: ", path.display());
                vec![Message::notice(format!("{about}{LACKS_NETDEV}"))]
            }
        };
        self.decision.messages.extend(messages);
    }

    fn mount(&mut self, mount: &Mount<'a>, row: Row) {
        if self.inputs.administrator.has(&unit::mount(&mount.entry.target)) {
            return;
        }
        let instance = mount.own.filter(|own| self.is_listed(own)).map(unit::instance);
        let path = self.outside(&mount.entry.path);
        let is_ours = mount.images.iter().any(|image| self.is_listed(image));
        let line = Line { entry: mount.entry, path: &path, row, instance: instance.as_deref(), is_ours };
        self.decision.files.extend(line.files());
        if is_ours {
            self.service.wants.insert(row.start_unit(&mount.entry.target));
        }
        if row.made != Made::Local {
            return;
        }
        let about = |text: &str| self.about(mount.entry, mount.images[0], text);
        let needed_by_boot = row.auto && !row.nofail && !row.automount;
        let mut messages = Vec::new();
        if needed_by_boot {
            messages.push(Message::warning(about(NEEDED_BY_BOOT)));
        }
        // A bind or an overlay is no device of the network; nobody writes _netdev there.
        let lacking = (!needed_by_boot && mount.own.is_some()).then_some((mount.entry, mount.images[0]));
        let lost = lost_options(mount.entry).into_iter();
        messages.extend(
            lost.map(|option| Message::warning(about(&format!("{option} is not served without _netdev; add _netdev")))),
        );
        self.decision.messages.extend(messages);
        self.lacking.extend(lacking);
    }

    /// Swap on the images, and in files on their mounts.
    fn swaps(&mut self, specs: &[&'a ImageSpec], mounts: &[Mount<'a>]) {
        let mut swaps = self.inputs.lines.iter().filter(|entry| entry.fstype == "swap").peekable();
        if swaps.peek().is_none() {
            return;
        }
        let images = Images::of(specs);
        let targets: Vec<&Path> = mounts.iter().map(|mount| mount.entry.target.as_path()).collect();
        for entry in swaps {
            let own = images.below(entry);
            let unit = format!("{}.swap", unit::escape_path(&entry.node()));
            if own.is_none() && !swap::lies_on(entry, &targets) || self.inputs.administrator.has(&unit) {
                continue;
            }
            match Row::of(entry, false) {
                Ok(row) => {
                    let own = own.filter(|own| self.is_listed(own));
                    let instance = own.map(unit::instance);
                    self.decision.files.extend(swap::files(entry, row, instance.as_deref()));
                    if row.auto {
                        self.service.wants.insert(unit);
                    }
                    if let Some(own) = own {
                        let devices = BTreeSet::from([entry.node()]);
                        self.decision.files.extend(instance::device_files(own, &devices));
                    }
                }
                Err(reason) => self.leave(entry, own.unwrap_or(specs[0]), &reason),
            }
        }
    }

    /// What is written for an image, given what stands on it.
    fn image(&mut self, image: &'a Entry, mounts: &[&Mount<'a>]) {
        let own: Vec<&&Mount> = mounts.iter().filter(|mount| mount.own == Some(&image.spec)).collect();
        let link = instance::device(&image.spec);
        let mut devices = BTreeSet::from([link]);
        devices.extend(own.iter().map(|mount| mount.entry.node()));
        for mount in own.iter().filter(|mount| mount.row.is_none()) {
            devices.remove(&mount.entry.node());
        }
        let rows: Vec<Row> = own.iter().filter_map(|mount| mount.row).collect();
        let nofail = image.nofail || (!rows.is_empty() && rows.iter().all(|row| row.nofail));
        let name = unit::instance(&image.spec);
        let files = &mut self.decision.files;
        files.extend(instance::device_files(&image.spec, &devices));
        self.service.wants.insert(name.clone());
        if !nofail {
            self.service.after.insert(name.clone());
        }
        let start_unit = |mount: &&Mount| Some(mount.row?.start_unit(&mount.entry.target));
        let mut starts: Vec<String> = mounts.iter().filter_map(start_unit).collect();
        if self.inputs.hooked.contains(&image.spec) {
            let hook = unit::hook(&image.spec);
            self.service.wants.insert(hook.clone());
            files.push(GeneratedFile::drop_in(&hook, &hook_drop_in(&starts, nofail)));
            starts.push(hook);
        }
        let targets: Vec<_> = own.iter().map(|mount| mount.entry.target.as_path()).collect();
        let path = self.outside(&image.path);
        let instance = Instance { image, path: &path, nofail };
        let drop_in = (!self.inputs.administrator.has(&name)).then(|| instance.drop_in(&targets, &starts));
        self.instances.push((name, drop_in));
    }

    /// What all images' units are told is told to their template, in one file for all.
    fn instances(&mut self) {
        let files = match self.instances.split_first() {
            Some(((_, Some(text)), rest)) if rest.iter().all(|(_, other)| other.as_ref() == Some(text)) => {
                vec![GeneratedFile::drop_in(unit::TEMPLATE, text)]
            }
            _ => {
                let told = self.instances.iter().filter_map(|(name, text)| Some((name, text.as_ref()?)));
                told.map(|(name, text)| GeneratedFile::drop_in(name, text)).collect()
            }
        };
        self.decision.files.extend(files);
    }
}

/// After the mounts, as far as there are any: a hook is called though one of them failed.
fn hook_drop_in(mounts: &[String], nofail: bool) -> String {
    let waits = if nofail { "" } else { "Before=rbdmap.service\n" };
    format!("[Unit]\n{waits}After={}\n", mounts.join(" "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::table;

    fn line(source: &str, target: &str) -> FstabEntry {
        let options = vec!["noauto".to_owned(), "_netdev".to_owned()];
        let (source, target, path) = (source.into(), target.into(), "/etc/fstab".into());
        FstabEntry { source, target, fstype: "xfs".into(), options, pass: 0, path }
    }

    fn paths(table: &str, lines: &[FstabEntry]) -> (Vec<String>, usize) {
        let entries = table::parse(Path::new("/etc/ceph/rbdmap"), table).0;
        let (hooked, administrator, root) = (HashSet::new(), AdministratorUnits::default(), Root::new("/"));
        let inputs = Inputs {
            entries: &entries,
            lines,
            unlisted: &[],
            hooked: &hooked,
            administrator: &administrator,
            root: &root,
        };
        let decision = decide(&inputs);
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
        assert_eq!(paths.iter().filter(|path| path.ends_with("rbdmap@rbd-x.service")).count(), 1, "{paths:?}");
        assert_eq!(messages, 1);
    }
}
