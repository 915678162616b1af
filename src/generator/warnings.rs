//! Warnings about lines that are not served, or not as they are written. Each names the file, the entry, and what to change.

use super::fstab_policy::{MountPolicy, ignored_options};
use crate::config::table::Entry;
use crate::model::fstab_entry::{FstabEntry, FstabSource};
use crate::model::image_spec::ImageSpec;
use crate::runtime::root::Root;
use crate::sys::kmsg_writer::KernelMessage;

const UNMOUNTED_TOO_LATE: &str = "treated as if it had _netdev, because systemd would otherwise unmount it after the \
    network has stopped; add _netdev";
const NEEDED_BY_BOOT: &str = "treated as if it had _netdev, because boot would otherwise end in the emergency shell if the \
    image cannot be mapped; add _netdev";
const SEVERAL_UNMOUNTED_TOO_LATE: &str = "treated as if they had _netdev, because systemd would otherwise unmount them \
    after the network has stopped; add _netdev";

/// If more entries lack `_netdev`, they share one message: the kernel log is a small ring buffer.
const MAX_SINGLE_NOTICES: usize = 3;

/// The warnings of one run.
pub struct Warnings<'a> {
    root: &'a Root,
    messages: Vec<KernelMessage>,
    /// Entries that are correct except for the missing `_netdev`.
    without_netdev: Vec<EntryOnImage<'a>>,
}

/// An entry and an image that it stands on.
#[derive(Clone, Copy)]
pub struct EntryOnImage<'a> {
    /// The entry.
    pub entry: &'a FstabEntry,
    /// The image that is its source, or the first that it needs.
    pub image: &'a ImageSpec,
}

impl<'a> Warnings<'a> {
    /// No warnings.
    pub fn new(root: &'a Root) -> Self {
        Self {
            root,
            messages: Vec::new(),
            without_netdev: Vec::new(),
        }
    }

    /// An image is in the table a second time.
    pub fn duplicate_image(&mut self, entry: &Entry, first_line: usize) {
        let path = self.root.path_inside(entry.path()).display();
        let (line, spec) = (entry.line(), &entry.spec);
        self.warn(format!(
            "{path}:{line}: {spec} is already in line {first_line}; this line is ignored"
        ));
    }

    /// An entry is not served. `reason` also has the remedy.
    pub fn not_served(&mut self, subject: EntryOnImage<'_>, reason: &str) {
        let effect = match subject.entry.declared_in {
            FstabSource::Fstab => "left to systemd unchanged",
            FstabSource::Settings => "not mounted",
        };
        self.warn(self.sentence(subject, &format!("{effect}: {reason}")));
    }

    /// An entry is served as if it had `_netdev`.
    pub fn served_as_netdev(
        &mut self,
        subject: EntryOnImage<'a>,
        policy: MountPolicy,
        image_is_source: bool,
    ) {
        // Boot requires no other mount: an automount unit does not fail, and a nofail mount is only wanted.
        if policy.auto && !policy.nofail && !policy.automount {
            self.warn(self.sentence(subject, NEEDED_BY_BOOT));
        } else if image_is_source {
            // A bind mount or an overlay is no network device: nobody writes _netdev there.
            self.without_netdev.push(subject);
        }
        for option in ignored_options(subject.entry) {
            let effect = format!("{option} is ignored without _netdev; add _netdev");
            self.warn(self.sentence(subject, &effect));
        }
    }

    /// All messages.
    pub fn into_messages(mut self) -> Vec<KernelMessage> {
        let entries = std::mem::take(&mut self.without_netdev);
        if entries.len() > MAX_SINGLE_NOTICES {
            self.messages.push(self.shared_notice(&entries));
        } else {
            for entry in entries {
                let sentence = self.sentence(entry, UNMOUNTED_TOO_LATE);
                self.messages.push(KernelMessage::notice(sentence));
            }
        }
        self.messages
    }

    fn shared_notice(&self, entries: &[EntryOnImage<'_>]) -> KernelMessage {
        let (named, more) = entries.split_at(MAX_SINGLE_NOTICES);
        let targets: Vec<String> = named
            .iter()
            .map(|subject| subject.entry.target.display().to_string())
            .collect();
        KernelMessage::notice(format!(
            "{}: {} and {} more on RBD images: {SEVERAL_UNMOUNTED_TOO_LATE}",
            self.root.path_inside(&named[0].entry.path).display(),
            targets.join(", "),
            more.len(),
        ))
    }

    fn warn(&mut self, text: String) {
        self.messages.push(KernelMessage::warning(text));
    }

    fn sentence(&self, subject: EntryOnImage<'_>, effect: &str) -> String {
        let EntryOnImage { entry, image } = subject;
        let path = self.root.path_inside(&entry.path).display();
        let name = if entry.fstype == "swap" {
            entry.source.clone()
        } else {
            entry.target.display().to_string()
        };
        format!("{path}: {name} on RBD image {image}: {effect}")
    }
}
