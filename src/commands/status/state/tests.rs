//! The decision for each combination of configuration, mapping and unit.

use super::*;
use crate::model::owner_tag::OwnerTag;

fn mapping(origin: Option<Origin>) -> Mapping {
    Mapping {
        id: 0,
        spec: "rbd/a".parse().unwrap(),
        fsid: String::new(),
        read_only: false,
        tag: origin.map(|origin| OwnerTag::new(origin, [0; 8])),
        number: (252, 0),
    }
}

fn unit(active: &str) -> UnitFacts {
    UnitFacts {
        name: "rbdmap@rbd-a.service".to_owned(),
        active: active.to_owned(),
        reason: "why".to_owned(),
        is_deferred: false,
    }
}

fn deferred_unit(active: &str) -> UnitFacts {
    UnitFacts {
        is_deferred: true,
        ..unit(active)
    }
}

fn missing(target: &str) -> MissingMount {
    MissingMount {
        target: target.into(),
        reason: String::new(),
    }
}

fn word(mapping: Option<&Mapping>, is_wanted: bool, unit: &UnitFacts) -> &'static str {
    let facts = ImageFacts {
        is_wanted,
        mapping,
        write_error: None,
        unit: Some(unit),
        missing: None,
        has_mounts: true,
    };
    facts.state().word()
}

#[test]
fn a_wanted_image_that_is_not_mapped_has_the_state_of_its_unit() {
    let rows = [
        (unit("failed"), "failed"),
        (unit("activating"), "waiting"),
        (unit("inactive"), "not-mapped"),
        (deferred_unit("inactive"), "waiting"),
        (deferred_unit("failed"), "failed"),
    ];
    for (unit, expected) in rows {
        assert_eq!(word(None, true, &unit), expected, "{unit:?}");
    }
}

#[test]
fn a_wanted_image_that_is_mapped_has_the_state_of_its_mount_points() {
    let mapping = mapping(Some(Origin::Table));
    let rows = [
        (None, true, "mounted"),
        (Some(missing("/a")), true, "not-mounted"),
        (None, false, "mapped"),
    ];
    for (missing, has_mounts, expected) in rows {
        let facts = ImageFacts {
            is_wanted: true,
            mapping: Some(&mapping),
            write_error: None,
            unit: Some(&unit("active")),
            missing,
            has_mounts,
        };
        assert_eq!(facts.state().word(), expected);
    }
}

#[test]
fn an_unwanted_image_has_the_state_of_its_origin() {
    let from_table = mapping(Some(Origin::Table));
    let by_hand = mapping(Some(Origin::Hand));
    assert_eq!(word(Some(&from_table), false, &unit("active")), "left-over");
    assert_eq!(word(Some(&by_hand), false, &unit("inactive")), "by-hand");
}

#[test]
fn a_failed_write_takes_precedence_over_everything_else() {
    let mapping = mapping(None);
    let write_error = Some(WriteError {
        errno: 108,
        data_lost: false,
    });
    for is_wanted in [true, false] {
        let facts = ImageFacts {
            is_wanted,
            mapping: Some(&mapping),
            write_error,
            unit: None,
            missing: None,
            has_mounts: true,
        };
        assert_eq!(facts.state().word(), "broken");
    }
}

#[test]
fn every_problem_has_a_remark() {
    let states = [
        State::Failed("no key".into()),
        State::Broken(WriteError {
            errno: 5,
            data_lost: true,
        }),
        State::NotMounted(missing("/a")),
        State::Waiting("a monitor".into()),
        State::NotMapped,
    ];
    for state in states {
        assert!(state.is_problem() && state.remark().is_some(), "{state:?}");
    }
    assert!(!State::ByHand.is_problem());
}
