//! What is said of lines that are served otherwise than they are written, or not at all: with the file, what stands where,
//! and what to change.

use super::fstab_policy::{MountPolicy, lost_options};
use crate::config::table::Entry;
use crate::model::fstab_entry::{FstabEntry, FstabSource};
use crate::model::image_spec::ImageSpec;
use crate::runtime::root::Root;
use crate::sys::kmsg_writer::Message;

const LACKS_NETDEV: &str = "taken as if it had _netdev, without which systemd would unmount it after the network; \
    add _netdev";
const NEEDED_BY_BOOT: &str = "taken as if it had _netdev, without which a boot that does not find the image ends in the \
    emergency shell; add _netdev";

/// Of more entries of a file there is one message: the kernel's log is small.
const TOLD_APART: usize = 3;

/// What there is to say.
pub struct Warnings<'a> {
    root: &'a Root,
    messages: Vec<Message>,
    /// Entries that lack nothing but `_netdev`, with an image of each.
    lacking: Vec<(&'a FstabEntry, &'a ImageSpec)>,
}

impl<'a> Warnings<'a> {
    /// Nothing yet.
    pub fn new(root: &'a Root) -> Self {
        Self {
            root,
            messages: Vec::new(),
            lacking: Vec::new(),
        }
    }

    /// An image is in the table twice.
    pub fn second(&mut self, entry: &Entry, first: usize) {
        let (spec, path, line) = (
            &entry.spec,
            self.root.path_inside(entry.path()),
            entry.line(),
        );
        self.warn(format!(
            "{}:{line}: {spec} is in line {first} already, which counts",
            path.display()
        ));
    }

    /// An entry is not served.
    pub fn left(&mut self, entry: &FstabEntry, image: &ImageSpec, reason: &str) {
        let fate = if entry.declared_in == FstabSource::Fstab {
            "left to systemd as it is"
        } else {
            "not mounted"
        };
        self.warn(self.about(entry, image, &format!("{fate}: {reason}")));
    }

    /// An entry is taken as if it had `_netdev`, with which it would be served better. One that is made of others, a bind
    /// or an overlay, is no device of the network, and nobody writes that there.
    pub fn lacks_netdev(
        &mut self,
        entry: &'a FstabEntry,
        row: MountPolicy,
        (image, is_source): (&'a ImageSpec, bool),
    ) {
        if row.auto && !row.nofail && !row.automount {
            self.warn(self.about(entry, image, NEEDED_BY_BOOT));
        } else if is_source {
            self.lacking.push((entry, image));
        }
        for option in lost_options(entry) {
            self.warn(self.about(
                entry,
                image,
                &format!("{option} is not served without _netdev; add _netdev"),
            ));
        }
    }

    /// All of it.
    pub fn messages(mut self) -> Vec<Message> {
        match self.lacking.as_slice() {
            few if few.len() <= TOLD_APART => {
                let few = few
                    .iter()
                    .map(|(entry, image)| Message::notice(self.about(entry, image, LACKS_NETDEV)));
                self.messages.extend(few.collect::<Vec<_>>());
            }
            many => {
                let named = many
                    .iter()
                    .take(TOLD_APART)
                    .map(|(entry, _)| entry.target.display().to_string());
                let (path, named) = (
                    self.root.path_inside(&many[0].0.path),
                    named.collect::<Vec<_>>().join(", "),
                );
                let more = many.len() - TOLD_APART;
                let about = format!(
                    "{}: {named} and {more} more on RBD images: ",
                    path.display()
                );
                self.messages
                    .push(Message::notice(format!("{about}{LACKS_NETDEV}")));
            }
        }
        self.messages
    }

    fn warn(&mut self, text: String) {
        self.messages.push(Message::warning(text));
    }

    fn about(&self, entry: &FstabEntry, image: &ImageSpec, text: &str) -> String {
        let place = if entry.fstype == "swap" {
            entry.source.clone()
        } else {
            entry.target.display().to_string()
        };
        format!(
            "{}: {place} on RBD image {image}: {text}",
            self.root.path_inside(&entry.path).display()
        )
    }
}
