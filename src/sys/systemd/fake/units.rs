//! The units of the fake manager: an image, its mount, and services that need it.

use zbus::{OwnedObjectPath, interface};

/// org.freedesktop.systemd1.Unit.
#[derive(Clone, Copy)]
pub struct FakeUnit {
    active: &'static str,
    required_by: &'static [&'static str],
    bound_by: &'static [&'static str],
    wanted_by: &'static [&'static str],
    started: u64,
}

/// Every unit that [`UNITS`] does not have.
pub const FAILED_UNIT: FakeUnit = FakeUnit {
    active: "failed",
    ..NEVER_STARTED
};

const NEVER_STARTED: FakeUnit = FakeUnit {
    active: "inactive",
    required_by: &[],
    bound_by: &[],
    wanted_by: &[],
    started: 0,
};

const ACTIVE: FakeUnit = FakeUnit {
    active: "active",
    started: 1_000_000,
    ..NEVER_STARTED
};

/// An image with a mount, on which services stand: some directly, some through others, some not running.
pub const UNITS: &[(&str, FakeUnit)] = &[
    (
        "rbdmap@rbd-a.service",
        FakeUnit {
            required_by: &["mnt-a.mount", "rbdmap-hook@rbd-a.service"],
            bound_by: &["systemd-fsck@dev-rbd-rbd-a.service"],
            ..ACTIVE
        },
    ),
    ("rbdmap-hook@rbd-a.service", ACTIVE),
    ("systemd-fsck@dev-rbd-rbd-a.service", ACTIVE),
    (
        "mnt-a.mount",
        FakeUnit {
            required_by: &["database.service", "stopped.service", "static.service"],
            bound_by: &["exporter.service", "database.service"],
            ..ACTIVE
        },
    ),
    (
        "database.service",
        FakeUnit {
            required_by: &["web.service"],
            wanted_by: &["multi-user.target"],
            ..ACTIVE
        },
    ),
    ("web.service", ACTIVE),
    ("exporter.service", ACTIVE),
    (
        "stopped.service",
        FakeUnit {
            required_by: &["unaffected.service"],
            wanted_by: &["multi-user.target"],
            ..NEVER_STARTED
        },
    ),
    ("unaffected.service", ACTIVE),
    ("static.service", NEVER_STARTED),
];

/// The object of a unit.
pub fn unit_path(name: &str) -> OwnedObjectPath {
    let name = name.replace(|letter: char| !letter.is_ascii_alphanumeric(), "_");
    OwnedObjectPath::try_from(format!("/org/freedesktop/systemd1/unit/{name}")).unwrap()
}

#[interface(name = "org.freedesktop.systemd1.Unit")]
impl FakeUnit {
    #[zbus(property)]
    fn load_state(&self) -> &str {
        "loaded"
    }

    #[zbus(property)]
    fn active_state(&self) -> &str {
        self.active
    }

    #[zbus(property)]
    fn sub_state(&self) -> &str {
        self.active
    }

    #[zbus(property)]
    fn required_by(&self) -> Vec<&str> {
        self.required_by.to_vec()
    }

    #[zbus(property)]
    fn bound_by(&self) -> Vec<&str> {
        self.bound_by.to_vec()
    }

    #[zbus(property)]
    fn wanted_by(&self) -> Vec<&str> {
        self.wanted_by.to_vec()
    }

    #[zbus(property)]
    fn inactive_exit_timestamp_monotonic(&self) -> u64 {
        self.started
    }
}

/// org.freedesktop.systemd1.Service.
pub struct FakeService;

#[interface(name = "org.freedesktop.systemd1.Service")]
impl FakeService {
    #[zbus(property)]
    fn result(&self) -> &str {
        "exit-code"
    }

    #[zbus(property)]
    fn status_text(&self) -> &str {
        "no such image"
    }
}
