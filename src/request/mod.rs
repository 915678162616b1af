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

mod cluster;
mod secret;
mod sources;

use std::net::SocketAddr;
use std::path::PathBuf;

use anyhow::{Result, anyhow, bail};
use zeroize::Zeroizing;

use crate::config::ceph_conf::{CephConf, Identity};
use crate::config::keyring::Secret;
use crate::config::map_options::MapOptions;
use crate::config::monitors::Messenger;
use crate::config::table::{Entry, EntryOptions};
use crate::image::ImageSpec;
use crate::tag::{Origin, Tag};
use cluster::{ceph_conf, find_monitors, identity, select_messenger};
use secret::find_secret;
pub use sources::Sources;

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

/// What tells a mapping from others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanted {
    /// The image.
    pub spec: ImageSpec,
    /// The cluster's id, where ceph.conf or an option says it.
    pub fsid: Option<String>,
    /// Whether it is read-only: asked for, or of a snapshot.
    pub read_only: bool,
}

impl Wanted {
    /// What an entry asks for; no monitor and no key is needed to tell.
    pub fn of(sources: &Sources, entry: &Entry) -> Result<Self> {
        let cluster = Cluster::of(sources, entry)?;
        Ok(cluster.wanted(entry))
    }
}

/// What the configuration says to an entry.
struct Cluster {
    identity: Identity,
    path: PathBuf,
    conf: CephConf,
    options: MapOptions,
}

impl Cluster {
    fn of(sources: &Sources, entry: &Entry) -> Result<Self> {
        let identity = identity(sources, &entry.options)?;
        let (path, conf) = ceph_conf(sources, &entry.options, &identity)?;
        let mut options = entry.options.map.clone();
        if let Some(defaults) = conf.value(&identity, "rbd_default_map_options") {
            options.add_defaults(&defaults).map_err(|e| anyhow!("{}: rbd_default_map_options: {e}", path.display()))?;
        }
        Ok(Self { identity, path, conf, options })
    }

    fn wanted(&self, entry: &Entry) -> Wanted {
        let fsid = self.options.value("fsid").map(str::to_owned).or_else(|| self.conf.value(&self.identity, "fsid"));
        Wanted {
            spec: entry.spec.clone(),
            fsid: fsid.map(|fsid| fsid.to_ascii_lowercase()),
            read_only: self.options.read_only() || entry.spec.snapshot.is_some(),
        }
    }
}

impl Request {
    /// Finds everything for an entry. Errors name the file and what is missing in it.
    pub fn resolve(sources: &Sources, entry: &Entry) -> Result<Self> {
        let cluster = Cluster::of(sources, entry)?;
        let wanted = cluster.wanted(entry);
        let Cluster { identity, path, conf, mut options } = cluster;
        let found = find_monitors(&conf, &identity, entry.options.mon_host.as_deref())?;
        if found.is_empty() {
            bail!("no monitors: {} has no mon_host and the line has no mon_host=", path.display());
        }
        let monitors = select_messenger(&found, &mut options, sources.kernel_release())?;
        options.add_defaults(SESSION_LIMIT).map_err(|error| anyhow!(error))?;
        let (secret, searched) = find_secret(sources, &conf, &identity, &entry.options)?;
        Ok(Self { wanted, user: identity.user, secret, searched, monitors, options })
    }

    /// The same, of these monitors.
    pub fn through(&self, monitors: Vec<SocketAddr>) -> Self {
        Self { monitors, ..self.clone() }
    }

    /// The line for the kernel. `credential` is `key=…` or nothing.
    pub fn line(&self, credential: Option<&str>, tag: &Tag) -> Result<Zeroizing<String>> {
        let monitors: Vec<String> = self.monitors.iter().take(MONITORS_MAX).map(SocketAddr::to_string).collect();
        let namespace = self.wanted.spec.namespace.as_ref().map(|namespace| format!("_pool_ns={namespace}"));
        let parts = [
            Some(format!("name={}", self.user)),
            credential.map(str::to_owned),
            Some(self.options.to_string()),
            namespace,
        ];
        let options: Vec<String> = parts.into_iter().flatten().filter(|part| !part.is_empty()).collect();
        let snapshot = self.wanted.spec.snapshot.as_deref().unwrap_or("-");
        let (pool, image) = (&self.wanted.spec.pool, &self.wanted.spec.image);
        let line = format!("{} {} {pool} {image} {snapshot} {tag}", monitors.join(","), options.join(","));
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
        let key = self.secret.as_ref().map(|_| format!("key=client.{}", self.user));
        let line = self.line(key.as_deref(), &Tag::new(Origin::Table, [0; 8]))?;
        Ok(line.rsplit_once(' ').map_or_else(String::new, |(line, _mark)| line.to_owned()))
    }

