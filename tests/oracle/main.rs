//! The files part of the oracle: what `ceph-conf` and `ceph-authtool` read in odd files, and what our parsers read in them.
//!
//! Each file of `conf/` is asked for every key that stands in it, by two clients; each of `keyring/` for a client's key. Beside a
//! file there may be one named `.ours`: then we are to differ, it says why, and what we read instead. It is a program and no
//! `#[test]`, so that nothing is skipped where Ceph's commands are missing; `tests/oracle/run` runs it.

#[allow(
    unused,
    reason = "the parsers are whole, and the oracle asks only some of each"
)]
#[path = "../../src/config"]
mod config {
    pub mod ceph_conf;
    pub mod keyring;
}
#[allow(unused, reason = "the same")]
#[path = "../../src/model"]
mod model {
    pub mod fault;
    pub mod secret;
}

mod files;

use std::fmt;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::thread;

/// What somebody makes of a file when asked for one thing in it.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Reading {
    Value(String),
    Nothing,
    Refused,
}

/// A file, what it is asked, by whom.
struct Question {
    what: String,
    theirs: Reading,
    ours: Reading,
    /// What ours is to be, where it is not to be theirs.
    wanted: Option<Reading>,
}

/// How many files are asked at a time: the commands start slowly.
const SIDE_BY_SIDE: usize = 4;

fn main() -> ExitCode {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/oracle");
    let mut files: Vec<PathBuf> = ["conf", "keyring"]
        .iter()
        .flat_map(|kind| in_folder(&folder.join(kind), kind))
        .collect();
    files.sort();
    let share = files.len().div_ceil(SIDE_BY_SIDE);
    let failures: usize = thread::scope(|scope| {
        let workers: Vec<_> = files
            .chunks(share)
            .map(|files| scope.spawn(|| files.iter().filter(|file| !agrees(file)).count()))
            .collect();
        workers
            .into_iter()
            .map(|worker| worker.join().expect("a worker ends"))
            .sum()
    });
    println!("{} passed, {failures} failed", files.len() - failures);
    ExitCode::from(u8::from(failures > 0))
}

fn in_folder(folder: &Path, extension: &str) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).expect("the folder is in the repository");
    let files = entries.map(|entry| entry.expect("it can be listed").path());
    files
        .filter(|path| path.extension().is_some_and(|found| found == extension))
        .collect()
}

/// Whether all questions to one file have the answer that they are to have; those that have not are printed.
fn agrees(file: &Path) -> bool {
    let questions = if file.extension().is_some_and(|kind| kind == "conf") {
        files::conf(file)
    } else {
        files::keyring(file)
    };
    let wrong: Vec<String> = questions
        .iter()
        .filter(|question| !question.is_right())
        .map(Question::to_string)
        .collect();
    if !wrong.is_empty() || questions.is_empty() {
        println!("FAIL {}\n{}", file.display(), wrong.concat().trim_end());
    }
    wrong.is_empty() && !questions.is_empty()
}

impl Question {
    /// A difference that is stated and is none any more is a failure too.
    fn is_right(&self) -> bool {
        match &self.wanted {
            None => self.ours == self.theirs,
            Some(wanted) => self.ours == *wanted && self.ours != self.theirs,
        }
    }
}

impl fmt::Display for Question {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "       {}", self.what)?;
        writeln!(
            f,
            "         Ceph: {}\n         ours: {}",
            self.theirs, self.ours
        )?;
        self.wanted
            .as_ref()
            .map_or(Ok(()), |wanted| writeln!(f, "         want: {wanted}"))
    }
}

impl fmt::Display for Reading {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Value(value) => write!(f, "{value:?}"),
            Self::Nothing => write!(f, "nothing"),
            Self::Refused => write!(f, "the file is refused"),
        }
    }
}
