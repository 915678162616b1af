//! Waits until a monitor of a cluster answers, before the kernel is asked to map. The kernel would wait too, but it holds one
//! lock for all of rbd meanwhile, and so would block every other image of the machine.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};

use super::retry_policy::RetryPolicy;
use crate::ceph::request::Request;
use crate::engine::progress;
use crate::model::messenger::Messenger;
use crate::model::unit_status::{Activity, UnitStatus};
use crate::report::event::Event;
use crate::runtime::backoff::Backoff;
use crate::runtime::deadline::{Deadline, REPORT_AFTER};
use crate::sys::rbd::monitor_probe;

/// How long an answer counts. Hundreds of images of one cluster then need one probe.
const ANSWER_LIFETIME: Duration = Duration::from_secs(5);

/// The monitors of an entry and the protocol that they are asked in.
pub type MonitorSet = (Vec<SocketAddr>, Messenger);

/// The monitors that have answered, and when.
#[derive(Debug, Clone)]
struct MonitorAnswer {
    monitors: Vec<SocketAddr>,
    time: Instant,
}

/// The wait, shared by all images of a run.
#[derive(Debug)]
pub struct MonitorWait {
    retry: RetryPolicy,
    answers: Mutex<HashMap<MonitorSet, MonitorAnswer>>,
}

impl MonitorWait {
    /// A wait that has asked no monitor yet.
    pub fn new(retry: RetryPolicy) -> Self {
        Self {
            retry,
            answers: Mutex::default(),
        }
    }

    /// Waits until a monitor of the request answers. Returns those that do.
    pub fn wait(&self, request: &Request, deadline: &Deadline) -> Result<Vec<SocketAddr>> {
        let set = (request.monitors.clone(), request.messenger());
        // The lock is not held while monitors are asked, so that images of other clusters do not wait.
        let known = self.answers().get(&set).cloned();
        if let Some(answer) = known.filter(|answer| answer.time.elapsed() < ANSWER_LIFETIME) {
            return Ok(answer.monitors);
        }
        let monitors = self.ask(request, &set, deadline)?;
        let answer = MonitorAnswer {
            monitors: monitors.clone(),
            time: Instant::now(),
        };
        self.answers().insert(set, answer);
        Ok(monitors)
    }

    fn answers(&self) -> MutexGuard<'_, HashMap<MonitorSet, MonitorAnswer>> {
        // After a panic of another thread the answers are still valid.
        self.answers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Asks the monitors until one answers.
    fn ask(
        &self,
        request: &Request,
        set: &MonitorSet,
        deadline: &Deadline,
    ) -> Result<Vec<SocketAddr>> {
        let retry_deadline = self.retry.retry_deadline(deadline);
        let probe_deadline = self.retry.probe_deadline(deadline);
        let mut backoff = Backoff::new();
        let mut is_reported = false;
        loop {
            let error = match monitor_probe::greeters(&set.0, set.1, &probe_deadline) {
                Ok(monitors) => return Ok(monitors),
                Err(error) => error,
            };
            let subject = format!("a monitor: {error}");
            let status = UnitStatus::new(Activity::WaitingFor, subject);
            progress::show(&status);
            if deadline.elapsed() > REPORT_AFTER && !is_reported {
                Event::MapWaits.log(&request.wanted.spec, status);
                is_reported = true;
            }
            if retry_deadline.remaining().is_zero() {
                let within = match retry_deadline.limit().as_secs() {
                    0 => String::new(),
                    seconds => format!(" within {seconds} s"),
                };
                bail!(
                    "no monitor answered{within} ({error}); check that the monitors are up and mon_host is correct"
                );
            }
            sleep(backoff.pause().min(retry_deadline.remaining()));
        }
    }
}
