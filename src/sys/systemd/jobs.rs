//! Enqueues a batch of jobs and follows each to its end. Not all at once: hundreds of processes that are started together take
//! so much from each other that none ends within its unit's time.
//!
//! The calls and the signals go over one connection and are read from one stream, in the order in which PID 1 sent them.
//! So nothing is lost between a call and its answer, whichever way around they come, and none waits for another. The
//! surprise: StartUnit answers with the job that is queued already if there is one, so several names (aliases, or the
//! same one twice) may wait for one job.

use std::collections::{HashMap, VecDeque};
use std::future::poll_fn;
use std::io;
use std::num::NonZeroU32;
use std::pin::Pin;
use std::time::{Duration, Instant};

use anyhow::{Result, anyhow};
use futures_core::Stream;
use zbus::message::{Header, Type};
use zbus::names::OwnedUniqueName;
use zbus::{Connection, Message, MessageStream, OwnedObjectPath};
use zruntime::SharedRuntime;

use super::connection::{plain, within};
use super::job_deadline::Due;
use super::outcome::{JobOutcome, JobReport};
use super::{CALL_LIMIT, proxy};

/// The signal that a job is over.
const JOB_REMOVED: &str = "JobRemoved";

/// How fast jobs are asked for.
#[derive(Debug, Clone, Copy)]
pub struct Pace {
    /// How many are under way at a time, at first.
    pub at_once: usize,
    /// How long none of them need end until as many more are asked for.
    pub quiet: Duration,
}

impl Pace {
    /// No faster than a small machine can follow, and no slower than somebody waits for what does not hang.
    pub const STEADY: Self = Self {
        at_once: 16,
        quiet: Duration::from_secs(10),
    };
}

/// The same call for many units.
pub struct Batch<'a> {
    /// `StartUnit` or `StopUnit`.
    pub method: &'static str,
    /// Whose names are passed.
    pub units: &'a [String],
    /// How long to wait until one more job is done: of hundreds, each waits for its turn.
    pub limit: Duration,
    /// How fast they are asked for; all at once where nobody waits for them.
    pub pace: Pace,
}

impl Batch<'_> {
    /// Enqueues all jobs over a connection of their own and waits for them; `done` hears of each.
    pub fn run(
        self,
        connection: &Connection,
        done: &mut dyn FnMut(&JobReport),
    ) -> Result<Vec<JobReport>> {
        let mut follower = within(CALL_LIMIT, self.enqueue(connection))?;
        let mut reports = Vec::new();
        while !follower.is_over() {
            let news = zbus::block_on(follower.news())?;
            news.iter().for_each(&mut *done); // outside of any wait, for it may ask the manager
            reports.extend(news);
        }
        Ok(reports)
    }

    /// Sends the first calls, or all if nobody waits for the jobs.
    async fn enqueue(&self, connection: &Connection) -> zbus::Result<Follower> {
        let started = Instant::now();
        let sender = subscribe(connection).await?;
        let mut follower = Follower {
            connection: connection.clone(),
            method: self.method,
            messages: MessageStream::from(connection),
            sender,
            due: Due::from(started, self.limit),
            pace: self.pace,
            to_ask: self.units.to_vec().into(),
            asked: HashMap::new(),
            running: Vec::new(),
            ended: HashMap::new(),
        };
        follower
            .ask(if self.limit.is_zero() {
                usize::MAX
            } else {
                self.pace.at_once
            })
            .await?;
        Ok(follower)
    }
}

/// Asks for PID 1's signals and returns its name on the bus, so that nobody else's are believed. On its private socket
/// it has none, and is alone.
async fn subscribe(connection: &Connection) -> zbus::Result<Option<OwnedUniqueName>> {
    if connection.is_bus() {
        let bus = "org.freedesktop.DBus";
        let rule = format!(
            "type='signal',sender='{}',member='{JOB_REMOVED}'",
            proxy::SERVICE
        );
        connection
            .call_method(
                Some(bus),
                "/org/freedesktop/DBus",
                Some(bus),
                "AddMatch",
                &rule,
            )
            .await?;
    }
    let call = connection.call_method(
        Some(proxy::SERVICE),
        proxy::PATH,
        Some(proxy::MANAGER),
        "Subscribe",
        &(),
    );
    let answer = call.await?;
    let sender = answer
        .header()
        .sender()
        .filter(|_| connection.is_bus())
        .map(|name| name.to_owned().into());
    Ok(sender)
}

/// The jobs of a batch that are not over.
struct Follower {
    connection: Connection,
    method: &'static str,
    messages: MessageStream,
    sender: Option<OwnedUniqueName>,
    due: Due,
    pace: Pace,
    /// Units whose turn has not come.
    to_ask: VecDeque<String>,
    /// Units by the serial number of the call that systemd has not answered.
    asked: HashMap<NonZeroU32, String>,
    /// Units with the job that they wait for.
    running: Vec<(OwnedObjectPath, String)>,
    /// Results of jobs that ended while answers were due: one of these may name them.
    ended: HashMap<OwnedObjectPath, String>,
}

