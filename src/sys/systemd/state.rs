//! What systemd says of itself and of a unit, as plain data, and the reason of a failure in words.
//!
//! The strings are those of org.freedesktop.systemd1(5), which adds to them from release to release; so they stay
//! strings where nothing is decided by them.

/// What `systemctl is-system-running` prints.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SystemState {
    /// Before basic.target.
    Initializing,
    /// Jobs of the boot are still waiting or running.
    Starting,
    /// All is up.
    Running,
    /// All is up but for some failed units.
    Degraded,
    /// The rescue or the emergency shell.
    Maintenance,
    /// Going down.
    Stopping,
    /// A state newer than this program, or `offline`, `unknown`.
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

/// The two states of a unit that systemd tells of many at once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BriefState {
    /// LoadState, as in [`UnitState`]; empty where systemd has not loaded the unit.
    pub load: String,
    /// ActiveState, as in [`UnitState`].
    pub active: String,
}

impl BriefState {
    /// As it is of a unit that systemd has not loaded.
    pub fn inactive() -> Self {
        Self {
            load: String::new(),
            active: "inactive".to_owned(),
        }
    }

    /// It is up: a service has run or runs, a mount is mounted.
    pub fn is_active(&self) -> bool {
        matches!(self.active.as_str(), "active" | "reloading")
    }

    /// It is up, on its way, or will be tried again: it can be stopped.
    pub fn is_wanted_up(&self) -> bool {
        self.is_active() || self.active == "activating"
    }

    /// It is not up, and neither on its way up or down nor to be tried again.
    pub fn is_down(&self) -> bool {
        matches!(self.active.as_str(), "inactive" | "failed")
    }

    /// It is not up and it, or the last run of it, may say why.
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
    /// SubState: the same in more detail, by the unit's type.
    pub sub: String,
    /// NeedDaemonReload: its files have changed since systemd read them.
    pub needs_reload: bool,
    /// Result: how it ended last, `success` if well; empty for types that have none.
    pub result: String,
    /// StatusText: what the service said last by STATUS= (sd_notify(3)).
    pub status: String,
}

impl UnitState {
    /// Whether its program failed without a word that systemd would know.
    pub fn is_at_a_loss(&self) -> bool {
        self.result == "exit-code" && self.status.is_empty()
    }

    /// Why it is not as it should be, in the unit's own words before systemd's.
    pub fn reason(&self) -> String {
        match self.load.as_str() {
            "loaded" | "" => {}
            "not-found" => return "systemd has no such unit".to_owned(),
            "masked" => return "the unit is masked".to_owned(),
            _ => {
                return format!(
                    "systemd cannot use the unit's file ({}); `systemctl status` says more",
                    self.load
                );
            }
        }
        // What a unit said last is of its last run: where nothing was run, it is of an earlier one.
        let last_words = || {
            if self.status.is_empty() {
                String::new()
            } else {
                format!(" (it said: {})", self.status)
            }
        };
        match self.result.as_str() {
            "exit-code" if !self.status.is_empty() => self.status.clone(),
            "" | "success" if self.active == "activating" && !self.status.is_empty() => {
                self.status.clone()
            }
            "" | "success" => format!("it is {} ({})", self.active, self.sub),
            "timeout" => format!("it took longer than its unit allows{}", last_words()),
            "exit-code" => {
                "its program ended with an error; `systemctl status` of its unit says more"
                    .to_owned()
            }
            "signal" | "core-dump" => format!("its program was killed{}", last_words()),
            "start-limit-hit" => "it failed too often in a short time".to_owned(),
            "resources" => "systemd lacked the resources to run its program".to_owned(),
            other => format!("its result is {other}"),
        }
    }
}
