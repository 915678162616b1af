//! The files part of the oracle: compares what `ceph-conf` and `ceph-authtool` read in unusual files with what our parsers read.
//!
//! For each file of `conf/`, both look up every key in it for two clients; for each file of `keyring/`, the keys of the two
//! clients. A file NAME.ours states an intended difference, with its reason. This is a program instead of a `#[test]`, so that
//! a machine without Ceph's commands skips no test; `tests/oracle/run` runs it.

#[allow(unused, reason = "the oracle calls only a part of each parser")]
#[path = "../../src/config"]
mod config {
    pub mod ceph_conf;
    pub mod keyring;
}
#[allow(unused, reason = "the oracle calls only a part of each module")]
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

/// What a lookup in a file returns.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Reading {
    Value(String),
    Nothing,
    Rejected,
}

/// One lookup in a file, by Ceph's command and by our parser.
struct Lookup {
    what: String,
    theirs: Reading,
    ours: Reading,
    /// Our result, if it is intended to differ from Ceph's.
    intended: Option<Reading>,
}

/// How many files are compared in parallel: Ceph's commands start slowly.
const PARALLEL: usize = 4;

fn main() -> ExitCode {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/oracle");
    let mut files: Vec<PathBuf> = ["conf", "keyring"]
        .iter()
        .flat_map(|kind| files_in(&directory.join(kind), kind))
        .collect();
    files.sort();
    let share = files.len().div_ceil(PARALLEL);
    let failures: usize = thread::scope(|scope| {
        let workers: Vec<_> = files
            .chunks(share)
            .map(|files| scope.spawn(|| files.iter().filter(|file| !agrees(file)).count()))
            .collect();
        workers
            .into_iter()
            .map(|worker| worker.join().expect("a worker does not panic"))
            .sum()
    });
    println!("{} passed, {failures} failed", files.len() - failures);
    ExitCode::from(u8::from(failures > 0))
}

fn files_in(directory: &Path, extension: &str) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(directory).expect("the directory is in the repository");
    let files = entries.map(|entry| entry.expect("the directory can be listed").path());
    files
        .filter(|path| path.extension().is_some_and(|found| found == extension))
        .collect()
}

/// Whether all lookups in one file have the right result. Prints the others.
fn agrees(file: &Path) -> bool {
    let lookups = if file.extension().is_some_and(|kind| kind == "conf") {
        files::conf(file)
    } else {
        files::keyring(file)
    };
    let wrong: Vec<String> = lookups
        .iter()
        .filter(|lookup| !lookup.is_right())
        .map(Lookup::to_string)
        .collect();
    if !wrong.is_empty() || lookups.is_empty() {
        println!("FAIL {}\n{}", file.display(), wrong.concat().trim_end());
    }
    wrong.is_empty() && !lookups.is_empty()
}

impl Lookup {
    /// An intended difference that no longer exists is a failure too.
    fn is_right(&self) -> bool {
        match &self.intended {
            None => self.ours == self.theirs,
            Some(intended) => self.ours == *intended && self.ours != self.theirs,
        }
    }
}

impl fmt::Display for Lookup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "       {}", self.what)?;
        writeln!(
            f,
            "         Ceph: {}\n         ours: {}",
            self.theirs, self.ours
        )?;
        self.intended
            .as_ref()
            .map_or(Ok(()), |intended| writeln!(f, "         want: {intended}"))
    }
}

impl fmt::Display for Reading {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Value(value) => write!(f, "{value:?}"),
            Self::Nothing => write!(f, "nothing"),
            Self::Rejected => write!(f, "the file is rejected"),
        }
    }
}
