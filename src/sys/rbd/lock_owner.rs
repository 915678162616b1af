//! Who has an image's exclusive lock, asked of Ceph's own `rbd` where that is installed: the kernel learns it from the cluster
//! and tells nobody.
//!
//!     rbd --conf /dev/null -m v2:ADDRESS,… --id USER --keyfile - lock ls --format json POOL/[NAMESPACE/]IMAGE
//!
//! prints `[{"id":"auto 18446462598732840961","locker":"client.4123","address":"192.0.2.7:0/2716"}]` (ceph
//! `src/tools/rbd/action/Lock.cc`). The key goes through its standard input (`src/auth/KeyRing.cc`, the key file `-`). With the
//! credentials and the monitors that the kernel was given, no file of Ceph's can say anything else.

use std::io::{self, Read, Write};
use std::net::SocketAddr;
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use zeroize::Zeroizing;

use crate::model::image_spec::ImageSpec;
use crate::model::messenger::Messenger;
use crate::model::secret::Secret;
use crate::runtime::deadline::{Deadline, Wait};
use crate::runtime::root::Root;
use crate::sys::subprocess;

/// What is only said to help may not take longer.
const PATIENCE: Duration = Duration::from_secs(5);
/// More than any list of locks.
const LONGEST_ANSWER: u64 = 65536;
/// More than any name or address.
const LONGEST_NAME: usize = 100;

/// What `rbd` needs to be asked about an image's lock.
pub struct LockQuestion<'a> {
    /// The image; a snapshot has no lock of its own.
    pub spec: &'a ImageSpec,
    /// The Ceph user without `client.`.
    pub user: &'a str,
    /// The user's key; `None` on clusters without authentication.
    pub secret: Option<&'a Secret>,
    /// Monitors that speak `messenger`.
    pub monitors: &'a [SocketAddr],
    /// The messenger that they speak.
    pub messenger: Messenger,
}

/// A lock as `rbd` prints it.
#[derive(Debug, Deserialize)]
struct Lock {
    locker: String,
    address: String,
}

/// Those who have the lock, each as `client.4123 (192.0.2.7:0/2716)`; nobody where that cannot be told.
pub fn lock_holders(root: &Root, question: &LockQuestion<'_>) -> Vec<String> {
    ask(root, question).map_or_else(|_| Vec::new(), |answer| holders(&answer))
}

fn ask(root: &Root, question: &LockQuestion<'_>) -> io::Result<String> {
    let mut command = Command::new(root.rbd());
    command
        .args(arguments(question))
        .env_remove("CEPH_ARGS")
        .process_group(0);
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()?;
    if let (Some(mut stdin), Some(secret)) = (child.stdin.take(), question.secret) {
        // One that does not listen has ended, or tells so at its end.
        let _ = stdin.write_all(Zeroizing::new(STANDARD.encode(secret.bytes())).as_bytes());
    }
    let (deadline, stdout) = (Deadline::after(PATIENCE), child.stdout.take());
    if !subprocess::end(&mut child, Wait::silent(&deadline))?.success() {
        return Err(io::Error::other("it failed"));
    }
    // It has ended, and a pipe holds more than this; but whatever it started may have the pipe open still.
    let read = move || {
        stdout.map_or(Ok(String::new()), |stdout| {
            io::read_to_string(stdout.take(LONGEST_ANSWER))
        })
    };
    deadline
        .run(read)
        .unwrap_or_else(|| Err(io::ErrorKind::TimedOut.into()))
}

fn arguments(question: &LockQuestion<'_>) -> Vec<String> {
    let version = match question.messenger {
        Messenger::V1 => "v1",
        Messenger::V2 => "v2",
    };
    let monitors: Vec<String> = question
        .monitors
        .iter()
        .map(|address| format!("{version}:{address}"))
        .collect();
    let image = ImageSpec {
        snapshot: None,
        ..question.spec.clone()
    }
    .to_string();
    let credential = match question.secret {
        Some(_) => ["--keyfile", "-"],
        None => ["--auth-client-required", "none"],
    };
    let cluster = [
        "--conf",
        "/dev/null",
        "-m",
        &monitors.join(","),
        "--id",
        question.user,
    ];
    let query = ["lock", "ls", "--format", "json", "--", &image];
    cluster
        .into_iter()
        .chain(credential)
        .chain(query)
        .map(str::to_owned)
        .collect()
}

/// What the cluster tells is what a client has said of itself.
fn holders(answer: &str) -> Vec<String> {
    let locks: Vec<Lock> = serde_json::from_str(answer).unwrap_or_default();
    let plain = |text: &str| {
        text.chars()
            .filter(|c| !c.is_control())
            .take(LONGEST_NAME)
            .collect::<String>()
    };
    locks
        .iter()
        .map(|lock| format!("{} ({})", plain(&lock.locker), plain(&lock.address)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::PermissionsExt;
    use std::time::Instant;

    /// What is said of rbd/ns/a@s when Ceph's command is this script.
    fn said(script: &str) -> (Vec<String>, String) {
        let folder = tempfile::tempdir().unwrap();
        let root = Root::new(folder.path());
        fs::create_dir_all(root.rbd().parent().unwrap()).unwrap();
        fs::write(root.rbd(), format!("#!/bin/sh\n{script}\n")).unwrap();
        fs::set_permissions(root.rbd(), fs::Permissions::from_mode(0o755)).unwrap();
        let (spec, secret) = ("rbd/ns/a@s".parse().unwrap(), Secret::decode(KEY).unwrap());
        let question = LockQuestion {
            spec: &spec,
            user: "boot",
            secret: Some(&secret),
            monitors: &[
                "192.0.2.1:3300".parse().unwrap(),
                "192.0.2.2:3300".parse().unwrap(),
            ],
            messenger: Messenger::V2,
        };
        let said = lock_holders(&root, &question);
        (
            said,
            fs::read_to_string(root.join("usr/bin/asked")).unwrap_or_default(),
        )
    }

    const KEY: &str = "AQBDsTNnAAAAABAAq83vEjRWeJCrze8SNFZ4kA==";

    #[test]
    fn the_image_is_asked_about_with_the_kernels_credentials_and_the_key_is_on_no_command_line() {
        let (said, asked) = said(
            r#"{ echo "$@"; cat; } >"${0%/*}/asked"
            echo '[{"id":"auto 1","locker":"client.4","address":"192.0.2.7:0/2716"},{"id":"x","locker":"client.5","address":"\u001b[2J"}]'"#,
        );
        assert_eq!(said, ["client.4 (192.0.2.7:0/2716)", "client.5 ([2J)"]);
        let arguments = "--conf /dev/null -m v2:192.0.2.1:3300,v2:192.0.2.2:3300 --id boot --keyfile - \
                         lock ls --format json -- rbd/ns/a";
        assert_eq!(asked, format!("{arguments}\n{KEY}"));
    }

    #[test]
    fn whoever_fails_prints_something_else_or_hangs_has_told_nobody() {
        let start = Instant::now();
        for script in [
            "exit 1",
            "echo '{}'",
            "echo '[{\"id\":1}]'",
            "sleep 600 & wait",
        ] {
            assert_eq!(said(script).0, Vec::<String>::new(), "{script}");
        }
        assert!(start.elapsed() < Duration::from_secs(60));
    }
}