impl Follower {
    fn is_over(&self) -> bool {
        self.to_ask.is_empty() && self.asked.is_empty() && self.running.is_empty()
    }

    /// Sends so many more calls. Their answers are not awaited: whoever waits for one with the stream unread stops the stream
    /// when its queue is full, and the answer with it.
    async fn ask(&mut self, number: usize) -> zbus::Result<()> {
        let units: Vec<String> = self.to_ask.drain(..number.min(self.to_ask.len())).collect();
        if units.is_empty() {
            return Ok(());
        }
        let call = |unit: &String| {
            let call = Message::method_call(proxy::PATH, self.method)
                .destination(proxy::SERVICE)
                .interface(proxy::MANAGER);
            call.build(&(unit, "replace"))
        };
        let calls: Vec<Message> = units.iter().map(call).collect::<zbus::Result<_>>()?;
        self.connection.send_all(&calls).await?;
        let serials = calls.iter().map(|call| call.primary_header().serial_num());
        self.asked.extend(serials.zip(units));
        self.due.ask(Instant::now());
        Ok(())
    }

    /// Waits until at least one more is over, be it because its time is up.
    async fn news(&mut self) -> Result<Vec<JobReport>> {
        let runtime = SharedRuntime::current()?;
        let news = self.listen(&runtime).await;
        news.map_err(|error| anyhow!("{}; jobs that it has taken go on", plain(&error)))
    }

    async fn listen(&mut self, runtime: &SharedRuntime) -> zbus::Result<Vec<JobReport>> {
        let mut quiet_until = Instant::now() + self.pace.quiet;
        loop {
            let due = self.due.at(self.asked.is_empty());
            let until = if self.to_ask.is_empty() {
                due
            } else {
                due.min(quiet_until)
            };
            let next = poll_fn(|context| Pin::new(&mut self.messages).poll_next(context));
            match runtime.timeout_at(until, next).await {
                Ok(message) => {
                    let message = message
                        .unwrap_or_else(|| Err(io::Error::from(io::ErrorKind::BrokenPipe).into()));
                    let news = self.take(&message?)?;
                    if !news.is_empty() {
                        self.due.hear(&news, Instant::now());
                        self.ask(
                            self.pace
                                .at_once
                                .saturating_sub(self.asked.len() + self.running.len()),
                        )
                        .await?;
                        return Ok(news);
                    }
                }
                Err(_) if Instant::now() >= due && self.to_ask.is_empty() => {
                    return Ok(self.give_up());
                }
                // Nobody waits for these any more, but they are wanted.
                Err(_) if Instant::now() >= due => self.ask(usize::MAX).await?,
                // Those that are under way wait for something that is not there: others need not.
                Err(_) => {
                    self.ask(self.pace.at_once).await?;
                    quiet_until = Instant::now() + self.pace.quiet;
                }
            }
        }
    }

    /// What one message tells: an answer to a call of ours, the end of a job, or nothing.
    fn take(&mut self, message: &Message) -> zbus::Result<Vec<JobReport>> {
        let header = message.header();
        let unit = header
            .reply_serial()
            .and_then(|serial| self.asked.remove(&serial));
        match (message.message_type(), unit) {
            (Type::MethodReturn, Some(unit)) => {
                let job: OwnedObjectPath = message.body().deserialize()?;
                self.running.push((job.clone(), unit));
                let ended = self.ended.get(&job).cloned();
                Ok(ended.map_or_else(Vec::new, |result| self.end(&job, &result)))
            }
            (Type::Error, Some(unit)) => {
                let reason = plain(&zbus::Error::from(message.clone()));
                Ok(vec![JobReport {
                    unit,
                    outcome: JobOutcome::Refused(reason),
                }])
            }
            (Type::Signal, _) if self.is_job_removed(&header) => {
                let (_, job, _, result): (u32, OwnedObjectPath, String, String) =
                    message.body().deserialize()?;
                let news = self.end(&job, &result);
                self.ended.insert(job, result);
                Ok(news)
            }
            _ => Ok(Vec::new()),
        }
    }

    fn is_job_removed(&self, header: &Header) -> bool {
        let named = header
            .member()
            .is_some_and(|member| member.as_str() == JOB_REMOVED)
            && header
                .interface()
                .is_some_and(|interface| interface.as_str() == proxy::MANAGER);
        named
            && self
                .sender
                .as_ref()
                .is_none_or(|sender| header.sender() == Some(sender))
    }

    fn end(&mut self, job: &OwnedObjectPath, result: &str) -> Vec<JobReport> {
        let over = self.running.extract_if(.., |(running, _)| running == job);
        over.map(|(_, unit)| JobReport {
            unit,
            outcome: JobOutcome::from(result),
        })
        .collect()
    }

    fn give_up(&mut self) -> Vec<JobReport> {
        let unanswered = self.asked.drain().map(|(_, unit)| JobReport {
            unit,
            outcome: JobOutcome::Unanswered,
        });
        let running = self.running.drain(..).map(|(_, unit)| JobReport {
            unit,
            outcome: JobOutcome::StillRunning,
        });
        unanswered.chain(running).collect()
    }
}
