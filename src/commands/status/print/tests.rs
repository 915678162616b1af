//! What is printed, as people and programs see it.

use super::*;
use crate::commands::status::state::{MappedBy, State};
use crate::model::holder::{self, Holder, Process};
use serde_json::Value;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;

fn row(spec: &str, state: State) -> StatusRow {
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
        unit: (!spec.contains("hand"))
            .then(|| ("rbdmap@x.service".to_owned(), "active".to_owned())),
        holders: is_mapped.then(holders),
    }
}

/// One of each kind.
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

fn rows() -> Vec<StatusRow> {
    let why = "the pool, namespace, image or snapshot does not exist; compare with `rbd ls`";
    vec![
        row("rbd/nope", State::Failed(why.to_owned())),
        row("rbd/data", State::Mounted),
    ]
}

#[test]
fn a_terminal_gets_columns_and_reasons_within_its_width() {
    let text = table(&rows(), Layout::Terminal(60));
    let expected = "\
IMAGE     STATE    DEVICE     SIZE      MODE  MOUNTED ON
rbd/nope  failed   -          -         -
    the pool, namespace, image or snapshot does not exist;
    compare with `rbd ls`
rbd/data  mounted  /dev/rbd0  12.5 GiB  rw    /srv/data
";
    assert_eq!(text, expected);
    assert!(table(&rows(), Layout::Terminal(50)).ends_with("rw\n    /srv/data\n"));
    assert_eq!(
        table(&[], Layout::Terminal(80)),
        "no image is listed or mapped\n"
    );
}

#[test]
fn a_pipe_gets_fields_between_tabs() {
    let text = table(&rows()[1..], Layout::Pipe);
    let expected = "image\tstate\tdevice\tsize\tmode\tmounts\tunit\tremark\n\
                    rbd/data\tmounted\t/dev/rbd0\t13421772800\trw\t/srv/data\tactive\t\n";
    assert_eq!(text, expected);
}

#[test]
fn sizes_are_readable() {
    let rows = [
        (0, "0 B"),
        (512, "512 B"),
        (1 << 20, "1 MiB"),
        (u64::MAX, "15.9 EiB"),
        (3 << 39, "1.5 TiB"),
    ];
    for (bytes, expected) in rows {
        assert_eq!(readable(bytes), expected);
    }
}

/// As far as the schema goes: types, enumerations, and no key more or less.
fn conforms(value: &Value, schema: &Value, place: &str) {
    let kinds: Vec<&str> = match &schema["type"] {
        Value::String(kind) => vec![kind],
        Value::Array(kinds) => kinds.iter().filter_map(Value::as_str).collect(),
        other => panic!("{place}: type {other}"),
    };
    let kind = match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(_) => "integer",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    };
    assert!(kinds.contains(&kind), "{place}: {value} is not {kinds:?}");
    if let Some(words) = schema["enum"].as_array() {
        assert!(words.contains(value), "{place}: {value}");
    }
    for (at, item) in value.as_array().into_iter().flatten().enumerate() {
        conforms(item, &schema["items"], &format!("{place}[{at}]"));
    }
    if let Some(object) = value.as_object() {
        let mut required: Vec<&str> = schema["required"]
            .as_array()
            .unwrap()
            .iter()
            .filter_map(Value::as_str)
            .collect();
        let mut keys: Vec<&str> = object.keys().map(String::as_str).collect();
        required.sort_unstable();
        keys.sort_unstable();
        assert_eq!(keys, required, "{place}");
        object.iter().for_each(|(key, item)| {
            conforms(item, &schema["properties"][key], &format!("{place}.{key}"))
        });
    }
}

#[test]
fn json_is_as_its_schema_says() {
    let schema: Value = serde_json::from_str(include_str!(
        "../../../../packaging/data/status.schema.json"
    ))
    .unwrap();
    let all = [
        State::Failed("x".into()),
        State::NotMounted("/a".into(), String::new()),
        State::Waiting("x".into()),
        State::NotMapped,
        State::LeftOver,
        State::Mapped,
        State::Mounted,
        State::ByHand,
        State::Foreign,
        State::Hidden,
    ];
    let rows: Vec<StatusRow> = all
        .into_iter()
        .map(|state| row("rbd/ns/by-hand@s", state))
        .chain(rows())
        .collect();
    let document: Value = serde_json::from_str(&json(&rows).unwrap()).unwrap();
    conforms(&document, &schema, "status");
    assert_eq!(document["images"].as_array().unwrap().len(), rows.len());
}

#[test]
fn a_mount_point_that_is_not_text_spoils_nothing() {
    let odd = StatusRow {
        mounts: vec![OsStr::from_bytes(b"/srv/\xff").into()],
        ..row("rbd/data", State::Mounted)
    };
    assert!(
        json(&[odd])
            .unwrap()
            .contains("\"mounts\":[\"/srv/\u{fffd}\"]")
    );
}
