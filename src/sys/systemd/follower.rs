//! Requests the jobs of a batch and follows each to its end.
//!
//! The calls and the signals use one connection, and one stream reads both in the order in which PID 1 sent them. So
//! nothing is lost between a call and its answer, whichever of the signal and the answer comes first, and no call waits
//! for another.
//!
//! StartUnit returns the queued job if the unit has one, so several names (aliases, or the same name twice) may share a
//! job.

use std::collections::{HashMap, VecDeque};
use std::future::poll_fn;
use std::io;
use std::num::NonZeroU32;
use std::pin::Pin;
use std::time::Instant;

use anyhow::{Result, anyhow};
use futures_core::Stream;
use zbus::message::Type;
use zbus::{Connection, Message, MessageStream, OwnedObjectPath};
use zruntime::SharedRuntime;

use super::batch::{Batch, Pace};
use super::connection::{describe, within};
use super::job_deadline::JobDeadline;
use super::job_signals::JobSignals;
use super::outcome::{JobOutcome, JobReport};
use super::proxy;
use super::timeouts::CALL_TIMEOUT;

/// Requests all jobs and waits for them. Passes each report to `done`, and returns all in the order of completion.
pub fn run(
    batch: &Batch<'_>,
    connection: &Connection,
    done: &mut dyn FnMut(&JobReport),
) -> Result<Vec<JobReport>> {
    let mut follower = within(CALL_TIMEOUT, Follower::begin(batch, connection))?;
    let mut reports = Vec::new();
    while !follower.has_finished() {
        let new = zbus::block_on(follower.wait())?;
        // Outside of `block_on`, because `done` may call systemd too.
        for report in &new {
            done(report);
        }
        reports.extend(new);
    }
    Ok(reports)
}

/// The jobs of a batch that have not ended.
struct Follower {
    connection: Connection,
    method: &'static str,
    messages: MessageStream,
    signals: JobSignals,
    deadline: JobDeadline,
    pace: Pace,
    /// Units whose job has not been requested.
    remaining: VecDeque<String>,
    /// Units by the serial number of the call that systemd has not answered.
    requested: HashMap<NonZeroU32, String>,
    /// Units whose job systemd has accepted.
    running: Vec<RunningJob>,
    /// Results of ended jobs, by object. A later answer may name one of these jobs.
    results: HashMap<OwnedObjectPath, String>,
}

struct RunningJob {
    path: OwnedObjectPath,
    unit: String,
}

impl Follower {
    /// Sends the first calls, or all if nobody waits for the jobs.
    async fn begin(batch: &Batch<'_>, connection: &Connection) -> zbus::Result<Self> {
        let start = Instant::now();
        let signals = JobSignals::subscribe(connection).await?;
        let mut follower = Self {
            connection: connection.clone(),
            method: batch.method,
            messages: MessageStream::from(connection),
            signals,
            deadline: JobDeadline::new(start, batch.limit),
            pace: batch.pace,
            remaining: batch.units.to_vec().into(),
            requested: HashMap::new(),
            running: Vec::new(),
            results: HashMap::new(),
        };
        let number = if batch.limit.is_zero() {
            usize::MAX
        } else {
            batch.pace.at_once
        };
        follower.request(number).await?;
        Ok(follower)
    }

    fn has_finished(&self) -> bool {
        self.remaining.is_empty() && self.requested.is_empty() && self.running.is_empty()
    }

    /// Sends up to `number` more calls.
    async fn request(&mut self, number: usize) -> zbus::Result<()> {
        let number = number.min(self.remaining.len());
        if number == 0 {
            return Ok(());
        }
        let units: Vec<String> = self.remaining.drain(..number).collect();
        let mut calls = Vec::with_capacity(number);
        for unit in &units {
            calls.push(self.call(unit)?);
        }
        // Does not wait for the answers: `messages` would not be read meanwhile, and its full queue would block them.
        self.connection.send_all(&calls).await?;
        let serials = calls.iter().map(|call| call.primary_header().serial_num());
        self.requested.extend(serials.zip(units));
        self.deadline.expect_answers(Instant::now());
        Ok(())
    }

    fn call(&self, unit: &str) -> zbus::Result<Message> {
        Message::method_call(proxy::PATH, self.method)
            .destination(proxy::SERVICE)
            .interface(proxy::MANAGER)
            // The mode that systemctl(1) uses: the job replaces a conflicting one of the unit.
            .build(&(unit, "replace"))
    }

