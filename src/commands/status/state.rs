//! Decides the state of an image, from what the configuration wants and what the kernel and systemd have.

#[cfg(test)]
mod tests;

use std::path::PathBuf;

use nix::unistd::geteuid;

use crate::diagnose::device_health::WriteError;
use crate::model::mapping::Mapping;
use crate::model::owner_tag::Origin;

/// The states of rbdmap(8).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum State {
    /// Wanted and not mapped, and its unit failed; the reason.
    Failed(String),
    /// Mapped, and writes to it failed.
    Broken(WriteError),
    /// Wanted and mapped, and nothing is mounted on one of its mount points.
    NotMounted(MissingMount),
    /// Wanted and not mapped yet; what it waits for.
    Waiting(String),
    /// Wanted and not mapped, and its unit is not running.
    NotMapped,
    /// Mapped from the table, which no longer lists it.
    LeftOver,
    /// Wanted and mapped, and it has no mount points.
    Mapped,
    /// Wanted and mapped, and all of its mount points are mounted.
    Mounted,
    /// Not wanted; an administrator mapped it with rbdmap.
    ByHand,
    /// Not wanted; another program mapped it.
    Foreign,
    /// Not wanted and mapped; only root can see who mapped it.
    Hidden,
}

/// A mount point on which nothing is mounted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MissingMount {
    /// The mount point.
    pub target: PathBuf,
    /// Why its unit failed; empty if it did not.
    pub reason: String,
}

/// Who mapped an image.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MappedBy {
    /// rbdmap, from the table or the settings.
    Table,
    /// An administrator with rbdmap.
    Hand,
    /// Another program.
    Other,
    /// Only root can see it.
    Hidden,
}

impl MappedBy {
    /// From the tag that rbdmap gives to its mappings.
    pub fn from_tag(mapping: &Mapping) -> Self {
        match &mapping.tag {
            Some(tag) if tag.origin == Origin::Table => Self::Table,
            Some(_) => Self::Hand,
            None if geteuid().is_root() => Self::Other,
            // The kernel shows config_info, which has the tag, to root only.
            None => Self::Hidden,
        }
    }

    /// The value of the key `origin` in the JSON output.
    pub fn word(self) -> &'static str {
        match self {
            Self::Table => "table",
            Self::Hand => "hand",
            Self::Other => "other",
            Self::Hidden => "hidden",
        }
    }
}

/// The unit that maps an image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnitFacts {
    /// Its name.
    pub name: String,
    /// systemd's ActiveState.
    pub active: String,
    /// Why it is not active, or what it waits for; may be empty.
    pub reason: String,
    /// Whether rbdmap-nofail.service is to start it, and has not yet.
    pub is_deferred: bool,
}

/// What decides the state of an image.
pub struct ImageFacts<'a> {
    /// Whether the configuration lists it.
    pub is_wanted: bool,
    /// Its mapping.
    pub mapping: Option<&'a Mapping>,
    /// The failed write that the kernel logged.
    pub write_error: Option<WriteError>,
    /// The unit that maps it.
    pub unit: Option<&'a UnitFacts>,
    /// One of its mount points on which nothing is mounted.
    pub missing: Option<MissingMount>,
    /// Whether the configuration has mount points on it.
    pub has_mounts: bool,
}

/// The remark on a deferred image.
const DEFERRED: &str = "rbdmap-nofail.service starts it when a monitor answers or boot has finished; `rbdmap map` starts it now";

impl ImageFacts<'_> {
    /// The state.
    pub fn state(&self) -> State {
        // Before anything else: the image may look mounted while its data is lost.
        if let Some(error) = self.write_error {
            return State::Broken(error);
        }
        match self.mapping {
            Some(_) if self.is_wanted => self.mapped_state(),
            Some(mapping) => match MappedBy::from_tag(mapping) {
                MappedBy::Table => State::LeftOver,
                MappedBy::Hand => State::ByHand,
                MappedBy::Other => State::Foreign,
                MappedBy::Hidden => State::Hidden,
            },
            None => self.unmapped_state(),
        }
    }

    fn mapped_state(&self) -> State {
        match &self.missing {
            Some(missing) => State::NotMounted(missing.clone()),
            None if self.has_mounts => State::Mounted,
            None => State::Mapped,
        }
    }

    fn unmapped_state(&self) -> State {
        let Some(unit) = self.unit else {
            return State::NotMapped;
        };
        match unit.active.as_str() {
            "failed" => State::Failed(unit.reason.clone()),
            "activating" => State::Waiting(unit.reason.clone()),
            _ if unit.is_deferred => State::Waiting(DEFERRED.to_owned()),
            _ => State::NotMapped,
        }
    }
}

impl State {
    /// Whether something that is wanted is missing, or writes fail.
    pub fn is_problem(&self) -> bool {
        matches!(
            self,
            Self::Failed(_)
                | Self::Broken(_)
                | Self::NotMounted(_)
                | Self::Waiting(_)
                | Self::NotMapped
        )
    }

    /// The word in the output. Programs depend on it, so it does not change.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Failed(_) => "failed",
            Self::Broken(_) => "broken",
            Self::NotMounted(_) => "not-mounted",
            Self::Waiting(_) => "waiting",
            Self::NotMapped => "not-mapped",
            Self::LeftOver => "left-over",
            Self::Mapped | Self::Hidden => "mapped",
            Self::Mounted => "mounted",
            Self::ByHand => "by-hand",
            Self::Foreign => "foreign",
        }
    }

    /// The cause and the next step, if there is anything to add to the word.
    pub fn remark(&self) -> Option<String> {
        match self {
            Self::Failed(reason) | Self::Waiting(reason) if reason.is_empty() => None,
            Self::Failed(reason) | Self::Waiting(reason) => Some(reason.clone()),
            Self::Broken(error) => Some(error.advice()),
            Self::NotMounted(MissingMount { target, reason }) if reason.is_empty() => {
                Some(format!("nothing is mounted on {}", target.display()))
            }
            Self::NotMounted(MissingMount { target, reason }) => {
                Some(format!("{}: {reason}", target.display()))
            }
            Self::NotMapped => Some("nothing has tried to map it; `rbdmap map` maps it".to_owned()),
            Self::LeftOver => Some("no longer listed; `rbdmap reload` unmaps it".to_owned()),
            Self::Hidden => Some("run as root to see who mapped it".to_owned()),
            Self::Mapped | Self::Mounted | Self::ByHand | Self::Foreign => None,
        }
    }
}
