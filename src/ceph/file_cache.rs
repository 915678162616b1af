//! The files that requests are made of, each read once for all images of a run, and the addresses behind the names in them.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use anyhow::Result;
use zeroize::Zeroizing;

use crate::runtime::root::Root;
use crate::sys::file::read_if_there;
use crate::sys::{file_trust, resolver};

/// A file's text, which is wiped when nobody needs it any more: it may be a secret's.
type Text = Arc<Zeroizing<String>>;

/// For how long what came of looking names up holds: many images have the same monitors.
const ANSWER_HOLDS: Duration = Duration::from_secs(1);

/// What has been read so far.
pub struct FileCache {
    root: Root,
    hosts: Mutex<HashMap<String, (Instant, resolver::Answer)>>,
    texts: Mutex<HashMap<PathBuf, Option<Text>>>,
    host: OnceLock<String>,
    kernel: OnceLock<(u32, u32)>,
}

impl FileCache {
    /// Nothing has been read.
    pub fn new(root: &Root) -> Self {
        Self {
            root: root.clone(),
            hosts: Mutex::default(),
            texts: Mutex::default(),
            host: OnceLock::new(),
            kernel: OnceLock::new(),
        }
    }

    /// The addresses of hosts, in their order. They may take so long to be looked up.
    pub fn addresses(&self, hosts: &[String], limit: Duration) -> Vec<resolver::Answer> {
        let known = || self.hosts.lock().unwrap_or_else(PoisonError::into_inner);
        let fresh: Option<Vec<resolver::Answer>> = {
            let known = known();
            let answer = |host| {
                known
                    .get(host)
                    .filter(|(when, _)| when.elapsed() < ANSWER_HOLDS)
            };
            hosts
                .iter()
                .map(|host| answer(host).map(|(_, answer)| answer.clone()))
                .collect()
        };
        fresh.unwrap_or_else(|| {
            let answers = resolver::look_up(hosts, limit);
            let now = Instant::now();
            known().extend(
                hosts
                    .iter()
                    .cloned()
                    .zip(answers.iter().map(|answer| (now, answer.clone()))),
            );
            answers
        })
    }

    /// The machine's name up to the first dot; empty where it cannot be told.
    pub fn host(&self) -> &str {
        self.host.get_or_init(|| {
            let name = read_if_there(&self.root.hostname())
                .ok()
                .flatten()
                .unwrap_or_default();
            name.trim().split('.').next().unwrap_or_default().to_owned()
        })
    }

    /// Major and minor version of the running kernel; the newest where it cannot be told.
    pub fn kernel_release(&self) -> (u32, u32) {
        *self.kernel.get_or_init(|| {
            let text = read_if_there(&self.root.kernel_release())
                .ok()
                .flatten()
                .unwrap_or_default();
            let mut numbers = text.split(|c: char| !c.is_ascii_digit()).map(str::parse);
            match (numbers.next(), numbers.next()) {
                (Some(Ok(major)), Some(Ok(minor))) => (major, minor),
                _ => (u32::MAX, 0),
            }
        })
    }

    /// A file that configuration names; `None` where there is none.
    pub fn text(&self, path: &Path) -> Result<Option<Text>> {
        self.read(path, |_| {})
    }

    /// The same for a file with a secret. That others can read it is said once.
    pub fn secret_text(&self, path: &Path) -> Result<Option<Text>> {
        self.read(path, |real| {
            if let Err(error) = file_trust::check_secret(real) {
                tracing::warn!("{} contains a key and is {error}", path.display());
            }
        })
    }

    fn read(&self, path: &Path, look: impl Fn(&Path)) -> Result<Option<Text>> {
        let texts = || self.texts.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(text) = texts().get(path) {
            return Ok(text.clone());
        }
        let real = self.root.join(path);
        let text = read_if_there(&real)?.map(|text| Arc::new(Zeroizing::new(text)));
        if text.is_some() {
            look(&real);
        }
        texts().insert(path.to_owned(), text.clone());
        Ok(text)
    }
}