    /// Which messenger the monitors' addresses are for.
    pub fn messenger(&self) -> Messenger {
        match self.options.value("ms_mode") {
            None | Some("legacy") => Messenger::V1,
            Some(_) => Messenger::V2,
        }
    }

    /// What tells the cluster from others: its id, or where that is not known the monitors.
    pub fn cluster(&self) -> String {
        let monitors = || self.monitors.iter().map(SocketAddr::to_string).collect::<Vec<_>>().join(",");
        self.wanted.fsid.clone().unwrap_or_else(monitors)
    }
}

/// The pool of an image that is named without one: `rbd_default_pool` of ceph.conf.
pub fn default_pool(sources: &Sources, options: &EntryOptions) -> Result<String> {
    let identity = identity(sources, options)?;
    let (_, conf) = ceph_conf(sources, options, &identity)?;
    Ok(conf.value(&identity, "rbd_default_pool").filter(|pool| !pool.is_empty()).unwrap_or_else(|| "rbd".to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::table;
    use crate::root::Root;
    use std::path::Path;

    const KEY: &str = "AQCvWKVlAAAAABAAxjSMvNLkZy0nqVkhxMmgEA==";

    /// A folder that is a machine with the given files.
    fn machine(files: &[(&str, &str)]) -> (tempfile::TempDir, Root) {
        let folder = tempfile::tempdir().unwrap();
        let root = Root::new(folder.path());
        for (path, text) in files {
            let path = root.join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        (folder, root)
    }

    fn entry(line: &str) -> Entry {
        table::parse(Path::new("t"), line).0.remove(0)
    }

    fn line(files: &[(&str, &str)], text: &str) -> Result<String> {
        let (_folder, root) = machine(files);
        let request = Request::resolve(&Sources::new(&root), &entry(text))?;
        let credential = request.secret.as_ref().map(|_| "key=client.x");
        Ok(request.line(credential, &Tag::new(Origin::Table, [0; 8]))?.to_string())
    }

    /// The lines, but for key, tag and mount_timeout, are what `rbd device map` 16.2.15 writes.
    #[test]
    fn lines_are_those_of_the_rbd_command() {
        let keyring = format!("[client.boot]\nkey = {KEY}\n");
        let v1 = ("/etc/ceph/ceph.conf", "[global]\nmon_host = v1:1.2.3.4\n");
        let both = ("/etc/ceph/ceph.conf", "[global]\nmon_host = 1.2.3.4, 1.2.3.5\n");
        let k = ("/etc/ceph/ceph.client.boot.keyring", keyring.as_str());
        let rows = [
            (
                v1,
                "rbd/i id=boot",
                "1.2.3.4:6789 name=boot,key=client.x,mount_timeout=15 rbd i - rbdmap:table:0000000000000000",
            ),
            (
                v1,
                "rbd/n/i@s id=boot,read-only",
                "1.2.3.4:6789 name=boot,key=client.x,mount_timeout=15,ro,_pool_ns=n rbd i s rbdmap:table:0000000000000000",
            ),
            (
                both,
                "rbd/i id=boot",
                "1.2.3.4:3300,1.2.3.5:3300 name=boot,key=client.x,mount_timeout=15,ms_mode=prefer-crc rbd i - rbdmap:table:0000000000000000",
            ),
            (
                both,
                "rbd/i id=boot,options='ms_mode=legacy'",
                "1.2.3.4:6789,1.2.3.5:6789 name=boot,key=client.x,mount_timeout=15,ms_mode=legacy rbd i - rbdmap:table:0000000000000000",
            ),
        ];
        for (conf, text, expected) in rows {
            assert_eq!(line(&[conf, k], text).unwrap(), expected);
        }
    }

    #[test]
    fn an_old_kernel_is_spoken_to_in_msgr1() {
        let files =
            [("/etc/ceph/ceph.conf", "[global]\nmon_host = 1.2.3.4\n"), ("/proc/sys/kernel/osrelease", "5.10.0-1\n")];
        assert!(line(&files, "rbd/i").unwrap().starts_with("1.2.3.4:6789 name=admin,mount_timeout=15 rbd i - "));
    }

    #[test]
    fn what_is_missing_is_named() {
        let conf = ("/etc/ceph/ceph.conf", "[global]\nmon_host = v1:1.2.3.4\n");
        let other = ("/k", "[client.other]\n");
        type Row<'a> = (&'a [(&'a str, &'a str)], &'a str, &'a str);
        let rows: [Row; 7] = [
            (&[], "rbd/i", "no monitors: /etc/ceph/ceph.conf has no mon_host and the line has no mon_host="),
            (&[], "rbd/i conf=/c.conf", "/c.conf does not exist, but was named as ceph.conf"),
            (&[conf], "rbd/i keyring=/k", "keyring /k does not exist"),
            (&[conf, other], "rbd/i id=boot,keyring=/k", "keyring /k has no key of client.boot"),
            (&[conf], "rbd/i keyfile=/f", "keyfile /f does not exist"),
            (&[conf, other], "rbd/i keyfile=/f,keyring=/k", "keyfile /f does not exist"),
            (
                &[conf],
                "rbd/i options='ms_mode=crc'",
                "ms_mode=crc speaks msgr2, but no monitor of mon_host has an address for it (v2:…)",
            ),
        ];
        for (files, text, expected) in rows {
            assert_eq!(line(files, text).unwrap_err().to_string(), expected);
        }
    }

    #[test]
    fn the_key_is_searched_in_cephs_order() {
        let conf = |more: &str| format!("[global]\nmon_host = v1:1.2.3.4\n{more}");
        let keyring = format!("[client.boot]\nkey = {KEY}\n");
        let rows = [
            ("/k", keyring.as_str(), "", "rbd/i id=boot,keyfile=/none,keyring=/k"),
            ("/f", KEY, "key = broken\n", "rbd/i id=boot,keyfile=/f"),
            ("/f", KEY, "key =\nkeyfile = /f\n", "rbd/i id=boot"),
            ("/f", KEY, "", "rbd/i id=boot,key=broken,keyfile=/f"),
        ];
        for (path, text, more, entry) in rows {
            let line = line(&[("/etc/ceph/ceph.conf", &conf(more)), (path, text)], entry);
            assert!(line.is_ok_and(|line| line.contains(",key=client.x,")), "{entry}");
        }
        let missing =
            line(&[("/etc/ceph/ceph.conf", &conf("keyfile = /none\n")), ("/k", &keyring)], "rbd/i keyring=/k");
        assert_eq!(missing.unwrap_err().to_string(), "keyfile /none does not exist");
    }

    #[test]
    fn a_preview_has_neither_secret_nor_mark() {
        let (_folder, root) = machine(&[
            ("/etc/ceph/ceph.conf", "[global]\nmon_host = 1.2.3.4\n"),
            ("/etc/ceph/ceph.client.boot.keyring", &format!("[client.boot]\nkey = {KEY}\n")),
        ]);
        let preview =
            |line| Request::resolve(&Sources::new(&root), &entry(line)).and_then(|request| request.preview()).unwrap();
        let expected = "1.2.3.4:3300 name=boot,key=client.boot,mount_timeout=15,ms_mode=prefer-crc rbd i -";
        assert_eq!(preview("rbd/i id=boot"), expected);
        assert_eq!(preview("rbd/i@s"), "1.2.3.4:3300 name=admin,mount_timeout=15,ms_mode=prefer-crc rbd i s");
    }

    #[test]
    fn a_line_that_the_kernel_would_cut_is_refused() {
        let conf = [("/etc/ceph/ceph.conf", "[global]\nmon_host = v1:1.2.3.4\n")];
        let options = format!("rbd/i options='crush_location={}'", "i".repeat(4094));
        let error = line(&conf, &options).unwrap_err().to_string();
        assert!(error.contains("the kernel takes 4094"), "{error}");
    }
}
