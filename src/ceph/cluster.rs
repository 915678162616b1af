//! The cluster that a request is for: its ceph.conf, its monitors, and the messenger to speak with them.
//!
//! Ceph's own rules (ceph `src/common/config.cc`, `src/mon/MonMap.cc`), but for one: a client of Ceph asks the monitors
//! for the monitor map and then names all of them, we name those that are written down; the kernel learns the
//! rest by itself.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use anyhow::{Result, bail};

use super::file_cache::FileCache;
use crate::config::ceph_conf::{CephConf, Identity};
use crate::config::map_options::MapOptions;
use crate::config::mon_host::{self, MonHost, Monitor};
use crate::config::table::{EntryOptions, paths};
use crate::model::messenger::Messenger;
use crate::runtime::root::Root;
use crate::sys::resolver::{Answer, NotFound};

/// The first kernel that knows `ms_mode`.
const MSGR2_SINCE: (u32, u32) = (5, 11);

/// Cluster, user and host, which choose files and sections.
pub fn identity(sources: &FileCache, options: &EntryOptions) -> Result<Identity> {
    let user = options.user.clone().unwrap_or_else(|| "admin".to_owned());
    if user.is_empty()
        || user
            .chars()
            .any(|c| c.is_whitespace() || c.is_control() || c == ',')
    {
        bail!(
            "user {user:?} has a blank, comma or control character, which the kernel cannot take"
        );
    }
    let named = options
        .conf
        .iter()
        .flat_map(|list| paths(list))
        .find_map(cluster_of);
    let cluster = options
        .cluster
        .clone()
        .or(named)
        .unwrap_or_else(|| "ceph".to_owned());
    Ok(Identity {
        cluster,
        user,
        host: sources.host().to_owned(),
    })
}

/// The configuration and its path: of several the first that is there. Only one that was asked for must exist. Unlike
/// Ceph, neither the home nor the current folder is searched: we run as root, where others may have written.
pub fn ceph_conf(
    sources: &FileCache,
    options: &EntryOptions,
    identity: &Identity,
) -> Result<(PathBuf, CephConf)> {
    let list = options
        .conf
        .clone()
        .unwrap_or_else(|| Root::ceph_conf_of(&identity.cluster));
    for path in paths(&list) {
        if let Some(text) = sources.text(path)? {
            return Ok((path.to_owned(), CephConf::parse(path, &text)?));
        }
    }
    if options.conf.is_some() {
        bail!("{list} does not exist, but was named as ceph.conf");
    }
    let path = PathBuf::from(list);
    let empty = CephConf::parse(&path, "")?;
    Ok((path, empty))
}

/// The cluster that a file named `CLUSTER.conf` stands for.
fn cluster_of(path: &Path) -> Option<String> {
    path.extension()
        .filter(|extension| *extension == "conf")
        .and(path.file_stem())
        .map(|s| s.to_string_lossy().into_owned())
}

/// The monitors' addresses: the line's, or ceph.conf's `mon_host`, or those of its `[mon.X]` sections.
/// `addresses` looks names up.
pub fn find_monitors(
    conf: &CephConf,
    identity: &Identity,
    mon_host: Option<&str>,
    addresses: impl Fn(&[String]) -> Vec<Answer>,
) -> Result<Vec<Monitor>, NotFound> {
    let mon_host = mon_host
        .map(str::to_owned)
        .or_else(|| conf.value(identity, "mon_host"))
        .unwrap_or_default();
    match mon_host::mon_host(&mon_host) {
        MonHost::Addresses(found) if found.is_empty() => {
            let expanded = conf
                .monitor_sections()
                .into_iter()
                .map(|text| conf.expand_text(identity, text));
            Ok(mon_host::unique(
                expanded.filter_map(|text| mon_host::mon_addr(&text)),
            ))
        }
        MonHost::Addresses(found) => Ok(found),
        MonHost::Names(hosts) => by_name(hosts, addresses),
    }
}

/// Of names that cannot be looked up, the others have to do.
fn by_name(
    hosts: Vec<(String, Option<u16>)>,
    addresses: impl Fn(&[String]) -> Vec<Answer>,
) -> Result<Vec<Monitor>, NotFound> {
    let (names, ports): (Vec<String>, Vec<Option<u16>>) = hosts.into_iter().unzip();
    let answers = addresses(&names);
    let lost = NotFound::among(&names, &answers);
    let found = answers
        .into_iter()
        .zip(ports)
        .filter_map(|(answer, port)| Some((answer.ok()?, port)));
    let found = mon_host::unique(found.flat_map(|(ips, port)| {
        ips.into_iter()
            .flat_map(move |ip| mon_host::by_port(ip, port))
    }));
    match lost {
        Some(lost) if found.is_empty() => Err(lost),
        Some(lost) => {
            tracing::warn!("{lost}; the other monitors have to do");
            Ok(found)
        }
        None => Ok(found),
    }
}

/// The addresses that the wanted messenger uses. Where nobody said which: msgr2 (`prefer-crc`, as Ceph 20 does) if
/// there are addresses for it and the kernel knows it, else msgr1, so that no cluster is out of reach.
pub fn select_messenger(
    found: &[Monitor],
    options: &mut MapOptions,
    kernel: (u32, u32),
) -> Result<Vec<SocketAddr>> {
    let addresses = |messenger| -> Vec<SocketAddr> {
        found
            .iter()
            .filter(|monitor| monitor.messenger == messenger)
            .map(|monitor| monitor.address)
            .collect()
    };
    if options.value("ms_mode").is_none()
        && kernel >= MSGR2_SINCE
        && !addresses(Messenger::V2).is_empty()
    {
        options.add("ms_mode=prefer-crc")?;
    }
    let mode = options.value("ms_mode").unwrap_or("legacy");
    let (messenger, name) = if mode == "legacy" {
        (Messenger::V1, "msgr1")
    } else {
        (Messenger::V2, "msgr2")
    };
    let chosen = addresses(messenger);
    if chosen.is_empty() {
        bail!(
            "ms_mode={mode} speaks {name}, but no monitor of mon_host has an address for it (v{}:…)",
            messenger as u8 + 1
        );
    }
    Ok(chosen)
}
