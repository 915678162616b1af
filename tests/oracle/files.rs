//! The questions to one file, answered by Ceph's commands and by our parsers.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::{Command, Output};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::config::ceph_conf::{CephConf, Identity};
use super::config::keyring::from_keyring;
use super::{Question, Reading};

/// A client with sections of its own in the files, and one without.
const USERS: [&str; 2] = ["boot", "admin"];

/// `ceph-conf --lookup` of every key in a ceph.conf, by both clients.
pub fn conf(file: &Path) -> Vec<Question> {
    let text = text(file);
    let parsed = CephConf::parse(file, &text).ok();
    let wanted = wanted(file);
    let mut questions = Vec::new();
    for user in USERS {
        for key in keys(&text) {
            let ours = match &parsed {
                None => Reading::Refused,
                Some(conf) => conf
                    .value(&identity(user), &key)
                    .map_or(Reading::Nothing, Reading::Value),
            };
            let asked = ceph(
                "ceph-conf",
                file,
                user,
                &["--cluster", "oracle", "--lookup", &key],
            );
            let theirs = match asked.status.code() {
                Some(0) => Reading::Value(line(&asked)),
                Some(1) if asked.stderr.trim_ascii().is_empty() => Reading::Nothing,
                // It says where the fault is; or, in the face of what is not ASCII, aborts.
                _ => Reading::Refused,
            };
            let what = format!("client.{user}: {key}");
            questions.push(Question {
                what,
                theirs,
                ours,
                wanted: wanted.get(&key).cloned(),
            });
        }
    }
    questions
}

/// `ceph-authtool --print-key` of both clients of a keyring.
pub fn keyring(file: &Path) -> Vec<Question> {
    let text = text(file);
    let ask = |user: &&str| {
        let ours = match from_keyring(file, &text, user) {
            Ok(Some(secret)) => Reading::Value(STANDARD.encode(secret.bytes())),
            Ok(None) => Reading::Nothing,
            Err(_) => Reading::Refused,
        };
        let asked = ceph("ceph-authtool", file, user, &["--print-key"]);
        let theirs = match asked.status.code() {
            Some(0) => Reading::Value(line(&asked)),
            Some(1) if String::from_utf8_lossy(&asked.stderr).contains("not found") => {
                Reading::Nothing
            }
            _ => Reading::Refused,
        };
        Question {
            what: format!("client.{user}"),
            theirs,
            ours,
            wanted: wanted(file).get(*user).cloned(),
        }
    };
    USERS.iter().map(ask).collect()
}

/// Ceph's command, without what this machine's own ceph.conf and environment say.
fn ceph(command: &str, file: &Path, user: &str, arguments: &[&str]) -> Output {
    let mut asked = Command::new(command);
    match command {
        "ceph-conf" => asked.arg("-c").arg(file),
        _ => asked.args(["-c", "/dev/null"]).arg(file),
    };
    asked
        .args(["--name", &format!("client.{user}")])
        .args(arguments);
    asked
        .env_remove("CEPH_ARGS")
        .env_remove("CEPH_CONF")
        .env_remove("CEPH_KEYRING");
    asked
        .output()
        .unwrap_or_else(|error| panic!("running {command}: {error}"))
}

fn line(output: &Output) -> String {
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    text.strip_suffix('\n').map(str::to_owned).unwrap_or(text)
}

/// As the program reads files: what is not UTF-8 becomes U+FFFD.
fn text(file: &Path) -> String {
    let bytes = std::fs::read(file).expect("the file is in the repository");
    String::from_utf8_lossy(&bytes).into_owned()
}

fn identity(user: &str) -> Identity {
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname").expect("Linux has it");
    let host = host.trim().split('.').next().unwrap_or_default().to_owned();
    Identity {
        cluster: "oracle".to_owned(),
        user: user.to_owned(),
        host,
    }
}

/// Whatever stands before a `=`, if it could be a key, and one that a file of nonsense can be asked for.
fn keys(text: &str) -> BTreeSet<String> {
    let left = |line: &str| {
        line.split_once('=')
            .map(|(left, _)| left.split_whitespace().collect::<Vec<_>>().join("_"))
    };
    let is_key = |key: &String| {
        key.bytes()
            .all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-')
            && !key.is_empty()
    };
    text.lines()
        .filter_map(left)
        .filter(is_key)
        .chain(["fsid".to_owned()])
        .collect()
}

/// What the file's `.ours` says: `key = value` where we read what Ceph does not, `key` where we read nothing, `key !` where
/// we refuse the file. It begins with the reason.
fn wanted(file: &Path) -> BTreeMap<String, Reading> {
    let Ok(text) = std::fs::read_to_string(file.with_extension("ours")) else {
        return BTreeMap::new();
    };
    assert!(
        text.starts_with("# "),
        "{}: no reason in its .ours",
        file.display()
    );
    let row = |line: &str| match line.split_once(" = ") {
        Some((key, value)) => (key.to_owned(), Reading::Value(value.to_owned())),
        None => match line.strip_suffix(" !") {
            Some(key) => (key.to_owned(), Reading::Refused),
            None => (line.to_owned(), Reading::Nothing),
        },
    };
    text.lines().skip(1).map(row).collect()
}
