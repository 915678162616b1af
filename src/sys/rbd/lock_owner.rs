//! Asks Ceph's own `rbd`, where it is installed, which client owns an image's exclusive lock: the kernel knows the owner from the
//! cluster, but does not report it.
//!
//!     rbd --conf /dev/null -m v2:ADDRESS,… --id USER --keyfile - lock ls --format json POOL/[NAMESPACE/]IMAGE
//!
//! prints `[{"id":"auto 18446462598732840961","locker":"client.4123","address":"192.0.2.7:0/2716"}]` (ceph
//! `src/tools/rbd/action/Lock.cc`). The key goes through standard input (`src/auth/KeyRing.cc`, the key file `-`), never on a
//! command line, which every user can read. Credentials and monitors are those that the kernel was given; no configuration
//! file of Ceph's can replace them.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Result, ensure};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use zeroize::Zeroizing;

use crate::model::image_spec::ImageSpec;
use crate::model::messenger::Messenger;
use crate::model::secret::Secret;
use crate::runtime::deadline::Deadline;
use crate::runtime::root::Root;
use crate::sys::subprocess::Program;

/// How long `rbd` may take. The result only completes an error message, so it must not delay that for long.
const RBD_TIMEOUT: Duration = Duration::from_secs(5);

/// How long a name or address from the cluster may be in a message.
const NAME_LIMIT: usize = 100;

/// What `rbd` needs to be asked about an image's lock.
pub struct LockQuestion<'a> {
    /// The image; a snapshot has no lock of its own.
    pub spec: &'a ImageSpec,
    /// The Ceph user without `client.`.
    pub user: &'a str,
    /// The user's key; `None` on clusters without authentication.
    pub secret: Option<&'a Secret>,
    /// Monitors that use `messenger`.
    pub monitors: &'a [SocketAddr],
    /// The messenger protocol of the monitors' addresses.
    pub messenger: Messenger,
}

/// A lock as `rbd` prints it.
#[derive(Debug, Deserialize)]
struct LockEntry {
    locker: String,
    address: String,
}

/// The owners of the lock, each as `client.4123 (192.0.2.7:0/2716)`; none if `rbd` is missing, fails or exceeds its time limit.
pub fn lock_holders(root: &Root, question: &LockQuestion<'_>) -> Vec<String> {
    run_rbd(root, question).map_or_else(|_| Vec::new(), |json| parse(&json))
}

fn run_rbd(root: &Root, question: &LockQuestion<'_>) -> Result<String> {
    let mut program = Program::new(root.rbd())
        .args(arguments(question))
        // Options in this variable would be added to those above.
        .env_remove("CEPH_ARGS");
    if let Some(secret) = question.secret {
        let text = STANDARD.encode(secret.bytes()).into_bytes();
        program = program.stdin(Zeroizing::new(text));
    }
    let output = program.run(&Deadline::after(RBD_TIMEOUT))?;
    ensure!(output.status.success(), "rbd failed: {}", output.status);
    Ok(output.stdout)
}

fn arguments(question: &LockQuestion<'_>) -> Vec<String> {
    let version = match question.messenger {
        Messenger::V1 => "v1",
        Messenger::V2 => "v2",
    };
    let addresses = question.monitors.iter();
    let monitors: Vec<String> = addresses
        .map(|address| format!("{version}:{address}"))
        .collect();
    let monitors = monitors.join(",");
    let image = ImageSpec {
        snapshot: None,
        ..question.spec.clone()
    };
    let image = image.to_string();
    let mut arguments = vec!["--conf", "/dev/null", "-m", &monitors];
    arguments.extend(["--id", question.user]);
    arguments.extend(match question.secret {
        Some(_) => ["--keyfile", "-"],
        None => ["--auth-client-required", "none"],
    });
    arguments.extend(["lock", "ls", "--format", "json", "--", &image]);
    arguments.into_iter().map(str::to_owned).collect()
}

fn parse(json: &str) -> Vec<String> {
    let locks: Vec<LockEntry> = serde_json::from_str(json).unwrap_or_default();
    locks
        .iter()
        .map(|lock| format!("{} ({})", printable(&lock.locker), printable(&lock.address)))
        .collect()
}

/// Names and addresses come from other clients of the cluster: escape sequences must not reach a terminal.
fn printable(text: &str) -> String {
    text.chars()
        .filter(|c| !c.is_control())
        .take(NAME_LIMIT)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::runtime::fake_root::FakeRoot;
    use std::fs;
    use std::time::Instant;

    const KEY: &str = "AQBDsTNnAAAAABAAq83vEjRWeJCrze8SNFZ4kA==";

    /// The owners of the lock of rbd/ns/a@s, and what was passed to `rbd`, which is this script.
    fn holders_by(script: &str) -> (Vec<String>, String) {
        let root = FakeRoot::new();
        root.write_program("usr/bin/rbd", &format!("#!/bin/sh\n{script}\n"));
        let spec = "rbd/ns/a@s".parse().unwrap();
        let secret = Secret::decode(KEY).unwrap();
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
        let holders = lock_holders(&root, &question);
        let passed = fs::read_to_string(root.join("usr/bin/passed")).unwrap_or_default();
        (holders, passed)
    }

    #[test]
    fn rbd_gets_the_kernels_credentials_and_no_key_on_its_command_line() {
        let (holders, passed) = holders_by(
            r#"{ echo "$@"; cat; } >"${0%/*}/passed"
            echo '[{"id":"auto 1","locker":"client.4","address":"192.0.2.7:0/2716"},{"id":"x","locker":"client.5","address":"\u001b[2J"}]'"#,
        );
        assert_eq!(holders, ["client.4 (192.0.2.7:0/2716)", "client.5 ([2J)"]);
        let arguments = "--conf /dev/null -m v2:192.0.2.1:3300,v2:192.0.2.2:3300 --id boot --keyfile - \
                         lock ls --format json -- rbd/ns/a";
        assert_eq!(passed, format!("{arguments}\n{KEY}"));
    }

    #[test]
    fn an_rbd_that_fails_prints_something_else_or_hangs_gives_no_owner() {
        let start = Instant::now();
        for script in [
            "exit 1",
            "echo '{}'",
            "echo '[{\"id\":1}]'",
            "sleep 600 & wait",
        ] {
            assert_eq!(holders_by(script).0, Vec::<String>::new(), "{script}");
        }
        assert!(start.elapsed() < Duration::from_secs(60));
    }
}
