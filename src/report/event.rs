//! Events that happen to images. In the journal each message about an image has the `MESSAGE_ID=` of its event
//! (systemd.journal-fields(7)), and as far as they are known `RBD_POOL=`, `RBD_NAMESPACE=`, `RBD_IMAGE=`, `RBD_SNAPSHOT=`,
//! `RBD_DEVICE=` and `ERRNO=`, so that scripts can select messages. `journalctl -x` prints what the event means and what to do,
//! from packaging/data/rbdmap.catalog. The ID of an event never changes.

use std::fmt::Display;

use tracing::{error, info, warn};

use crate::model::image_spec::ImageSpec;
use crate::model::mapping::Mapping;

/// The kind of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event {
    /// The image is mapped, or was mapped already.
    Mapped,
    /// A file system on the image is mounted, or was mounted already.
    Mounted,
    /// The image is no longer mapped.
    Unmapped,
    /// systemd was asked to map or unmap the image, and the command does not wait for the result.
    JobQueued,
    /// The image could not be mapped.
    MapFailed,
    /// A file system on the image could not be mounted.
    MountFailed,
    /// The image could not be unmapped.
    UnmapFailed,
    /// The hook of the image failed or was not run.
    HookFailed,
    /// The image was unmapped while it was in use. Data that was not yet written is lost.
    ForcedUnmap,
    /// The image is no longer mapped, and some writes did not reach the cluster.
    WriteLost,
    /// Unmapping waits for something, such as a process that uses the image.
    UnmapWaits,
    /// The image could not be mapped at present, and rbdmap retries.
    MapRetry,
    /// Mapping or mounting waits for something, such as a monitor.
    MapWaits,
}

impl Event {
    /// The ID in the journal, generated with uuidgen(1).
    pub fn id(self) -> &'static str {
        match self {
            Self::Mapped => "3ceaaf30814248ea91d93080f9b439fc",
            Self::Mounted => "9dfb369bab134faea27655daa05f1119",
            Self::Unmapped => "6301bbfca0c5454e8ff9bb510944fe0c",
            Self::JobQueued => "6fced11d2bd841e6847a8387cdde8d51",
            Self::MapFailed => "3a124c647e024f05b7c1dce27f7695f5",
            Self::MountFailed => "66080f174c9648e29cbd0ba3a1a6bcde",
            Self::UnmapFailed => "b120a366f0bb49cf82f2dc05873f9bd0",
            Self::HookFailed => "78b7d0ac84774ce08e4cda11b43c589b",
            Self::ForcedUnmap => "2330fcf1562a44b888668d77e827062c",
            Self::WriteLost => "47f2f39bcc184d3f83283e71133d57ce",
            Self::UnmapWaits => "c1acc9906424450aa36bf9b3ddcb369d",
            Self::MapRetry => "9ad9b9a25e78454db065a1c284cc4549",
            Self::MapWaits => "9bff977c1d4646beac5a3f332c6c516d",
        }
    }

    /// Logs the event, with its subject in the fields of the journal.
    pub fn log<'a>(self, about: impl Into<Subject<'a>>, text: impl Display) {
        let Subject {
            spec,
            device,
            errno,
        } = about.into();
        /// tracing registers each call with its level at compile time, so the level cannot be a variable.
        macro_rules! at {
            ($level:ident) => {
                $level!(
                    message_id = self.id(),
                    rbd_pool = spec.pool,
                    rbd_namespace = spec.namespace,
                    rbd_image = spec.image,
                    rbd_snapshot = spec.snapshot,
                    rbd_device = device,
                    errno = errno,
                    "{spec}: {text}"
                )
            };
        }
        match self {
            Self::Mapped
            | Self::Mounted
            | Self::Unmapped
            | Self::JobQueued
            | Self::UnmapWaits
            | Self::MapWaits => at!(info),
            Self::MapRetry => at!(warn),
            Self::MapFailed
            | Self::MountFailed
            | Self::UnmapFailed
            | Self::HookFailed
            | Self::ForcedUnmap
            | Self::WriteLost => at!(error),
        }
    }
}

/// What an event is about.
#[derive(Debug, Clone)]
pub struct Subject<'a> {
    spec: &'a ImageSpec,
    device: Option<String>,
    errno: Option<i32>,
}

impl<'a> From<&'a ImageSpec> for Subject<'a> {
    fn from(spec: &'a ImageSpec) -> Self {
        Self {
            spec,
            device: None,
            errno: None,
        }
    }
}

impl<'a> From<&'a Mapping> for Subject<'a> {
    fn from(mapping: &'a Mapping) -> Self {
        Self {
            spec: &mapping.spec,
            device: Some(format!("/dev/{}", mapping.name())),
            errno: None,
        }
    }
}

impl Subject<'_> {
    /// The same subject with the kernel's answer, if it gave one.
    pub fn with_errno(self, errno: Option<i32>) -> Self {
        Self { errno, ..self }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [Event; 13] = [
        Event::Mapped,
        Event::Mounted,
        Event::Unmapped,
        Event::JobQueued,
        Event::MapFailed,
        Event::MountFailed,
        Event::UnmapFailed,
        Event::HookFailed,
        Event::ForcedUnmap,
        Event::WriteLost,
        Event::UnmapWaits,
        Event::MapRetry,
        Event::MapWaits,
    ];

    #[test]
    fn the_catalog_explains_every_event_and_nothing_else() {
        let catalog = include_str!("../../packaging/data/rbdmap.catalog");
        let explained: Vec<&str> = catalog
            .lines()
            .filter_map(|line| line.strip_prefix("-- "))
            .collect();
        assert_eq!(explained, ALL.map(Event::id));
        for entry in catalog.split("\n-- ").skip(1) {
            assert!(
                entry.contains("\nSubject: ") && entry.contains("\nDocumentation: man:rbdmap"),
                "{entry}"
            );
        }
    }
}
