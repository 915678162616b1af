//! Rows for the tests of what is printed.

use super::row::StatusRow;
use super::state::{MappedBy, State, UnitFacts};
use crate::model::holder::{self, Holder, Process};

/// A row whose values follow from its state and name.
pub fn row(spec: &str, state: State) -> StatusRow {
    let is_mapped = matches!(state, State::Mounted | State::ByHand);
    StatusRow {
        spec: spec.parse().unwrap(),
        state,
        is_wanted: !spec.contains("hand"),
        origin: is_mapped.then_some(MappedBy::Table),
        device: is_mapped.then(|| "/dev/rbd0".to_owned()),
        number: is_mapped.then_some(0),
        size: is_mapped.then_some((10 << 30) + (5 << 29)),
        read_only: is_mapped.then_some(false),
        mounts: if is_mapped {
            vec!["/srv/data".into()]
        } else {
            Vec::new()
        },
        unit: (!spec.contains("hand")).then(unit),
        holders: is_mapped.then(holders),
    }
}

fn unit() -> UnitFacts {
    UnitFacts {
        name: "rbdmap@x.service".to_owned(),
        active: "active".to_owned(),
        reason: String::new(),
        is_deferred: false,
    }
}

/// One user of each kind.
fn holders() -> Vec<Holder> {
    let user = Some(holder::User {
        uid: 26,
        name: Some("postgres".into()),
    });
    let process = Process {
        pid: 812,
        command: "postgres".into(),
        user,
        unit: None,
        waits_for_disk: false,
    };
    vec![
        Holder::Process(process.clone(), "/srv/data/1".into()),
        Holder::Namespace(
            Process {
                user: None,
                ..process
            },
            "/srv/data".into(),
        ),
        Holder::Device("dm-0".into(), Some("vg-data".into())),
        Holder::Loop("loop0".into(), "/srv/data/x".into()),
        Holder::Swap("/dev/rbd0".into()),
        Holder::FileSystem("ext4".into(), "rbd0".into()),
    ]
}

/// A problem and a row without one.
pub fn rows() -> Vec<StatusRow> {
    let why = "the pool, namespace, image or snapshot does not exist; compare with `rbd ls`";
    vec![
        row("rbd/nope", State::Failed(why.to_owned())),
        row("rbd/data", State::Mounted),
    ]
}
