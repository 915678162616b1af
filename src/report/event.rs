//! What happens to images, by kinds. The journal keeps the kind with each message (`MESSAGE_ID=`, systemd.journal-fields(7)),
//! so that scripts can ask for it, beside `RBD_POOL=`, `RBD_NAMESPACE=`, `RBD_IMAGE=`, `RBD_SNAPSHOT=`, `RBD_DEVICE=` and
//! `ERRNO=`, as far as they are known; and `journalctl -x` prints what packaging/data/rbdmap.catalog says of it: what it means
//! and what to do. A kind's id never changes.

use std::fmt::Display;

use tracing::{error, info, warn};

use crate::model::image_spec::ImageSpec;
use crate::model::mapping::Mapping;

/// A kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event {
    /// It is mapped, or was found so.
    Mapped,
    /// A file system on it is mounted, or was found so.
    Mounted,
    /// It is no longer mapped.
    Unmapped,
    /// systemd was asked to do something about it, and nobody waits for that.
    JobQueued,
    /// It is not mapped and should be.
    MapFailed,
    /// What should be mounted from it is not.
    MountFailed,
    /// It is still mapped and should not be.
    UnmapFailed,
    /// Its hook failed or was not run.
    HookFailed,
    /// It was removed while in use; what had not been written is lost.
    ForcedUnmap,
    /// It is no longer mapped, and not all that was written to it has arrived.
    WriteLost,
    /// It is in use by somebody who is being waited for.
    UnmapWaits,
    /// It could not be mapped now, and is being tried again.
    MapRetry,
    /// It is being mapped or mounted, and something that is not there yet is waited for.
    MapWaits,
}

impl Event {
    /// Made once by uuidgen(1).
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

    /// Tells of it, with what it is about as fields of the journal.
    pub fn log<'a>(self, about: impl Into<Subject<'a>>, text: impl Display) {
        let Subject {
            spec,
            device,
            errno,
        } = about.into();
        /// The same at a level, which must be a constant.
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
            | Self::WriteLost => {
                at!(error)
            }
        }
    }
}

/// What happened to whom.
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
    /// With the kernel's answer, if it gave one.
    pub fn errno(self, errno: Option<i32>) -> Self {
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
    fn the_catalog_explains_every_kind_and_nothing_else() {
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
