//! The boot storm: ten thousand machines boot within one second while the monitors do not answer. After two minutes the monitors
//! can open 1,000 sessions a second, and refuse all other attempts; a machine that is refused pauses and retries.
//!
//!     cargo test --locked --test boot-storm
//!
//! computes this for three ways to pause, prints the table of rbdmap(8), and fails if the manual page has other figures. All
//! random numbers come from one seed, so that every run prints the same.

#[allow(unused, reason = "the module also serves the program")]
#[path = "../../src/runtime/backoff.rs"]
mod backoff;

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::fmt;
use std::process::ExitCode;
use std::time::Duration;

use backoff::Backoff;
use fastrand::Rng;

const MACHINES: usize = 10_000;
/// How long the monitors do not answer.
const DOWN: Duration = Duration::from_secs(120);
/// In the first seconds all machines try for the first time, whichever way they pause afterwards.
const FIRST_ATTEMPTS: usize = 5;
const SESSIONS_PER_SECOND: usize = 1_000;
const SEED: u64 = 14;

const MANUAL: &str = include_str!("../../packaging/man/rbdmap.8");

/// The next pause of one machine.
type Pauses = Box<dyn FnMut() -> Duration>;

/// A row of the table.
#[derive(Debug)]
struct Outcome {
    /// The highest number of attempts within one second while the monitors are down.
    down: usize,
    /// The same after they are up again.
    up: usize,
    /// The time from then until the last machine has a session.
    last: Duration,
}

impl fmt::Display for Outcome {
    /// As the manual page has it, in the format of tbl(1).
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let last = self.last.as_secs_f64();
        write!(f, "{}|{}|{last:.0} s", self.down, self.up)
    }
}

fn main() -> ExitCode {
    let rows = [
        ("every second", simulate(|_| every(1))),
        ("every 10 s", simulate(|_| every(10))),
        (r"\fBrbdmap\fP", simulate(with_backoff)),
    ];
    println!("retry|down|up|last");
    let mut status = ExitCode::SUCCESS;
    for (name, outcome) in &rows {
        let row = format!("{name}|{outcome}");
        println!("{row}");
        if !MANUAL.lines().any(|line| line == row) {
            eprintln!(
                "boot-storm: rbdmap(8) has no row {row:?}; put it into packaging/man/rbdmap.8"
            );
            status = ExitCode::FAILURE;
        }
    }
    status
}

fn every(seconds: u64) -> Pauses {
    Box::new(move || Duration::from_secs(seconds))
}

fn with_backoff(random: Rng) -> Pauses {
    let mut backoff = Backoff::with_random(random);
    Box::new(move || backoff.pause())
}

fn simulate(mut pauses: impl FnMut(Rng) -> Pauses) -> Outcome {
    let mut random = Rng::with_seed(SEED);
    let mut machines: Vec<Pauses> = (0..MACHINES).map(|_| pauses(random.fork())).collect();
    let mut attempts: BinaryHeap<Reverse<(Duration, usize)>> = (0..MACHINES)
        .map(|machine| Reverse((Duration::from_millis(random.u64(0..1000)), machine)))
        .collect();
    let mut attempted: Vec<usize> = Vec::new();
    let mut opened: Vec<usize> = Vec::new();
    let mut last = Duration::ZERO;
    // The heap has the next attempt of each machine that has no session yet, earliest first.
    while let Some(Reverse((now, machine))) = attempts.pop() {
        let second = index(now);
        attempted.resize(attempted.len().max(second + 1), 0);
        opened.resize(attempted.len(), 0);
        attempted[second] += 1;
        if now >= DOWN && opened[second] < SESSIONS_PER_SECOND {
            opened[second] += 1;
            last = now - DOWN;
        } else {
            attempts.push(Reverse((now + machines[machine](), machine)));
        }
    }
    Outcome {
        down: highest(&attempted[FIRST_ATTEMPTS..index(DOWN)]),
        up: highest(&attempted[index(DOWN)..]),
        last,
    }
}

fn index(time: Duration) -> usize {
    usize::try_from(time.as_secs()).unwrap_or(usize::MAX)
}

fn highest(seconds: &[usize]) -> usize {
    seconds.iter().copied().max().unwrap_or(0)
}
