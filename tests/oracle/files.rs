//! The lookups in one file, by Ceph's commands and by our parsers.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::{Command, Output};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::config::ceph_conf::{CephConf, Identity};
use super::config::keyring::from_keyring;
use super::{Lookup, Reading};

/// A client with its own sections in the files, and one without.
const USERS: [&str; 2] = ["boot", "admin"];

/// `ceph-conf --lookup` of every key of a ceph.conf, for both clients.
pub fn conf(file: &Path) -> Vec<Lookup> {
    let text = text(file);
    let parsed = CephConf::parse(file, &text).ok();
    let intended = intended(file);
    let mut lookups = Vec::new();
    for user in USERS {
        for key in keys(&text) {
            let ours = match &parsed {
                None => Reading::Rejected,
                Some(conf) => conf
                    .value(&identity(user), &key)
                    .map_or(Reading::Nothing, Reading::Value),
            };
            let output = ceph(
                "ceph-conf",
                file,
                user,
                &["--cluster", "oracle", "--lookup", &key],
            );
            let theirs = match output.status.code() {
                Some(0) => Reading::Value(line(&output)),
                Some(1) if output.stderr.trim_ascii().is_empty() => Reading::Nothing,
                // It reports the faulty line, or aborts at a character beyond ASCII.
                _ => Reading::Rejected,
            };
            let what = format!("client.{user}: {key}");
            lookups.push(Lookup {
                what,
                theirs,
                ours,
                intended: intended.get(&key).cloned(),
            });
        }
    }
    lookups
}

/// `ceph-authtool --print-key` of a keyring, for both clients.
pub fn keyring(file: &Path) -> Vec<Lookup> {
    let text = text(file);
    let look_up = |user: &&str| {
        let ours = match from_keyring(file, &text, user) {
            Ok(Some(secret)) => Reading::Value(STANDARD.encode(secret.bytes())),
            Ok(None) => Reading::Nothing,
            Err(_) => Reading::Rejected,
        };
        let output = ceph("ceph-authtool", file, user, &["--print-key"]);
        let theirs = match output.status.code() {
            Some(0) => Reading::Value(line(&output)),
            Some(1) if String::from_utf8_lossy(&output.stderr).contains("not found") => {
                Reading::Nothing
            }
            _ => Reading::Rejected,
        };
        Lookup {
            what: format!("client.{user}"),
            theirs,
            ours,
            intended: intended(file).get(*user).cloned(),
        }
    };
    USERS.iter().map(look_up).collect()
}

/// Runs a command of Ceph without the ceph.conf and the environment variables of this machine.
fn ceph(command: &str, file: &Path, user: &str, arguments: &[&str]) -> Output {
    let mut process = Command::new(command);
    match command {
        "ceph-conf" => process.arg("-c").arg(file),
        _ => process.args(["-c", "/dev/null"]).arg(file),
    };
    process
        .args(["--name", &format!("client.{user}")])
        .args(arguments);
    process
        .env_remove("CEPH_ARGS")
        .env_remove("CEPH_CONF")
        .env_remove("CEPH_KEYRING");
    process
        .output()
        .unwrap_or_else(|error| panic!("running {command}: {error}"))
}

fn line(output: &Output) -> String {
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    text.strip_suffix('\n').map(str::to_owned).unwrap_or(text)
}

/// A file's text as the program reads it: bytes that are not UTF-8 become U+FFFD.
fn text(file: &Path) -> String {
    let bytes = std::fs::read(file).expect("the file is in the repository");
    String::from_utf8_lossy(&bytes).into_owned()
}

fn identity(user: &str) -> Identity {
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname").expect("Linux has this file");
    let host = host.trim().split('.').next().unwrap_or_default().to_owned();
    Identity {
        cluster: "oracle".to_owned(),
        user: user.to_owned(),
        host,
    }
}

/// The keys of a file: every text before a `=` that can be a key, and `fsid`, so that no file is without a lookup.
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

/// The intended differences in a file's `.ours`: `key = value` if we read another value than Ceph, `key` if we read none,
/// `key !` if we reject the file. The first line is the reason.
fn intended(file: &Path) -> BTreeMap<String, Reading> {
    let Ok(text) = std::fs::read_to_string(file.with_extension("ours")) else {
        return BTreeMap::new();
    };
    assert!(
        text.starts_with("# "),
        "{}: its .ours lacks the reason",
        file.display()
    );
    let row = |line: &str| match line.split_once(" = ") {
        Some((key, value)) => (key.to_owned(), Reading::Value(value.to_owned())),
        None => match line.strip_suffix(" !") {
            Some(key) => (key.to_owned(), Reading::Rejected),
            None => (line.to_owned(), Reading::Nothing),
        },
    };
    text.lines().skip(1).map(row).collect()
}
