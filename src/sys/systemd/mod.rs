//! A client of systemd's manager, PID 1, over D-Bus (org.freedesktop.systemd1(5)): ask what it knows of a unit, reload
//! it, start and stop units and follow their jobs.
//!
//! Every function blocks, in the calling thread, and returns within a stated bound. What to start, and whether at all,
//! is the caller's business; so is reading a unit's state after its job ([`Manager::unit`]), for the result of a job
//! tells only of the job. `connection` knows the two ways to PID 1 and `private` the odder of them, `jobs` follows a
//! batch, `outcome` says how each ended, `state` what a unit's state means.
//!
//! The surprises (all seen on systemd 252):
//! - a stop job is `done` also when the unit failed to stop, and a start job is `done` also when a condition of the
//!   unit did not hold and nothing was started;
//! - a job that someone else asks for replaces ours, which ends as `canceled`; the same job is shared;
//! - during a shutdown systemd still takes a start job, unless it is against one of the shutdown's;
//! - PID 1 answers nobody while it reloads; jobs and the private socket live through that, but only the jobs through
//!   `systemctl daemon-reexec`.

mod connection;
#[cfg(test)]
mod fake;
mod job_deadline;
mod jobs;
mod outcome;
mod private;
mod proxy;
mod state;
#[cfg(test)]
mod tests;

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use anyhow::{Context, Result};
use zbus::Connection;
use zbus::proxy::CacheProperties;

pub use outcome::{JobOutcome, JobReport};
pub use state::{BriefState, SystemState, UnitState};

use super::journal::Journal;
use crate::runtime::root::Root;
use connection::{Address, within};
use jobs::{Batch, Pace};
use proxy::{JobProxy, ManagerProxy, UnitProxy};

/// How long PID 1 may take to answer a call. It answers in milliseconds, but not while it reloads for someone else, and
/// the generators that run then have 90 s.
const CALL_LIMIT: Duration = Duration::from_secs(90);

/// Services that prepare a device or a mount for others and are bound to it; stopping them takes nothing from anybody.
const PREPARES: &[&str] = &[
    "systemd-fsck@",
    "systemd-growfs@",
    "systemd-makefs@",
    "systemd-mkswap@",
    "rbdmap",
];

/// How long PID 1 may take to reload, as systemctl(1) has it.
const RELOAD_LIMIT: Duration = Duration::from_secs(180);

/// A connection to the system's manager.
#[derive(Debug)]
pub struct Manager {
    connection: Connection,
    address: Address,
}

impl Manager {
    /// Connects to PID 1: by its private socket, which is open to root only and there without dbus-daemon as well, or
    /// else by the system bus.
    pub fn connect(root: &Root) -> Result<Self> {
        let private = Address::Private(root.systemd_socket());
        let bus = Address::Bus(root.join("run/dbus/system_bus_socket"));
        let (address, connection) = match private.open() {
            Ok(connection) => (private, connection),
            Err(reason) => {
                tracing::debug!("{reason:#}");
                let connection = bus.open().with_context(|| format!("{reason:#}; then"))?;
                (bus, connection)
            }
        };
        Ok(Self {
            connection,
            address,
        })
    }

    /// What the whole system is doing: starting, running, stopping.
    pub fn state(&self) -> Result<SystemState> {
        let state = within(CALL_LIMIT, async {
            self.manager().await?.system_state().await
        });
        Ok(SystemState::from(
            state.context("asking systemd for the system's state")?,
        ))
    }

    /// Makes PID 1 run its generators and read all units again (`systemctl daemon-reload`).
    pub fn reload(&self) -> Result<()> {
        within(RELOAD_LIMIT, async { self.manager().await?.reload().await })
            .context("asking systemd to reload its units")
    }

    /// Takes a unit out of the failed state, so that it can start whatever its start limit; no such unit is fine.
    pub fn reset_failed(&self, unit: &str) -> Result<()> {
        let reset = async {
            match self.manager().await?.reset_failed_unit(unit).await {
                Err(zbus::Error::MethodError(name, ..)) if name.as_str() == proxy::NO_SUCH_UNIT => {
                    Ok(())
                }
                answer => answer,
            }
        };
        within(CALL_LIMIT, reset)
            .with_context(|| format!("asking systemd to forget that {unit} failed"))
    }

    /// The state of one unit, which systemd loads if it has not. A unit that is not there has the load state
    /// `not-found`. The fields are read one after the other: a unit that changes meanwhile may show a mixture.
    pub fn unit(&self, name: &str) -> Result<UnitState> {
        within(CALL_LIMIT, self.read_unit(name))
            .with_context(|| format!("asking systemd for the state of {name}"))
    }

