//! A user of an image as JSON: every kind has the same keys, with null for those that do not apply.

use serde::Serialize;

use crate::model::holder::{Holder, Process};

/// An item of `holders` in packaging/data/status.schema.json, which explains the keys.
#[derive(Debug, Default, Serialize)]
pub struct HolderJson<'a> {
    kind: &'static str,
    text: String,
    pid: Option<u32>,
    command: Option<&'a str>,
    uid: Option<u32>,
    user: Option<&'a str>,
    unit: Option<&'a str>,
    waits_for_disk: Option<bool>,
    path: Option<&'a str>,
    device: Option<String>,
    name: Option<&'a str>,
    file_system: Option<&'a str>,
}

impl<'a> From<&'a Holder> for HolderJson<'a> {
    fn from(holder: &'a Holder) -> Self {
        let keys = match holder {
            Holder::Process(process, path) => Self {
                kind: "process",
                path: Some(path),
                ..Self::from(process)
            },
            Holder::Namespace(process, target) => Self {
                kind: "namespace",
                path: Some(target),
                ..Self::from(process)
            },
            Holder::Device(node, name) => Self {
                kind: "device",
                device: Some(device(node)),
                name: name.as_deref(),
                ..Self::default()
            },
            Holder::Loop(node, file) => Self {
                kind: "loop",
                device: Some(device(node)),
                path: Some(file),
                ..Self::default()
            },
            Holder::Swap(path) => Self {
                kind: "swap",
                path: Some(path),
                ..Self::default()
            },
            Holder::FileSystem(kind, node) => Self {
                kind: "file-system",
                device: Some(device(node)),
                file_system: Some(kind),
                ..Self::default()
            },
        };
        Self {
            text: holder.to_string(),
            ..keys
        }
    }
}

impl<'a> From<&'a Process> for HolderJson<'a> {
    fn from(process: &'a Process) -> Self {
        let user = process.user.as_ref();
        Self {
            pid: Some(process.pid),
            command: Some(&process.command),
            uid: user.map(|user| user.uid),
            user: user.and_then(|user| user.name.as_deref()),
            unit: process.unit.as_deref(),
            waits_for_disk: Some(process.waits_for_disk),
            ..Self::default()
        }
    }
}

fn device(node: &str) -> String {
    format!("/dev/{node}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::holder;
    use serde_json::{Value, json};

    /// The keys that are not null.
    fn keys(holder: &Holder) -> Value {
        let mut value = serde_json::to_value(HolderJson::from(holder)).unwrap();
        value
            .as_object_mut()
            .unwrap()
            .retain(|_, value| !value.is_null());
        value
    }

    #[test]
    fn every_kind_has_its_keys_and_its_text() {
        let process = Process {
            pid: 812,
            command: "a\nb".into(),
            user: Some(holder::User {
                uid: 26,
                name: Some("postgres".into()),
            }),
            unit: Some("db.service".into()),
            waits_for_disk: false,
        };
        let gone = Process {
            user: None,
            unit: None,
            ..process.clone()
        };
        let rows = [
            (
                Holder::Process(process, "/srv/x".into()),
                json!({
                    "kind": "process", "text": "pid 812 (a?b, user postgres, db.service: /srv/x)", "pid": 812,
                    "command": "a\nb", "uid": 26, "user": "postgres", "unit": "db.service", "waits_for_disk": false,
                    "path": "/srv/x",
                }),
            ),
            (
                Holder::Namespace(gone, "/srv".into()),
                json!({
                    "kind": "namespace", "text": "pid 812 (a?b: mounted on /srv in a mount namespace of its own)",
                    "pid": 812, "command": "a\nb", "waits_for_disk": false, "path": "/srv",
                }),
            ),
            (
                Holder::Device("md127".into(), Some("raid".into())),
                json!({ "kind": "device", "text": "/dev/md127 (raid)", "device": "/dev/md127", "name": "raid" }),
            ),
            (
                Holder::Loop("loop0".into(), "/srv/y".into()),
                json!({
                    "kind": "loop", "text": "/dev/loop0 (loop device of /srv/y)", "device": "/dev/loop0", "path": "/srv/y",
                }),
            ),
            (
                Holder::Swap("/dev/rbd0".into()),
                json!({ "kind": "swap", "text": "swap (/dev/rbd0; `swapoff` ends it)", "path": "/dev/rbd0" }),
            ),
            (
                Holder::FileSystem("ext4".into(), "rbd0".into()),
                json!({
                    "kind": "file-system", "device": "/dev/rbd0", "file_system": "ext4",
                    "text": "the ext4 on rbd0, which is unmounted but not yet written back (check that the cluster is reachable)",
                }),
            ),
        ];
        for (holder, expected) in rows {
            assert_eq!(keys(&holder), expected);
        }
    }
}
