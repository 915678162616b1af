//! Answers of the kernel, and the sentences that come of them.

use super::*;
use std::io;

pub fn facts() -> RequestFacts {
    RequestFacts {
        spec: "rbd/nope".parse().unwrap(),
        user: "boot".into(),
        monitors: vec!["1.2.3.4:3300".parse().unwrap()],
        options: "ms_mode=secure,bogus".into(),
        fsid: Some("3ce3a1c7-6252-4b9a-a726-cb0523be48d4".into()),
        no_secret: None,
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

#[test]
fn what_may_pass_is_tried_again_and_nothing_else() {
    let may_pass = |error: &BusError| failure(error, &[]).is_transient;
    // ETIMEDOUT, EAGAIN; ENOENT, EPERM, EIO (a parent that is gone), EACCES, EINVAL, ENXIO, EROFS, EBUSY, ESHUTDOWN.
    assert!([110, 11].into_iter().all(|errno| may_pass(&kernel(errno))));
    assert!(
        ![2, 1, 5, 13, 22, 6, 30, 16, 108]
            .into_iter()
            .any(|errno| may_pass(&kernel(errno)))
    );
    assert!(!may_pass(&BusError::NoAnswer) && !may_pass(&BusError::Killed));
}

/// The lines are those of Linux 6.1.
#[test]
fn each_errno_is_a_cause_and_a_remedy() {
    let rows: [(i32, &[&str], &[&str]); 13] = [
        (
            2,
            &["rbd: image rbd/nope does not exist"],
            &[
                "does not exist",
                "rbd ls",
                "the kernel: rbd: image rbd/nope",
            ],
        ),
        (1, &[], &["root", "client.boot", "profile rbd"]),
        (
            5,
            &["libceph: no pool with id 7"],
            &["I/O error", "parent", "also said: libceph: no pool"],
        ),
        (
            13,
            &["libceph: auth protocol 'cephx' msgr authentication failed: -13"],
            &["client.boot", "ceph auth get"],
        ),
        (
            13,
            &["rbd: rbd0: failed to blocklist client4: -13"],
            &["may not break it", "`profile rbd`"],
        ),
        (
            6,
            &["rbd: image nope: image uses unsupported features: 0x40"],
            &["rbd feature disable rbd/nope journaling"],
        ),
        (
            22,
            &["rbd: Unknown parameter 'bogus'"],
            &["option", "bogus"],
        ),
        (
            22,
            &["rbd: rbd0: exclusive-lock feature is not enabled"],
            &["rbd feature enable rbd/nope exclusive-lock"],
        ),
        (
            30,
            &["rbd: rbd0: peer will not release lock"],
            &["exclusive lock", "rbd lock ls rbd/nope"],
        ),
        (
            16,
            &["rbd: rbd0: locked by external mechanism, tag/cookie x"],
            &["rbd lock ls rbd/nope", "tag/cookie x"],
        ),
        (108, &[], &["blocklist"]),
        (
            110,
            &["libceph: mon0 (2)1.2.3.4:3300 connect error"],
            &["1.2.3.4:3300", "mon_host"],
        ),
        (524, &[], &["type of the key of client.boot"]),
    ];
    for (errno, lines, parts) in rows {
        let failure = failure(&kernel(errno), lines);
        assert!(
            parts.iter().all(|part| failure.why.contains(part)),
            "{failure}"
        );
        assert!(!failure.why.contains('\n'));
        assert_eq!(failure.errno, Some(errno));
    }
}

#[test]
fn those_who_have_the_lock_are_named_where_they_are_known() {
    let facts = facts().with_lock_holders(vec![
        "client.4 (192.0.2.7:0/1)".into(),
        "client.5 (192.0.2.8:0/2)".into(),
    ]);
    let heard = KernelContext {
        lines: &[],
        mapped: &[],
        had_session: true,
    };
    for errno in [30, 16] {
        let why = map_failure(&facts, &kernel(errno), heard).why;
        assert!(
            why.ends_with(
                ": client.4 (192.0.2.7:0/1), client.5 (192.0.2.8:0/2); unmap the image there"
            ),
            "{why}"
        );
    }
}

#[test]
fn no_answer_says_what_did_not_answer() {
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
fn a_key_that_is_not_taken_is_explained() {
    let quota = failure(&BusError::Key(io::Error::from_raw_os_error(122)), &[]);
    assert!(
        quota.why.contains("quota") && quota.errno == Some(122),
        "{quota}"
    );
}
