//! Ten thousand machines boot within a second while the monitors are away for two minutes; then these open so many sessions a
//! second and turn away who else asks. Who is turned away pauses and asks again. The same seed, the same figures:
//! `cargo test simulation -- --nocapture` prints them.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::time::Duration;

use fastrand::Rng;

use super::Backoff;

const MACHINES: usize = 10_000;
const AWAY: Duration = Duration::from_secs(120);
const SESSIONS_A_SECOND: usize = 1_000;
const SEED: u64 = 14;

/// What came of it.
#[derive(Debug, PartialEq, Eq)]
struct Outcome {
    /// The most that asked in one second, while the monitors were away, from the fifth second on.
    while_away: usize,
    /// The most that asked in one second after that.
    when_back: usize,
    /// How long after that the last machine was done.
    last: Duration,
}

/// How each machine pauses.
type Pauses = Box<dyn FnMut() -> Duration>;

fn simulate(mut pauses: impl FnMut(Rng) -> Pauses) -> Outcome {
    let mut random = Rng::with_seed(SEED);
    let mut machines: Vec<Pauses> = (0..MACHINES).map(|_| pauses(random.fork())).collect();
    let start = |machine| Reverse((Duration::from_millis(random.u64(0..1000)), machine));
    let mut asking: BinaryHeap<_> = (0..MACHINES).map(start).collect();
    let (mut asked, mut opened) = (Vec::new(), Vec::new());
    let mut last = Duration::ZERO;
    while let Some(Reverse((now, machine))) = asking.pop() {
        let second = usize::try_from(now.as_secs()).unwrap();
        asked.resize(asked.len().max(second + 1), 0);
        opened.resize(asked.len(), 0);
        asked[second] += 1;
        if now >= AWAY && opened[second] < SESSIONS_A_SECOND {
            opened[second] += 1;
            last = now - AWAY;
        } else {
            asking.push(Reverse((now + machines[machine](), machine)));
        }
    }
    let back = usize::try_from(AWAY.as_secs()).unwrap();
    let most = |seconds: &[usize]| seconds.iter().copied().max().unwrap_or(0);
    Outcome {
        while_away: most(&asked[5..back]),
        when_back: most(&asked[back..]),
        last,
    }
}

fn every(seconds: u64) -> Outcome {
    simulate(|_| Box::new(move || Duration::from_secs(seconds)))
}

fn ours() -> Outcome {
    simulate(|random| {
        let mut backoff = Backoff::of(random);
        Box::new(move || backoff.pause())
    })
}

#[test]
fn ten_thousand_machines_are_served_without_a_rush() {
    let rows = [
        ("every second", every(1)),
        ("every 10 seconds", every(10)),
        ("rbdmap", ours()),
    ];
    println!(
        "{:<18} {:>22} {:>22} {:>12}",
        "", "asked a second, away", "asked a second, back", "last after"
    );
    for (name, outcome) in &rows {
        let last = outcome.last.as_secs_f64();
        println!(
            "{name:<18} {:>22} {:>22} {last:>10.1} s",
            outcome.while_away, outcome.when_back
        );
    }
    let [(_, second), (_, ten), (_, ours)] = rows;
    assert!(
        ours.while_away * 3 < second.while_away && ours.when_back * 2 < second.when_back,
        "{ours:?}"
    );
    assert!(
        ours.when_back * 3 < ten.when_back,
        "those in step all come at once: {ours:?}"
    );
    assert!(ours.last * 2 < ten.last, "{ours:?}");
}

#[test]
fn the_same_seed_gives_the_same_figures() {
    assert_eq!(ours(), ours());
}