    /// Waits until at least one more job has ended or the deadline has passed.
    async fn wait(&mut self) -> Result<Vec<JobReport>> {
        let runtime = SharedRuntime::current()?;
        self.next_reports(&runtime).await.map_err(|error| {
            let error = describe(&error);
            anyhow!("{error}; systemd continues the jobs that it has accepted")
        })
    }

    async fn next_reports(&mut self, runtime: &SharedRuntime) -> zbus::Result<Vec<JobReport>> {
        let mut quiet_until = Instant::now() + self.pace.quiet;
        loop {
            // Every round, because `request` postpones the time for answers.
            let deadline = self.deadline.at(self.requested.is_empty());
            let wake = if self.remaining.is_empty() {
                deadline
            } else {
                deadline.min(quiet_until)
            };
            if let Ok(message) = runtime.timeout_at(wake, self.next_message()).await {
                let reports = self.handle(&message?)?;
                if !reports.is_empty() {
                    self.deadline.record(&reports, Instant::now());
                    // As many as have ended, so that no more run at once than before.
                    let under_way = self.requested.len() + self.running.len();
                    self.request(self.pace.at_once.saturating_sub(under_way))
                        .await?;
                    return Ok(reports);
                }
            } else if Instant::now() < deadline {
                // The jobs under way wait for something that is missing. The others need not wait for it too.
                self.request(self.pace.at_once).await?;
                quiet_until = Instant::now() + self.pace.quiet;
            } else if self.remaining.is_empty() {
                return Ok(self.give_up());
            } else {
                // Too late to follow the remaining jobs, but the caller wants them all the same.
                self.request(usize::MAX).await?;
            }
        }
    }

    async fn next_message(&mut self) -> zbus::Result<Message> {
        let message = poll_fn(|context| Pin::new(&mut self.messages).poll_next(context)).await;
        message.unwrap_or_else(|| Err(io::Error::from(io::ErrorKind::BrokenPipe).into()))
    }

    /// Returns the reports that a message causes: none, unless it refuses a job or a job has ended.
    fn handle(&mut self, message: &Message) -> zbus::Result<Vec<JobReport>> {
        let serial = message.header().reply_serial();
        let unit = serial.and_then(|serial| self.requested.remove(&serial));
        match (message.message_type(), unit) {
            (Type::MethodReturn, Some(unit)) => self.accepted(message.body().deserialize()?, unit),
            (Type::Error, Some(unit)) => {
                let reason = describe(&zbus::Error::from(message.clone()));
                let outcome = JobOutcome::Refused(reason);
                Ok(vec![JobReport { unit, outcome }])
            }
            _ => self.ended(message),
        }
    }

    fn accepted(&mut self, path: OwnedObjectPath, unit: String) -> zbus::Result<Vec<JobReport>> {
        self.running.push(RunningJob {
            path: path.clone(),
            unit,
        });
        // The signal may come before the answer, or the job may be one that another name shares.
        match self.results.get(&path).cloned() {
            Some(result) => Ok(self.end(&path, &result)),
            None => Ok(Vec::new()),
        }
    }

    fn ended(&mut self, message: &Message) -> zbus::Result<Vec<JobReport>> {
        let Some(job) = self.signals.removed_job(message)? else {
            return Ok(Vec::new());
        };
        // Several units may share the job, or none yet, or it may be the job of somebody else.
        let reports = self.end(&job.path, &job.result);
        self.results.insert(job.path, job.result);
        Ok(reports)
    }

    fn end(&mut self, path: &OwnedObjectPath, result: &str) -> Vec<JobReport> {
        self.running
            .extract_if(.., |job| job.path == *path)
            .map(|job| JobReport {
                unit: job.unit,
                outcome: JobOutcome::from(result),
            })
            .collect()
    }

    fn give_up(&mut self) -> Vec<JobReport> {
        let mut reports = Vec::new();
        for (_, unit) in self.requested.drain() {
            let outcome = JobOutcome::Unanswered;
            reports.push(JobReport { unit, outcome });
        }
        for job in self.running.drain(..) {
            reports.push(JobReport {
                unit: job.unit,
                outcome: JobOutcome::StillRunning,
            });
        }
        reports
    }
}
