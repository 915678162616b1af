//! Reads what systemd knows: the state of the system, of units, and their jobs.

use std::collections::{HashMap, HashSet};

use anyhow::{Context, Result};
use zbus::proxy::CacheProperties;

use super::manager::{Manager, summarize};
use super::proxy::{self, JobProxy, ListedJob, ListedUnit, UnitProxy};
use super::state::{BriefState, SystemState, UnitState};
use crate::model::unit_name;

impl Manager {
    /// What the whole system does: it starts, runs or stops.
    pub fn system_state(&self) -> Result<SystemState> {
        let state = self.call(async { self.manager_proxy().await?.system_state().await });
        let state = state.context("asking systemd for the state of the system")?;
        Ok(SystemState::from(state))
    }

    /// The state of one unit, which systemd loads if necessary. The load state of a unit that does not exist is
    /// `not-found`. The properties are read one by one: if the unit changes meanwhile, they may not fit together.
    pub fn unit_state(&self, name: &str) -> Result<UnitState> {
        self.call(self.read_unit_state(name))
            .with_context(|| format!("asking systemd for the state of {name}"))
    }

    async fn read_unit_state(&self, name: &str) -> zbus::Result<UnitState> {
        let path = self.manager_proxy().await?.load_unit(name).await?;
        let unit = UnitProxy::builder(&self.connection)
            .path(&path)
            .cache_properties(CacheProperties::No);
        let unit = unit.build().await?;
        // A call for each property: GetAll would return a hundred others too.
        let (result, status) = proxy::result_and_status(&self.connection, &path, name).await?;
        Ok(UnitState {
            load: unit.load_state().await?,
            active: unit.active_state().await?,
            sub: unit.sub_state().await?,
            result,
            status,
        })
    }

    /// The number of automatic restarts of a service since somebody last requested its start.
    pub fn restart_count(&self, name: &str) -> Result<u32> {
        let count = self.call(async {
            let path = self.manager_proxy().await?.load_unit(name).await?;
            proxy::restart_count(&self.connection, &path).await
        });
        count.with_context(|| format!("asking systemd for the number of restarts of {name}"))
    }

    /// The states of units by name, in one call. systemd loads those that are not loaded.
    pub fn unit_states(&self, names: &[String]) -> Result<HashMap<String, BriefState>> {
        let units =
            self.call(async { self.manager_proxy().await?.list_units_by_names(names).await });
        let units = units
            .with_context(|| format!("asking systemd for the states of {}", summarize(names)))?;
        Ok(by_name(units))
    }

    /// The states of the loaded units whose names match one of these patterns. A unit that is missing here is inactive.
    /// systemd loads none for this call: to load many would take it long.
    pub fn loaded_units(&self, patterns: &[&str]) -> Result<HashMap<String, BriefState>> {
        Ok(by_name(self.list_units(&[], patterns)?))
    }

    /// The units whose names match one of these patterns and that are up or starting.
    pub fn active_units(&self, patterns: &[&str]) -> Result<Vec<String>> {
        let units = self.list_units(&["active", "activating", "reloading"], patterns)?;
        Ok(units.into_iter().map(|unit| unit.name).collect())
    }

    fn list_units(&self, states: &[&str], patterns: &[&str]) -> Result<Vec<ListedUnit>> {
        let units = self.call(async {
            self.manager_proxy()
                .await?
                .list_units_by_patterns(states, patterns)
                .await
        });
        units.with_context(|| format!("asking systemd for the units {}", patterns.join(", ")))
    }

    /// The type of a unit's job, such as `stop` or `restart`; `None` if it has no job.
    pub fn job_type(&self, unit: &str) -> Result<Option<String>> {
        let kind = self.call(async {
            let (id, path) = self.unit_proxy(unit).await?.job().await?;
            // Without a job the number is 0 and the object is `/`.
            if id == 0 {
                return Ok(None);
            }
            let job = JobProxy::builder(&self.connection)
                .path(path)
                .cache_properties(CacheProperties::No);
            job.build().await?.job_type().await.map(Some)
        });
        kind.with_context(|| format!("asking systemd for the job of {unit}"))
    }

    /// Whether a unit has a job.
    pub fn has_job(&self, unit: &str) -> Result<bool> {
        Ok(self.jobs()?.iter().any(|job| job.unit == unit))
    }

    /// The units that systemd is stopping now, without those of rbdmap.
    pub fn stopping_units(&self) -> Result<Vec<String>> {
        let mut jobs = self.jobs()?;
        // A unit of rbdmap that stops waits for the others, so it is no sign that they end.
        jobs.retain(|job| job.kind == "stop" && job.is_running() && !unit_name::is_own(&job.unit));
        Ok(jobs.into_iter().map(|job| job.unit).collect())
    }

    /// The units with a start job, waiting or running.
    pub fn starting_units(&self) -> Result<Vec<String>> {
        let mut jobs = self.jobs()?;
        jobs.retain(|job| job.kind == "start");
        Ok(jobs.into_iter().map(|job| job.unit).collect())
    }

    /// The units with a running job of any type.
    pub fn units_with_running_jobs(&self) -> Result<HashSet<String>> {
        let mut jobs = self.jobs()?;
        jobs.retain(ListedJob::is_running);
        Ok(jobs.into_iter().map(|job| job.unit).collect())
    }

    fn jobs(&self) -> Result<Vec<ListedJob>> {
        self.call(async { self.manager_proxy().await?.list_jobs().await })
            .context("asking systemd for its jobs")
    }
}

fn by_name(units: Vec<ListedUnit>) -> HashMap<String, BriefState> {
    let mut states = HashMap::with_capacity(units.len());
    for unit in units {
        let state = BriefState {
            load: unit.load,
            active: unit.active,
        };
        states.insert(unit.name, state);
    }
    states
}

#[cfg(test)]
mod tests {
    use super::super::fake::fake_manager;
    use super::*;

    #[test]
    fn the_system_and_its_units_have_states() {
        let (_root, manager) = fake_manager();
        assert_eq!(manager.system_state().unwrap(), SystemState::Degraded);
        let unit = manager.unit_state("x.service").unwrap();
        assert_eq!(
            (unit.sub.as_str(), unit.result.as_str()),
            ("failed", "exit-code")
        );
    }

    #[test]
    fn a_target_has_no_result() {
        let (_root, manager) = fake_manager();
        assert_eq!(manager.unit_state("x.target").unwrap().result, "");
    }

    #[test]
    fn stopping_units_are_those_with_a_running_stop_job_that_are_not_ours() {
        let (_root, manager) = fake_manager();
        assert_eq!(manager.stopping_units().unwrap(), ["database.service"]);
    }

    #[test]
    fn starting_units_include_those_whose_job_waits() {
        let (_root, manager) = fake_manager();
        assert_eq!(
            manager.starting_units().unwrap(),
            ["poweroff.target", "late.service"]
        );
    }
}
