//! Policies for lines of options.

use super::*;
use crate::model::fstab_entry::FstabSource;

fn entry(options: &str) -> FstabEntry {
    FstabEntry {
        source: "/dev/rbd/rbd/a".into(),
        target: "/a".into(),
        fstype: "xfs".into(),
        options: options.split(',').map(str::to_owned).collect(),
        pass: 0,
        path: "/etc/fstab".into(),
        declared_in: FstabSource::Fstab,
    }
}

/// `letters`: `a` for auto, `n` for nofail, `m` for automount.
fn policy(systemd_unit: SystemdUnit, letters: &str) -> MountPolicy {
    let has = |letter| letters.contains(letter);
    MountPolicy {
        systemd_unit,
        auto: has('a'),
        nofail: has('n'),
        automount: has('m'),
    }
}

#[test]
fn the_policy_follows_from_the_options() {
    let rows = [
        ("noauto", policy(SystemdUnit::Local, "")),
        ("rw,noauto,noatime", policy(SystemdUnit::Local, "")),
        ("auto,noauto", policy(SystemdUnit::Local, "")),
        ("noauto,_netdev", policy(SystemdUnit::Remote, "")),
        (
            "_netdev,noauto,x-systemd.anything-new",
            policy(SystemdUnit::Remote, ""),
        ),
        ("noauto,nofail,fail", policy(SystemdUnit::Local, "")),
        ("noauto,nofail", policy(SystemdUnit::Unordered, "n")),
        (
            "noauto,nofail,x-systemd.automount",
            policy(SystemdUnit::Local, "anm"),
        ),
        ("defaults", policy(SystemdUnit::Local, "a")),
        ("nofail", policy(SystemdUnit::Local, "an")),
        ("_netdev,nofail", policy(SystemdUnit::Remote, "an")),
        (
            "noauto,_netdev,x-systemd.automount",
            policy(SystemdUnit::Remote, "am"),
        ),
        (
            "noauto,comment=systemd.automount",
            policy(SystemdUnit::Local, "am"),
        ),
    ];
    for (options, expected) in rows {
        assert_eq!(
            MountPolicy::new(&entry(options)).unwrap(),
            expected,
            "{options}"
        );
    }
    let nfs = FstabEntry {
        fstype: "nfs".into(),
        ..entry("defaults")
    };
    assert_eq!(
        MountPolicy::new(&nfs).unwrap(),
        policy(SystemdUnit::Remote, "a")
    );
    assert_eq!(
        MountPolicy::for_declared(&entry("defaults,_netdev")).unwrap(),
        policy(SystemdUnit::Missing, "")
    );
}

#[test]
fn an_entry_that_cannot_be_served_is_refused_with_the_remedy() {
    let rows = [
        ("noauto,x-initrd.mount", "remove it"),
        ("noauto,x=\n[Service]", "cannot be written into a unit"),
    ];
    for (options, expected) in rows {
        let reason = MountPolicy::new(&entry(options)).unwrap_err().to_string();
        assert!(reason.contains(expected), "{options}: {reason}");
    }
}

#[test]
fn a_declared_mount_with_an_option_for_systemds_generator_is_refused() {
    let reason = MountPolicy::for_declared(&entry("_netdev,x-systemd.makefs")).unwrap_err();
    assert_eq!(
        reason.to_string(),
        "x-systemd.makefs works only in fstab; declare the mount there"
    );
}

#[test]
fn options_without_effect_in_an_early_unit_are_found() {
    let rows = [
        ("noauto,x-systemd.pcrfs", &["x-systemd.pcrfs"][..]),
        ("noauto,x-systemd.requires=a", &["x-systemd.requires"]),
        (
            "noauto,x-systemd.requires=a@b.service,x-systemd.after=/srv/x,x-systemd.makefs",
            &[],
        ),
    ];
    for (options, expected) in rows {
        assert_eq!(ignored_options(&entry(options)), expected, "{options}");
    }
}
