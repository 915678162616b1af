//! Answers of the kernel, and the sentences about them.

use super::*;
use std::io;

pub fn facts() -> RequestFacts {
    RequestFacts {
        spec: "rbd/nope".parse().unwrap(),
        user: "boot".into(),
        monitors: vec!["1.2.3.4:3300".parse().unwrap()],
        options: "ms_mode=secure,bogus".into(),
        fsid: Some("3ce3a1c7-6252-4b9a-a726-cb0523be48d4".into()),
        missing_key: None,
        lock_holders: Vec::new(),
    }
}

fn failure(error: &BusError, lines: &[&str]) -> MapFailure {
    let lines: Vec<String> = lines.iter().map(|line| (*line).to_owned()).collect();
    map_failure(
        &facts(),
        error,
        KernelContext {
            lines: &lines,
            mapped: &[],
            had_session: false,
        },
    )
}

fn kernel(errno: i32) -> BusError {
    BusError::Kernel(io::Error::from_raw_os_error(errno))
}

/// The failure with this errno has each of the parts in its sentence.
fn assert_parts(errno: i32, lines: &[&str], parts: &[&str]) {
    let failure = failure(&kernel(errno), lines);
    for part in parts {
        assert!(failure.why.contains(part), "{part:?} in {failure}");
    }
    assert!(!failure.why.contains('\n'));
    assert_eq!(failure.errno, Some(errno));
}

#[test]
fn only_a_time_out_or_a_lack_of_resources_is_transient() {
    // ETIMEDOUT, EAGAIN.
    for errno in [110, 11] {
        assert!(failure(&kernel(errno), &[]).is_transient, "{errno}");
    }
    // ENOENT, EPERM, EIO (a parent that was deleted), EACCES, EINVAL, ENXIO, EROFS, EBUSY, ESHUTDOWN.
    for errno in [2, 1, 5, 13, 22, 6, 30, 16, 108] {
        assert!(!failure(&kernel(errno), &[]).is_transient, "{errno}");
    }
    assert!(!failure(&BusError::NoAnswer, &[]).is_transient);
    assert!(!failure(&BusError::Killed, &[]).is_transient);
}

/// The lines are those of Linux 6.1.
#[test]
fn an_errno_about_the_image_has_a_cause_and_a_remedy() {
    assert_parts(
        2,
        &["rbd: image rbd/nope does not exist"],
        &[
            "does not exist",
            "rbd ls",
            "the kernel: rbd: image rbd/nope",
        ],
    );
    assert_parts(
        5,
        &["libceph: no pool with id 7"],
        &["I/O error", "parent", "also logged: libceph: no pool"],
    );
    assert_parts(
        6,
        &["rbd: image nope: image uses unsupported features: 0x40"],
        &["rbd feature disable rbd/nope journaling"],
    );
    assert_parts(6, &[], &["rbd info rbd/nope"]);
    assert_parts(
        22,
        &["rbd: rbd0: exclusive-lock feature is not enabled"],
        &["rbd feature enable rbd/nope exclusive-lock"],
    );
    assert_parts(
        30,
        &["rbd: rbd0: peer will not release lock"],
        &["exclusive lock", "rbd lock ls rbd/nope"],
    );
    assert_parts(
        16,
        &["rbd: rbd0: locked by external mechanism, tag/cookie x"],
        &["rbd lock ls rbd/nope", "tag/cookie x"],
    );
}

/// The lines are those of Linux 6.1.
#[test]
fn an_errno_about_the_client_has_a_cause_and_a_remedy() {
    assert_parts(1, &[], &["root", "client.boot", "profile rbd"]);
    assert_parts(
        13,
        &["libceph: auth protocol 'cephx' msgr authentication failed: -13"],
        &["client.boot", "ceph auth get"],
    );
    assert_parts(
        13,
        &["rbd: rbd0: failed to blocklist client4: -13"],
        &["not permitted to break it", "`profile rbd`"],
    );
    assert_parts(
        22,
        &["rbd: Unknown parameter 'bogus'"],
        &["option", "bogus"],
    );
    assert_parts(108, &[], &["blocklist"]);
    assert_parts(
        110,
        &["libceph: mon0 (2)1.2.3.4:3300 connect error"],
        &["1.2.3.4:3300", "mon_host"],
    );
    assert_parts(524, &[], &["type of the key of client.boot"]);
}

#[test]
fn a_client_without_a_key_learns_where_the_key_was_looked_for() {
    let facts = RequestFacts {
        missing_key: Some("none of the keyrings /k exists".into()),
        ..facts()
    };
    for errno in [13, 22] {
        let failure = map_failure(&facts, &kernel(errno), KernelContext::NOTHING);
        assert_eq!(
            failure.why,
            "client.boot has no key: none of the keyrings /k exists"
        );
    }
}

#[test]
fn the_clients_that_have_the_lock_are_named_if_they_are_known() {
    let facts = facts().with_lock_holders(vec![
        "client.4 (192.0.2.7:0/1)".into(),
        "client.5 (192.0.2.8:0/2)".into(),
    ]);
    for errno in [30, 16] {
        let why = map_failure(&facts, &kernel(errno), KernelContext::NOTHING).why;
        assert!(
            why.ends_with(
                ": client.4 (192.0.2.7:0/1), client.5 (192.0.2.8:0/2); unmap the image there"
            ),
            "{why}"
        );
    }
}

#[test]
fn a_time_out_names_what_did_not_answer() {
    let session = "libceph: mon0 (2)1.2.3.4:3300 session established";
    let rows: [(&[&str], &str); 3] = [
        (&[], "quorum"),
        (&[session], "OSDs do not"),
        (&[session, "rbd: rbd0: no lock owners detected"], "lock"),
    ];
    for (lines, part) in rows {
        let failure = failure(&BusError::NoAnswer, lines);
        assert!(failure.why.contains(part), "{failure}");
    }
}

#[test]
fn a_key_that_the_kernel_refuses_is_explained() {
    let quota = failure(&BusError::Key(io::Error::from_raw_os_error(122)), &[]);
    assert!(
        quota.why.contains("quota") && quota.errno == Some(122),
        "{quota}"
    );
}
