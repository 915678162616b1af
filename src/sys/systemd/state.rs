//! The states of the system and of units as plain data.
//!
//! The strings are those of org.freedesktop.systemd1(5). New releases of systemd add values, so a value stays a string
//! unless the program branches on all of them.

/// What `systemctl is-system-running` prints.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SystemState {
    /// Before basic.target.
    Initializing,
    /// Jobs of the boot still wait or run.
    Starting,
    /// Boot has finished.
    Running,
    /// Boot has finished, and some units failed.
    Degraded,
    /// The rescue or the emergency shell.
    Maintenance,
    /// Shutdown.
    Stopping,
    /// `offline`, `unknown`, or a state that is newer than this program.
    Other(String),
}

impl From<String> for SystemState {
    fn from(state: String) -> Self {
        match state.as_str() {
            "initializing" => Self::Initializing,
            "starting" => Self::Starting,
            "running" => Self::Running,
            "degraded" => Self::Degraded,
            "maintenance" => Self::Maintenance,
            "stopping" => Self::Stopping,
            _ => Self::Other(state),
        }
    }
}

/// The two states of a unit that systemd reports for many units in one call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BriefState {
    /// LoadState, as in [`UnitState`]; empty if systemd has not loaded the unit.
    pub load: String,
    /// ActiveState, as in [`UnitState`].
    pub active: String,
}

impl BriefState {
    /// The state of a unit that systemd has not loaded.
    pub fn inactive() -> Self {
        Self {
            load: String::new(),
            active: "inactive".to_owned(),
        }
    }

    /// Whether the unit is up: a service runs or has succeeded, a mount is mounted.
    pub fn is_active(&self) -> bool {
        matches!(self.active.as_str(), "active" | "reloading")
    }

    /// Whether the unit is up, starting, or waiting for its automatic restart. Only then can it be stopped.
    pub fn is_up_or_starting(&self) -> bool {
        self.is_active() || self.active == "activating"
    }

    /// Whether the unit is down and stays down: it is neither starting nor stopping, nor waiting for a restart.
    pub fn is_down(&self) -> bool {
        matches!(self.active.as_str(), "inactive" | "failed")
    }

    /// Whether the unit is not up, and its last or present run may show why.
    pub fn has_a_reason(&self) -> bool {
        !self.is_active() && self.active != "inactive"
    }
}

/// What systemd knows of a unit.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct UnitState {
    /// LoadState: `loaded`, `not-found`, `masked`, `bad-setting`, `error`.
    pub load: String,
    /// ActiveState: `active`, `inactive`, `failed`, `activating`, `deactivating`, `reloading`, `maintenance`.
    pub active: String,
    /// SubState: more precise than ActiveState, with values of the unit's type.
    pub sub: String,
    /// Result of the last run, `success` or a kind of failure; empty for types without it.
    pub result: String,
    /// StatusText: the last STATUS= of the service (sd_notify(3)).
    pub status: String,
}
