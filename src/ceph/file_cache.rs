//! The files from which requests are made, each read once in a run, and the addresses of host names.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use anyhow::Result;
use zeroize::Zeroizing;

use crate::runtime::root::Root;
use crate::sys::file::read_if_there;
use crate::sys::{file_trust, resolver};

/// A file's text. It may be a secret, so it is wiped from memory after use.
type Text = Arc<Zeroizing<String>>;

/// How long an answer of the resolver is used: all images of a cluster have the same monitors.
const ANSWER_VALIDITY: Duration = Duration::from_secs(1);

/// The version of a kernel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct KernelVersion {
    /// 6 of `6.1.0-18-amd64`.
    pub major: u32,
    /// 1 of `6.1.0-18-amd64`.
    pub minor: u32,
}

/// What has been read so far.
pub struct FileCache {
    root: Root,
    hosts: Mutex<HashMap<String, TimedAnswer>>,
    texts: Mutex<HashMap<PathBuf, Option<Text>>>,
    host_name: OnceLock<String>,
    kernel: OnceLock<KernelVersion>,
}

struct TimedAnswer {
    received: Instant,
    answer: resolver::Answer,
}

impl FileCache {
    /// An empty cache.
    pub fn new(root: &Root) -> Self {
        Self {
            root: root.clone(),
            hosts: Mutex::default(),
            texts: Mutex::default(),
            host_name: OnceLock::new(),
            kernel: OnceLock::new(),
        }
    }

    /// The addresses of hosts, in the order of the hosts. The resolver may take `limit`.
    pub fn addresses(&self, hosts: &[String], limit: Duration) -> Vec<resolver::Answer> {
        if let Some(answers) = self.recent_answers(hosts) {
            return answers;
        }
        // Without the lock: a name server that does not answer must not block the images of other clusters.
        let answers = resolver::look_up(hosts, limit);
        let received = Instant::now();
        let mut known = lock(&self.hosts);
        for (host, answer) in hosts.iter().zip(&answers) {
            let answer = answer.clone();
            known.insert(host.clone(), TimedAnswer { received, answer });
        }
        answers
    }

    /// `None` unless all hosts have an answer that is recent enough.
    fn recent_answers(&self, hosts: &[String]) -> Option<Vec<resolver::Answer>> {
        let known = lock(&self.hosts);
        let recent = hosts.iter().map(|host| {
            let timed = known.get(host)?;
            (timed.received.elapsed() < ANSWER_VALIDITY).then(|| timed.answer.clone())
        });
        recent.collect()
    }

    /// The name of this host up to the first dot; empty if it cannot be read.
    pub fn host_name(&self) -> &str {
        self.host_name.get_or_init(|| {
            let name = read_or_empty(&self.root.hostname());
            name.trim().split('.').next().unwrap_or_default().to_owned()
        })
    }

    /// The version of the running kernel. If it cannot be read, a version that is newer than any.
    pub fn kernel_version(&self) -> KernelVersion {
        *self.kernel.get_or_init(|| {
            let text = read_or_empty(&self.root.kernel_release());
            let mut numbers = text.split(|c: char| !c.is_ascii_digit()).map(str::parse);
            match (numbers.next(), numbers.next()) {
                (Some(Ok(major)), Some(Ok(minor))) => KernelVersion { major, minor },
                _ => KernelVersion {
                    major: u32::MAX,
                    minor: 0,
                },
            }
        })
    }

    /// The text of a file that the configuration names; `None` if it does not exist.
    pub fn text(&self, path: &Path) -> Result<Option<Text>> {
        self.read(path, |_| {})
    }

    /// As [`FileCache::text`], for a file with a secret: warns once if every user can read it.
    pub fn secret_text(&self, path: &Path) -> Result<Option<Text>> {
        self.read(path, |real| {
            if let Err(error) = file_trust::check_secret(real) {
                tracing::warn!("{} contains a key and is {error}", path.display());
            }
        })
    }

    /// `check` gets the path below the root when the file is read for the first time.
    fn read(&self, path: &Path, check: impl Fn(&Path)) -> Result<Option<Text>> {
        if let Some(text) = lock(&self.texts).get(path) {
            return Ok(text.clone());
        }
        let real = self.root.join(path);
        let text = read_if_there(&real)?.map(|text| Arc::new(Zeroizing::new(text)));
        if text.is_some() {
            check(&real);
        }
        // That a file is missing is kept too: all images of a run are mapped from the same files.
        lock(&self.texts).insert(path.to_owned(), text.clone());
        Ok(text)
    }
}

/// The cache is only ever added to, so it is usable even if a thread panicked while it had the lock.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn read_or_empty(path: &Path) -> String {
    read_if_there(path).ok().flatten().unwrap_or_default()
}
