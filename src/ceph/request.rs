//! What one mapping needs from the kernel. It is found by Ceph's rules from an entry, ceph.conf and keyrings; only files are
//! read. `add_line` makes the line for the kernel from it, and `sys::rbd` writes the line.

#[cfg(test)]
mod tests;

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result, bail};

use super::cluster::{ceph_conf, find_monitors, identity, messenger, select_messenger};
use super::file_cache::FileCache;
use super::key_search::{UserKey, find_secret};
use crate::config::ceph_conf::{CephConf, Identity};
use crate::config::map_options::MapOptions;
use crate::config::mon_host::Monitor;
use crate::config::table::{Entry, EntryOptions};
use crate::model::messenger::Messenger;
use crate::model::secret::Secret;
use crate::model::wanted::Wanted;
use crate::sys::rbd::lock_owner::LockQuestion;
use crate::sys::resolver::NotFound;

/// How long the kernel may wait for a session with a cluster, unless an option says otherwise. The kernel's default of 60 s is
/// too long: it maps one image after the other, so all others wait too. We retry anyway.
const SESSION_TIMEOUT: &str = "mount_timeout=15";

/// What the configuration asks for an entry, as far as files say it. Neither monitors nor key are needed for that.
pub struct ResolvedEntry<'a> {
    cache: &'a FileCache,
    entry: &'a Entry,
    identity: Identity,
    conf_path: PathBuf,
    conf: CephConf,
    options: MapOptions,
    /// Which mapping the entry asks for.
    pub wanted: Wanted,
}

/// Everything that one mapping needs.
#[derive(Clone)]
pub struct Request {
    /// Which mapping.
    pub wanted: Wanted,
    /// The Ceph user without `client.`.
    pub user: String,
    /// The user's key.
    pub key: UserKey,
    /// Monitors, with the addresses for the messenger protocol of `options`.
    pub monitors: Vec<SocketAddr>,
    /// The options for the kernel, with `ms_mode` unless it is the default.
    pub options: MapOptions,
}

/// Why an entry has no [`Request`].
#[derive(Debug)]
pub enum RequestError {
    /// mon_host has host names only, and none of them has an address.
    MonitorNames(NotFound),
    /// A file or option is missing or invalid.
    Other(anyhow::Error),
}

/// Reads ceph.conf for an entry and completes the entry's options from it. This is the only place that does, so a mapping
/// and the search for it agree on cluster and options.
pub fn resolve<'a>(cache: &'a FileCache, entry: &'a Entry) -> Result<ResolvedEntry<'a>> {
    let identity = identity(cache, &entry.options)?;
    let (conf_path, conf) = ceph_conf(cache, &entry.options, &identity)?;
    let mut options = entry.options.map.clone();
    if let Some(defaults) = conf.value(&identity, "rbd_default_map_options") {
        options
            .add_defaults(&defaults)
            .with_context(|| format!("{}: rbd_default_map_options", conf_path.display()))?;
    }
    // The option fsid is compared by the kernel, the fsid of ceph.conf only by us.
    let fsid = options
        .value("fsid")
        .map(str::to_owned)
        .or_else(|| conf.value(&identity, "fsid"));
    let wanted = Wanted {
        spec: entry.spec.clone(),
        // The kernel prints it in lower case, whatever the configuration has.
        fsid: fsid.map(|fsid| fsid.to_ascii_lowercase()),
        // The kernel maps a snapshot read-only without being asked.
        read_only: options.read_only() || entry.spec.snapshot.is_some(),
    };
    Ok(ResolvedEntry {
        cache,
        entry,
        identity,
        conf_path,
        conf,
        options,
        wanted,
    })
}

/// The line that would map an entry's image, as [`Request::preview`] shows it.
pub fn preview(cache: &FileCache, entry: &Entry, look_up_limit: Duration) -> Result<String> {
    let resolved = resolve(cache, entry)?;
    resolved.request(look_up_limit)?.preview()
}

/// The pool of images without a pool in their names: `rbd_default_pool` of ceph.conf.
pub fn default_pool(cache: &FileCache, options: &EntryOptions) -> Result<String> {
    let identity = identity(cache, options)?;
    let (_, conf) = ceph_conf(cache, options, &identity)?;
    Ok(conf
        .value(&identity, "rbd_default_pool")
        .filter(|pool| !pool.is_empty())
        .unwrap_or_else(|| "rbd".to_owned()))
}

impl ResolvedEntry<'_> {
    /// Finds monitors and key. The resolver may take `look_up_limit` for the names of monitors.
    pub fn request(&self, look_up_limit: Duration) -> Result<Request, RequestError> {
        let monitors = find_monitors(
            &self.conf,
            &self.identity,
            self.entry.options.mon_host.as_deref(),
            |names| self.cache.addresses(names, look_up_limit),
        )
        .map_err(RequestError::MonitorNames)?;
        Ok(self.request_with(&monitors)?)
    }

    fn request_with(&self, monitors: &[Monitor]) -> Result<Request> {
        if monitors.is_empty() {
            let path = self.conf_path.display();
            bail!("no monitors; set mon_host in {path} or in the line of the image");
        }
        let mut options = self.options.clone();
        let monitors = select_messenger(monitors, &mut options, self.cache.kernel_version())?;
        // Only if neither the entry nor ceph.conf sets mount_timeout.
        options.add_defaults(SESSION_TIMEOUT)?;
        let key = find_secret(self.cache, &self.conf, &self.identity, &self.entry.options)?;
        Ok(Request {
            wanted: self.wanted.clone(),
            user: self.identity.user.clone(),
            key,
            monitors,
            options,
        })
    }
}

impl Request {
    /// The same request for some of the monitors.
    pub fn with_monitors(&self, monitors: Vec<SocketAddr>) -> Self {
        Self {
            monitors,
            ..self.clone()
        }
    }

    /// The question to Ceph's `rbd` who has the image's lock.
    pub fn lock_question(&self) -> LockQuestion<'_> {
        LockQuestion {
            spec: &self.wanted.spec,
            user: &self.user,
            secret: self.secret(),
            monitors: &self.monitors,
            messenger: self.messenger(),
        }
    }

    /// The user's key, if there is one.
    pub fn secret(&self) -> Option<&Secret> {
        match &self.key {
            UserKey::Found(secret) => Some(secret),
            UserKey::Missing(_) => None,
        }
    }

    /// The messenger protocol of the monitors' addresses.
    pub fn messenger(&self) -> Messenger {
        messenger(&self.options)
    }

    /// What distinguishes the cluster from others: its fsid, or its monitors if the fsid is not known.
    pub fn cluster_id(&self) -> String {
        match &self.wanted.fsid {
            Some(fsid) => fsid.clone(),
            None => self.monitor_list(usize::MAX),
        }
    }

    /// The addresses of at most `count` monitors, separated by commas.
    pub(super) fn monitor_list(&self, count: usize) -> String {
        let monitors = self.monitors.iter().take(count);
        monitors
            .map(SocketAddr::to_string)
            .collect::<Vec<_>>()
            .join(",")
    }
}

impl fmt::Display for RequestError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::MonitorNames(names) => write!(f, "no monitors: {names}"),
            Self::Other(error) => write!(f, "{error:#}"),
        }
    }
}

impl std::error::Error for RequestError {}

impl From<anyhow::Error> for RequestError {
    fn from(error: anyhow::Error) -> Self {
        Self::Other(error)
    }
}