    /// How often systemd has started a service again by itself since somebody asked for it.
    pub fn restarts(&self, name: &str) -> Result<u32> {
        let restarts = async {
            let path = self.manager().await?.load_unit(name).await?;
            proxy::restarts(&self.connection, &path).await
        };
        within(CALL_LIMIT, restarts)
            .with_context(|| format!("asking systemd how often it has restarted {name}"))
    }

    /// Why a unit is not as it should be: in its own words, in those of its program, or in systemd's.
    pub fn reason(&self, name: &str, journal: &Journal) -> Result<String> {
        let state = self.unit(name)?;
        if state.result == "timeout" && name.ends_with(".mount") {
            return Ok(
                "mounting or unmounting has not ended in its time; do the cluster's OSDs answer?"
                    .to_owned(),
            );
        }
        let word = if state.is_at_a_loss() {
            journal.last_word(name)
        } else {
            None
        };
        Ok(word.unwrap_or_else(|| state.reason()))
    }

    /// The states of many units at once, by name, in one exchange.
    pub fn brief(&self, names: &[String]) -> Result<HashMap<String, BriefState>> {
        let rows = within(CALL_LIMIT, async {
            self.manager().await?.list_units_by_names(names).await
        });
        let rows =
            rows.with_context(|| format!("asking systemd for the states of {}", listed(names)))?;
        Ok(rows
            .into_iter()
            .map(|(name, _, load, active, ..)| (name, BriefState { load, active }))
            .collect())
    }

    /// The states of the units with names like one of these patterns that systemd has loaded. It loads none for the answer,
    /// which would take it a while for many; those that it has not are inactive.
    pub fn loaded(&self, patterns: &[&str]) -> Result<HashMap<String, BriefState>> {
        Ok(self
            .list(&[], patterns)?
            .into_iter()
            .map(|(name, _, load, active, ..)| (name, BriefState { load, active }))
            .collect())
    }

    /// The active services that systemd would stop with a unit: those that require it, or require a mount that does.
    pub fn services_that_need(&self, unit: &str) -> Result<Vec<String>> {
        within(CALL_LIMIT, self.follow_requirements(unit))
            .with_context(|| format!("asking systemd what needs {unit}"))
    }

    /// What is being done about a unit: the type of its job, such as `stop` or `restart`; nothing if it has none.
    pub fn job_of(&self, unit: &str) -> Result<Option<String>> {
        let job = within(CALL_LIMIT, async {
            let (number, path) = self.proxy(unit).await?.job().await?;
            if number == 0 {
                return Ok(None);
            }
            let job = JobProxy::builder(&self.connection)
                .path(path)
                .cache_properties(CacheProperties::No);
            job.build().await?.job_type().await.map(Some)
        });
        job.with_context(|| format!("asking systemd what it is doing about {unit}"))
    }

    /// Whether there is a job for a unit.
    pub fn has_job(&self, unit: &str) -> Result<bool> {
        Ok(self.jobs()?.iter().any(|(_, name, ..)| name == unit))
    }

    fn jobs(&self) -> Result<Vec<proxy::JobRow>> {
        let jobs = within(CALL_LIMIT, async {
            self.manager().await?.list_jobs().await
        });
        jobs.context("asking systemd for its jobs")
    }

    /// The units that are on their way down right now, but for ours.
    pub fn being_stopped(&self) -> Result<Vec<String>> {
        let is_stopping = |kind: &str, state: &str| kind == "stop" && state == "running";
        let stopping = self
            .jobs()?
            .into_iter()
            .filter(|(_, unit, kind, state, ..)| {
                is_stopping(kind, state) && !unit.starts_with("rbdmap")
            });
        Ok(stopping.map(|(_, unit, ..)| unit).collect())
    }

    /// The units that are to be started and are not up yet.
    pub fn being_started(&self) -> Result<Vec<String>> {
        let starting = self
            .jobs()?
            .into_iter()
            .filter(|(_, _, kind, ..)| kind == "start");
        Ok(starting.map(|(_, unit, ..)| unit).collect())
    }

    /// The units that systemd is doing something about right now.
    pub fn at_work(&self) -> Result<HashSet<String>> {
        let running = self
            .jobs()?
            .into_iter()
            .filter(|(_, _, _, state, ..)| state == "running");
        Ok(running.map(|(_, unit, ..)| unit).collect())
    }

    /// The units with names like one of these patterns that are up, or on their way.
    pub fn up(&self, patterns: &[&str]) -> Result<Vec<String>> {
        let rows = self.list(&["active", "activating", "reloading"], patterns)?;
        Ok(rows.into_iter().map(|(name, ..)| name).collect())
    }

    fn list(&self, states: &[&str], patterns: &[&str]) -> Result<Vec<proxy::UnitRow>> {
        let rows = within(CALL_LIMIT, async {
            self.manager()
                .await?
                .list_units_by_patterns(states, patterns)
                .await
        });
        rows.with_context(|| format!("asking systemd for {}", patterns.join(", ")))
    }

