//! What an image's state is, decided from what is wanted and what was seen.

use std::path::PathBuf;

use crate::diagnose::device_health::WriteError;
use crate::model::holder::Holder;
use crate::model::image_spec::ImageSpec;
use crate::model::mapping::Mapping;
use crate::model::owner_tag;

/// One image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StatusRow {
    /// Its name.
    pub spec: ImageSpec,
    /// How it is.
    pub state: State,
    /// Whether the table or the settings list it.
    pub is_wanted: bool,
    /// Who mapped it, if it is mapped.
    pub origin: Option<MappedBy>,
    /// `/dev/rbdN`.
    pub device: Option<String>,
    /// N.
    pub number: Option<u32>,
    /// In bytes.
    pub size: Option<u64>,
    /// Whether it is mapped read-only.
    pub read_only: Option<bool>,
    /// Where it, or a partition of it, is mounted.
    pub mounts: Vec<PathBuf>,
    /// Its instance and that unit's active state, where systemd knows it.
    pub unit: Option<(String, String)>,
    /// Who uses it, where that was looked for and could be found out in time.
    pub holders: Option<Vec<Holder>>,
}

/// Wanted against actual, in the order of trouble.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum State {
    /// Wanted, not mapped, and systemd has given up; why.
    Failed(String),
    /// Mapped, and what is written to it does not arrive.
    Broken(WriteError),
    /// Mapped, but a mount point of fstab is empty; which, and why.
    NotMounted(PathBuf, String),
    /// Wanted and on its way; what it waits for.
    Waiting(String),
    /// Wanted, and nobody has tried.
    NotMapped,
    /// Mapped by a line of the table that is no longer there.
    LeftOver,
    /// Wanted and mapped; nothing is to be mounted on it.
    Mapped,
    /// Wanted, mapped and mounted.
    Mounted,
    /// Not wanted; an administrator mapped it with our program.
    ByHand,
    /// Not wanted; another program mapped it.
    Foreign,
    /// Not wanted and mapped; only root can see by whom.
    Hidden,
}

/// Who mapped an image.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MappedBy {
    /// A line of the table.
    Table,
    /// An administrator with our program.
    Hand,
    /// Another program.
    Other,
    /// Only root can see it.
    Hidden,
}

impl MappedBy {
    /// Who made a mapping.
    pub fn of(mapping: &Mapping) -> Self {
        match &mapping.tag {
            Some(tag) if tag.origin == owner_tag::Origin::Table => Self::Table,
            Some(_) => Self::Hand,
            None if nix::unistd::geteuid().is_root() => Self::Other,
            None => Self::Hidden,
        }
    }

    /// The word for it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Table => "table",
            Self::Hand => "hand",
            Self::Other => "other",
            Self::Hidden => "hidden",
        }
    }
}

/// What a unit says of itself.
pub struct UnitFacts {
    /// systemd's ActiveState.
    pub active: String,
    /// Why it is not active, if it says so.
    pub reason: String,
    /// Whether it is being started beside the boot.
    pub is_aside: bool,
}

/// What was seen of an image.
pub struct ImageFacts<'a> {
    /// Whether it is listed.
    pub is_wanted: bool,
    /// Its mapping.
    pub mapping: Option<&'a Mapping>,
    /// What that has suffered.
    pub harm: Option<WriteError>,
    /// Its instance.
    pub unit: Option<&'a UnitFacts>,
    /// A mount point on it where nothing is mounted, and why.
    pub missing: Option<(PathBuf, String)>,
    /// Whether anything is to be mounted on it.
    pub has_mounts: bool,
}

/// Of an image that boot does not wait for.
const ASIDE: &str = "rbdmap-nofail.service starts it when a monitor answers, or the boot is over; `rbdmap map` does now";

impl ImageFacts<'_> {
    /// The state.
    pub fn state(&self) -> State {
        if let Some(harm) = self.harm {
            return State::Broken(harm);
        }
        match (self.mapping, self.is_wanted) {
            (Some(_), true) => match &self.missing {
                Some((target, reason)) => State::NotMounted(target.clone(), reason.clone()),
                None if self.has_mounts => State::Mounted,
                None => State::Mapped,
            },
            (Some(mapping), false) => match MappedBy::of(mapping) {
                MappedBy::Table => State::LeftOver,
                MappedBy::Hand => State::ByHand,
                MappedBy::Other => State::Foreign,
                MappedBy::Hidden => State::Hidden,
            },
            (None, _) => match self.unit.map(|unit| (unit.active.as_str(), unit)) {
                Some(("failed", unit)) => State::Failed(unit.reason.clone()),
                Some(("activating", unit)) => State::Waiting(unit.reason.clone()),
                Some((_, unit)) if unit.is_aside => State::Waiting(ASIDE.to_owned()),
                _ => State::NotMapped,
            },
        }
    }
}

