//! Why a unit is not up: in the words of its program where there are any, otherwise in those of systemd.

use anyhow::Result;

use super::manager::Manager;
use super::state::UnitState;
use crate::sys::journal::Journal;

impl Manager {
    /// Why a unit failed or is not up yet, from its status, from the journal, or from its result.
    pub fn failure_reason(&self, name: &str, journal: &Journal) -> Result<String> {
        let state = self.unit_state(name)?;
        // systemd killed mount(8) or umount(8) before it could print why.
        if state.result == "timeout" && name.ends_with(".mount") {
            return Ok("mounting or unmounting exceeded its time limit; \
                 check that the cluster's OSDs answer (`ceph osd stat`)"
                .to_owned());
        }
        // mount(8) and its like set no status; what they print is only in the journal.
        if state.result == "exit-code"
            && state.status.is_empty()
            && let Some(message) = journal.last_message(name)
        {
            return Ok(message);
        }
        Ok(state.reason())
    }
}

impl UnitState {
    /// Why the unit failed or is not up yet, as far as its state shows it.
    pub fn reason(&self) -> String {
        match self.load.as_str() {
            "loaded" | "" => self.run_reason(),
            "not-found" => "systemd has no such unit".to_owned(),
            "masked" => "the unit is masked".to_owned(),
            load => format!("systemd cannot use its unit file ({load}); see `systemctl status`"),
        }
    }

    /// Why the last run ended as it did, or why the present one has not ended.
    fn run_reason(&self) -> String {
        match self.result.as_str() {
            "exit-code" if !self.status.is_empty() => self.status.clone(),
            "" | "success" if self.active == "activating" && !self.status.is_empty() => {
                self.status.clone()
            }
            "" | "success" => format!("it is {} ({})", self.active, self.sub),
            "timeout" => format!(
                "it exceeded the time limit of its unit{}",
                self.last_status()
            ),
            "exit-code" => "its program failed; see `systemctl status`".to_owned(),
            "signal" | "core-dump" => format!("a signal killed its program{}", self.last_status()),
            "start-limit-hit" => "it failed too often in a short time".to_owned(),
            "resources" => "systemd lacked the resources to run its program".to_owned(),
            other => format!("its result is {other}"),
        }
    }

    /// The status in brackets. It is used only with results of a program that ran: after the others, such as
    /// `start-limit-hit`, systemd still has the status of an earlier run.
    fn last_status(&self) -> String {
        if self.status.is_empty() {
            String::new()
        } else {
            format!(" (last status: {})", self.status)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failed(result: &str, status: &str) -> UnitState {
        UnitState {
            load: "loaded".to_owned(),
            active: "failed".to_owned(),
            sub: "failed".to_owned(),
            result: result.to_owned(),
            status: status.to_owned(),
        }
    }

    #[test]
    fn the_status_of_the_program_comes_before_the_result() {
        assert_eq!(failed("exit-code", "no key").reason(), "no key");
        let starting = UnitState {
            active: "activating".to_owned(),
            ..failed("success", "waiting for monitors")
        };
        assert_eq!(starting.reason(), "waiting for monitors");
    }

    #[test]
    fn the_result_is_explained_with_the_last_status_of_a_program_that_ran() {
        let cases = [
            ("timeout", "", "it exceeded the time limit of its unit"),
            (
                "timeout",
                "mapping",
                "it exceeded the time limit of its unit (last status: mapping)",
            ),
            (
                "signal",
                "mapping",
                "a signal killed its program (last status: mapping)",
            ),
            (
                "start-limit-hit",
                "of an earlier run",
                "it failed too often in a short time",
            ),
            ("protocol", "", "its result is protocol"),
            ("success", "of an earlier run", "it is failed (failed)"),
        ];
        for (result, status, reason) in cases {
            assert_eq!(failed(result, status).reason(), reason);
        }
    }

    #[test]
    fn a_unit_that_is_not_loaded_has_no_other_reason() {
        let cases = [
            ("masked", "the unit is masked"),
            ("not-found", "systemd has no such unit"),
            (
                "bad-setting",
                "systemd cannot use its unit file (bad-setting); see `systemctl status`",
            ),
        ];
        for (load, reason) in cases {
            let unit = UnitState {
                load: load.to_owned(),
                ..failed("exit-code", "no key")
            };
            assert_eq!(unit.reason(), reason);
        }
    }
}