    /// Services that require one of these units, are enabled, and have not been started in this boot: a start that failed
    /// for want of the unit leaves no other trace.
    pub fn kept_waiting(&self, units: &[String]) -> Result<Vec<String>> {
        let waiting = within(CALL_LIMIT, async {
            let mut waiting = Vec::new();
            for name in units {
                for dependent in self.proxy(name).await?.required_by().await? {
                    let unit = self.proxy(&dependent).await?;
                    let has_run = unit.inactive_exit_timestamp_monotonic().await? != 0;
                    if dependent.ends_with(".service")
                        && !has_run
                        && !unit.wanted_by().await?.is_empty()
                    {
                        waiting.push(dependent);
                    }
                }
            }
            Ok(waiting)
        });
        waiting.with_context(|| format!("asking systemd what waits for {}", listed(units)))
    }

    /// Starts units, some dozens at a time, and follows their jobs until all are over or none has been done for `limit`;
    /// `done` hears of each as it comes and may ask this manager. The reports come in the order of completion. With a
    /// limit of zero it returns as soon as systemd has taken or refused every job. An error means that systemd can no
    /// longer be followed, not that a unit failed.
    pub fn start(
        &self,
        units: &[String],
        limit: Duration,
        done: &mut dyn FnMut(&JobReport),
    ) -> Result<Vec<JobReport>> {
        self.run(
            Batch {
                method: "StartUnit",
                units,
                limit,
                pace: Pace::STEADY,
            },
            done,
        )
        .with_context(|| format!("asking systemd to start {}", listed(units)))
    }

    /// Stops units, otherwise as [`Manager::start`] does, but nobody hears of one before the last. So no second connection is
    /// needed: PID 1 sends all its news, dozens for each unit, to every connection there is.
    pub fn stop(&self, units: &[String], limit: Duration) -> Result<Vec<JobReport>> {
        let batch = Batch {
            method: "StopUnit",
            units,
            limit,
            pace: Pace::STEADY,
        };
        batch
            .run(&self.connection, &mut |_| {})
            .with_context(|| format!("asking systemd to stop {}", listed(units)))
    }

    /// A batch has a connection of its own: its queue of signals can fill up while `done` asks this manager, and a
    /// full queue would keep the answer from being read.
    fn run(&self, batch: Batch, done: &mut dyn FnMut(&JobReport)) -> Result<Vec<JobReport>> {
        batch.run(&self.address.open()?, done)
    }

    async fn manager(&self) -> zbus::Result<ManagerProxy<'_>> {
        ManagerProxy::builder(&self.connection)
            .cache_properties(CacheProperties::No)
            .build()
            .await
    }

    async fn follow_requirements(&self, unit: &str) -> zbus::Result<Vec<String>> {
        let (mut services, mut seen) = (Vec::new(), vec![unit.to_owned()]);
        let mut next = 0;
        while let Some(name) = seen.get(next).cloned() {
            next += 1;
            let unit = self.proxy(&name).await?;
            if unit.active_state().await? != "active" {
                continue;
            }
            if next > 1
                && name.ends_with(".service")
                && !PREPARES.iter().any(|prefix| name.starts_with(prefix))
            {
                services.push(name);
            }
            for dependent in unit
                .required_by()
                .await?
                .into_iter()
                .chain(unit.bound_by().await?)
            {
                if !seen.contains(&dependent) {
                    seen.push(dependent);
                }
            }
        }
        Ok(services)
    }

    async fn proxy(&self, name: &str) -> zbus::Result<UnitProxy<'_>> {
        let path = self.manager().await?.load_unit(name).await?;
        UnitProxy::builder(&self.connection)
            .path(path)
            .cache_properties(CacheProperties::No)
            .build()
            .await
    }

    async fn read_unit(&self, name: &str) -> zbus::Result<UnitState> {
        let path = self.manager().await?.load_unit(name).await?;
        let unit = UnitProxy::builder(&self.connection)
            .path(&path)
            .cache_properties(CacheProperties::No);
        let unit = unit.build().await?;
        let (result, status) = proxy::result_and_status(&self.connection, &path, name).await?;
        Ok(UnitState {
            load: unit.load_state().await?,
            active: unit.active_state().await?,
            sub: unit.sub_state().await?,
            needs_reload: unit.need_daemon_reload().await?,
            result,
            status,
        })
    }
}

/// A few of the units by name.
fn listed(units: &[String]) -> String {
    match units {
        [first, second, third, _, ..] => {
            format!("{first}, {second}, {third} and {} more", units.len() - 3)
        }
        few => few.join(", "),
    }
}