impl State {
    /// Whether something that is wanted is not there, or what is there does not work.
    pub fn is_problem(&self) -> bool {
        matches!(
            self,
            Self::Failed(_)
                | Self::Broken(_)
                | Self::NotMounted(..)
                | Self::Waiting(_)
                | Self::NotMapped
        )
    }

    /// The word for it, which does not change from one version to the next.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Failed(_) => "failed",
            Self::Broken(_) => "broken",
            Self::NotMounted(..) => "not-mounted",
            Self::Waiting(_) => "waiting",
            Self::NotMapped => "not-mapped",
            Self::LeftOver => "left-over",
            Self::Mapped | Self::Hidden => "mapped",
            Self::Mounted => "mounted",
            Self::ByHand => "by-hand",
            Self::Foreign => "foreign",
        }
    }

    /// What there is to say beyond the word: why, and what to do.
    pub fn remark(&self) -> Option<String> {
        match self {
            Self::Failed(reason) | Self::Waiting(reason) => {
                Some(reason.clone()).filter(|reason| !reason.is_empty())
            }
            Self::Broken(harm) => Some(harm.advice()),
            Self::NotMounted(target, reason) if reason.is_empty() => {
                Some(format!("nothing is mounted on {}", target.display()))
            }
            Self::NotMounted(target, reason) => Some(format!("{}: {reason}", target.display())),
            Self::NotMapped => Some("nobody has asked for it; `rbdmap map` does".to_owned()),
            Self::LeftOver => Some("no longer listed; `rbdmap reload` unmaps it".to_owned()),
            Self::Hidden => Some("by whom, only root can see".to_owned()),
            Self::Mapped | Self::Mounted | Self::ByHand | Self::Foreign => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::owner_tag::OwnerTag;

    fn mapping(origin: Option<owner_tag::Origin>) -> Mapping {
        let (spec, tag) = (
            "rbd/a".parse().unwrap(),
            origin.map(|origin| OwnerTag::new(origin, [0; 8])),
        );
        Mapping {
            id: 0,
            spec,
            fsid: String::new(),
            read_only: false,
            tag,
            number: (252, 0),
        }
    }

    fn word(
        mapping: Option<&Mapping>,
        is_wanted: bool,
        active: &str,
        missing: bool,
    ) -> &'static str {
        let (active, is_aside) = active
            .strip_suffix(" aside")
            .map_or((active, false), |active| (active, true));
        let unit = UnitFacts {
            active: active.to_owned(),
            reason: "why".to_owned(),
            is_aside,
        };
        let missing = missing.then(|| ("/a".into(), String::new()));
        ImageFacts {
            is_wanted,
            mapping,
            harm: None,
            unit: Some(&unit),
            missing,
            has_mounts: true,
        }
        .state()
        .word()
    }

    #[test]
    fn what_is_wanted_is_told_by_what_there_is() {
        let table = mapping(Some(owner_tag::Origin::Table));
        let rows = [
            (Some(&table), "active", false, "mounted"),
            (Some(&table), "active", true, "not-mounted"),
            (None, "failed", true, "failed"),
            (None, "activating", true, "waiting"),
            (None, "inactive", true, "not-mapped"),
            (None, "inactive aside", true, "waiting"),
            (None, "failed aside", true, "failed"),
        ];
        for (mapping, active, missing, expected) in rows {
            assert_eq!(word(mapping, true, active, missing), expected);
        }
    }

    #[test]
    fn what_is_not_wanted_is_told_by_who_mapped_it() {
        assert_eq!(
            word(
                Some(&mapping(Some(owner_tag::Origin::Table))),
                false,
                "active",
                false
            ),
            "left-over"
        );
        assert_eq!(
            word(
                Some(&mapping(Some(owner_tag::Origin::Hand))),
                false,
                "inactive",
                false
            ),
            "by-hand"
        );
    }

    #[test]
    fn what_does_not_work_is_told_before_all_else() {
        let (mapping, harm) = (
            mapping(None),
            Some(WriteError {
                errno: 108,
                data_lost: false,
            }),
        );
        for is_wanted in [true, false] {
            let facts = ImageFacts {
                is_wanted,
                mapping: Some(&mapping),
                harm,
                unit: None,
                missing: None,
                has_mounts: true,
            };
            assert_eq!(facts.state().word(), "broken");
        }
    }

    #[test]
    fn problems_say_what_to_do_or_why() {
        let states = [
            State::Failed("no key".into()),
            State::Broken(WriteError {
                errno: 5,
                data_lost: true,
            }),
            State::NotMounted("/a".into(), String::new()),
            State::Waiting("a monitor".into()),
            State::NotMapped,
        ];
        for state in states {
            assert!(state.is_problem() && state.remark().is_some(), "{state:?}");
        }
        assert!(!State::ByHand.is_problem());
    }
}
