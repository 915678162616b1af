//! What one mapping needs to be asked of the kernel: found by Ceph's own rules from an entry, ceph.conf and keyrings,
//! and put into the one line that the kernel's rbd bus takes.
//!
//! The line (linux `drivers/block/rbd.c`, rbd_add_parse_args; ceph `src/krbd.cc`, build_map_buf):
//!
//!     MONITOR[,MONITOR…] OPTIONS POOL IMAGE SNAPSHOT|- TAG
//!
//! without any quoting, so every part has been checked to hold no blank. The kernel reads at most a page and takes a
//! longer write for two commands, so a longer line is refused here. Reading files is all that this does to the
//! machine; writing the line is `sys::rbd`'s.

#[cfg(test)]
mod tests;

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use zeroize::Zeroizing;

use super::cluster::{ceph_conf, find_monitors, identity, select_messenger};
use super::file_cache::FileCache;
use super::key_search::find_secret;
use crate::config::ceph_conf::{CephConf, Identity};
use crate::config::map_options::MapOptions;
use crate::config::mon_host::Monitor;
use crate::config::table::{Entry, EntryOptions};
use crate::model::messenger::Messenger;
use crate::model::owner_tag::{Origin, OwnerTag};
use crate::model::secret::Secret;
use crate::model::wanted::Wanted;
use crate::sys::rbd::bus::{AddCommand, ClientKey};
use crate::sys::rbd::lock_owner::LockQuestion;
use crate::sys::resolver::NotFound;

/// A page less the newline and the NUL with which the kernel prints `config_info`.
const LINE_MAX: usize = 4094;
/// `CEPH_MAX_MON` of the kernel.
const MONITORS_MAX: usize = 31;

/// How long the kernel may wait for a session with a cluster, where nobody says. Its own 60 s are too long, for meanwhile no other
/// image can be mapped, whosever it is; and who waits for this one asks again.
const SESSION_LIMIT: &str = "mount_timeout=15";

/// Everything that one mapping needs.
#[derive(Clone)]
pub struct Request {
    /// Which mapping.
    pub wanted: Wanted,
    /// The Ceph user without `client.`.
    pub user: String,
    /// Its secret; `None` where no keyring could be opened, as on clusters without authentication.
    pub secret: Option<Secret>,
    /// Where a secret was looked for, for the error that the kernel will give without one.
    pub searched: String,
    /// Monitors that speak the messenger of `options`.
    pub monitors: Vec<SocketAddr>,
    /// Options for the kernel, `ms_mode` among them where it is not legacy.
    pub options: MapOptions,
}

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

/// Why an entry has no [`Request`].
#[derive(Debug)]
pub enum RequestError {
    /// The monitors have names only, and none of them has an address.
    MonitorNames(NotFound),
    /// A file or option is missing or invalid.
    Other(anyhow::Error),
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
    let fsid = options
        .value("fsid")
        .map(str::to_owned)
        .or_else(|| conf.value(&identity, "fsid"));
    let wanted = Wanted {
        spec: entry.spec.clone(),
        fsid: fsid.map(|fsid| fsid.to_ascii_lowercase()),
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
            bail!(
                "no monitors: {} has no mon_host and the line has no mon_host=",
                self.conf_path.display()
            );
        }
        let mut options = self.options.clone();
        let monitors = select_messenger(monitors, &mut options, self.cache.kernel_release())?;
        options.add_defaults(SESSION_LIMIT)?;
        let (secret, searched) =
            find_secret(self.cache, &self.conf, &self.identity, &self.entry.options)?;
        Ok(Request {
            wanted: self.wanted.clone(),
            user: self.identity.user.clone(),
            secret,
            searched,
            monitors,
            options,
        })
    }
}

impl Request {
    /// The same, of these monitors.
    pub fn with_monitors(&self, monitors: Vec<SocketAddr>) -> Self {
        Self {
            monitors,
            ..self.clone()
        }
    }

    /// The command that maps the image, with `tag` as its last word.
    pub fn add_command(&self, tag: &OwnerTag) -> Result<AddCommand> {
        let name = format!("client.{}", self.user);
        let key = self.secret.clone().map(|secret| ClientKey { name, secret });
        let credential = key.as_ref().map(|key| format!("key={}", key.name));
        Ok(AddCommand {
            line: self.line(credential.as_deref(), tag)?,
            key,
        })
    }

    /// The line for the kernel. `credential` is `key=…` or nothing.
    pub fn line(&self, credential: Option<&str>, tag: &OwnerTag) -> Result<Zeroizing<String>> {
        let monitors: Vec<String> = self
            .monitors
            .iter()
            .take(MONITORS_MAX)
            .map(SocketAddr::to_string)
            .collect();
        let namespace = self
            .wanted
            .spec
            .namespace
            .as_ref()
            .map(|namespace| format!("_pool_ns={namespace}"));
        let parts = [
            Some(format!("name={}", self.user)),
            credential.map(str::to_owned),
            Some(self.options.to_string()),
            namespace,
        ];
        let options: Vec<String> = parts
            .into_iter()
            .flatten()
            .filter(|part| !part.is_empty())
            .collect();
        let snapshot = self.wanted.spec.snapshot.as_deref().unwrap_or("-");
        let (pool, image) = (&self.wanted.spec.pool, &self.wanted.spec.image);
        let line = format!(
            "{} {} {pool} {image} {snapshot} {tag}",
            monitors.join(","),
            options.join(",")
        );
        if line.len() > LINE_MAX {
            bail!(
                "{}: its names and options make a line of {} bytes, the kernel takes {LINE_MAX}",
                self.wanted.spec,
                line.len()
            );
        }
        Ok(Zeroizing::new(line))
    }

    /// The line as people are shown it: without our mark, which each write makes anew, and never with a secret, only with
    /// the name by which the kernel would have it.
    pub fn preview(&self) -> Result<String> {
        let key = self
            .secret
            .as_ref()
            .map(|_| format!("key=client.{}", self.user));
        let line = self.line(key.as_deref(), &OwnerTag::new(Origin::Table, [0; 8]))?;
        Ok(line
            .rsplit_once(' ')
            .map_or_else(String::new, |(line, _mark)| line.to_owned()))
    }

    /// What to ask Ceph's own `rbd` about the image's lock.
    pub fn lock_question(&self) -> LockQuestion<'_> {
        LockQuestion {
            spec: &self.wanted.spec,
            user: &self.user,
            secret: self.secret.as_ref(),
            monitors: &self.monitors,
            messenger: self.messenger(),
        }
    }

    /// Which messenger the monitors' addresses are for.
    pub fn messenger(&self) -> Messenger {
        match self.options.value("ms_mode") {
            None | Some("legacy") => Messenger::V1,
            Some(_) => Messenger::V2,
        }
    }

    /// What tells the cluster from others: its id, or where that is not known the monitors.
    pub fn cluster_id(&self) -> String {
        let monitors = || {
            self.monitors
                .iter()
                .map(SocketAddr::to_string)
                .collect::<Vec<_>>()
                .join(",")
        };
        self.wanted.fsid.clone().unwrap_or_else(monitors)
    }
}

/// The pool of an image that is named without one: `rbd_default_pool` of ceph.conf.
pub fn default_pool(sources: &FileCache, options: &EntryOptions) -> Result<String> {
    let identity = identity(sources, options)?;
    let (_, conf) = ceph_conf(sources, options, &identity)?;
    Ok(conf
        .value(&identity, "rbd_default_pool")
        .filter(|pool| !pool.is_empty())
        .unwrap_or_else(|| "rbd".to_owned()))
}
