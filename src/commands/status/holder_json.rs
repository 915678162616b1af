//! Who uses an image, for programs: the same keys for every kind, null where a kind has no such thing.

use serde::Serialize;

use crate::model::holder::{Holder, Process};

/// An item of `holders` in packaging/data/status.schema.json, which says what the keys mean.
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

impl<'a> HolderJson<'a> {
    /// Of a holder, with the words for people beside the parts.
    pub fn of(holder: &'a Holder) -> Self {
        let device = |name: &str| Some(format!("/dev/{name}"));
        let parts = match holder {
            Holder::Process(process, path) => Self {
                kind: "process",
                path: Some(path),
                ..Self::of_process(process)
            },
            Holder::Namespace(process, target) => Self {
                kind: "namespace",
                path: Some(target),
                ..Self::of_process(process)
            },
            Holder::Device(node, name) => Self {
                kind: "device",
                device: device(node),
                name: name.as_deref(),
                ..Self::default()
            },
            Holder::Loop(node, file) => Self {
                kind: "loop",
                device: device(node),
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
                device: device(node),
                file_system: Some(kind),
                ..Self::default()
            },
        };
        Self {
            text: holder.to_string(),
            ..parts
        }
    }

    fn of_process(process: &'a Process) -> Self {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::holder;
    use serde_json::{Value, json};

    /// The keys that are not null.
    fn parts(holder: &Holder) -> Value {
        let mut value = serde_json::to_value(HolderJson::of(holder)).unwrap();
        value
            .as_object_mut()
            .unwrap()
            .retain(|_, part| !part.is_null());
        value
    }

    #[test]
    fn every_kind_has_its_parts_and_its_words() {
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
                    "text": "the ext4 on rbd0, which is unmounted but not written back yet (is the cluster there?)",
                }),
            ),
        ];
        for (holder, expected) in rows {
            assert_eq!(parts(&holder), expected);
        }
    }
}
