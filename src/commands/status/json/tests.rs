//! The JSON output against its schema.

use super::*;
use crate::commands::status::fixtures::{row, rows};
use crate::commands::status::state::{MissingMount, State};
use serde_json::Value;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;

/// Checks types, enumerations, and that exactly the required keys are present.
fn assert_conforms(value: &Value, schema: &Value, place: &str) {
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
        assert_conforms(item, &schema["items"], &format!("{place}[{at}]"));
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
        for (key, item) in object {
            assert_conforms(item, &schema["properties"][key], &format!("{place}.{key}"));
        }
    }
}

#[test]
fn json_conforms_to_its_schema() {
    let schema: Value = serde_json::from_str(include_str!(
        "../../../../packaging/data/status.schema.json"
    ))
    .unwrap();
    let all = [
        State::Failed("x".into()),
        State::NotMounted(MissingMount {
            target: "/a".into(),
            reason: String::new(),
        }),
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
    let document: Value = serde_json::from_str(&render(&rows).unwrap()).unwrap();
    assert_conforms(&document, &schema, "status");
    assert_eq!(document["images"].as_array().unwrap().len(), rows.len());
}

#[test]
fn a_mount_point_that_is_not_utf8_is_printed_with_a_replacement_character() {
    let odd = StatusRow {
        mounts: vec![OsStr::from_bytes(b"/srv/\xff").into()],
        ..row("rbd/data", State::Mounted)
    };
    assert!(
        render(&[odd])
            .unwrap()
            .contains("\"mounts\":[\"/srv/\u{fffd}\"]")
    );
}
