//! The cluster of a request: its ceph.conf, its monitors, and the messenger protocol to use with them.
//!
//! The rules are Ceph's (ceph `src/common/config.cc`, `src/mon/MonMap.cc`), with one exception: a Ceph client fetches the
//! monitor map and then names every monitor in it, while we name those in the configuration. The kernel fetches the map itself.

use std::net::SocketAddr;
use std::path::PathBuf;

use anyhow::{Result, bail, ensure};

use super::file_cache::{FileCache, KernelVersion};
use crate::config::ceph_conf::{CephConf, Identity};
use crate::config::map_options::MapOptions;
use crate::config::mon_host::{self, MonHost, Monitor};
use crate::config::table::{EntryOptions, paths};
use crate::model::messenger::Messenger;
use crate::runtime::root::Root;
use crate::sys::resolver::{Answer, NotFound};

/// The first kernel that has `ms_mode`.
const FIRST_WITH_MSGR2: KernelVersion = KernelVersion {
    major: 5,
    minor: 11,
};

/// The cluster, user and host that select files and sections.
pub fn identity(cache: &FileCache, options: &EntryOptions) -> Result<Identity> {
    let user = options.user.clone().unwrap_or_else(|| "admin".to_owned());
    ensure!(
        !user.is_empty() && !user.contains(is_unusable),
        "user {user:?} is empty or contains a blank, comma or control character, which the kernel cannot parse"
    );
    let cluster = options
        .cluster
        .clone()
        .or_else(|| cluster_of_conf(options.conf.as_deref()?))
        .unwrap_or_else(|| "ceph".to_owned());
    Ok(Identity {
        cluster,
        user,
        host: cache.host_name().to_owned(),
    })
}

/// The kernel's line has no quoting: blanks separate its words, commas its options.
fn is_unusable(c: char) -> bool {
    c.is_whitespace() || c.is_control() || c == ','
}

/// The name of the cluster from the first file in the list that is called `CLUSTER.conf`.
fn cluster_of_conf(list: &str) -> Option<String> {
    let path = paths(list).find(|path| path.extension().is_some_and(|end| end == "conf"))?;
    Some(path.file_stem()?.to_string_lossy().into_owned())
}

/// The first ceph.conf of the list that exists, with its path. Only a file that was asked for must exist.
///
/// Unlike Ceph we do not search the home directory or the current directory: rbdmap runs as root, and other users may be able
/// to write there.
pub fn ceph_conf(
    cache: &FileCache,
    options: &EntryOptions,
    identity: &Identity,
) -> Result<(PathBuf, CephConf)> {
    let list = options
        .conf
        .clone()
        .unwrap_or_else(|| Root::ceph_conf_of(&identity.cluster));
    for path in paths(&list) {
        if let Some(text) = cache.text(path)? {
            return Ok((path.to_owned(), CephConf::parse(path, &text)?));
        }
    }
    // Without any ceph.conf an image can still be mapped: the line can have mon_host and the key.
    if options.conf.is_some() {
        bail!("ceph.conf {list} does not exist; check conf=, --conf and CEPH_CONF");
    }
    let path = PathBuf::from(list);
    let empty = CephConf::parse(&path, "")?;
    Ok((path, empty))
}

/// The monitors of a cluster, from the first of these that has any: the entry's `mon_host`, ceph.conf's `mon_host`, the
/// `[mon.X]` sections of ceph.conf. `look_up` finds the addresses of host names.
pub fn find_monitors(
    conf: &CephConf,
    identity: &Identity,
    mon_host: Option<&str>,
    look_up: impl Fn(&[String]) -> Vec<Answer>,
) -> Result<Vec<Monitor>, NotFound> {
    let mon_host = mon_host
        .map(str::to_owned)
        .or_else(|| conf.value(identity, "mon_host"))
        .unwrap_or_default();
    match mon_host::mon_host(&mon_host) {
        // Ceph looks at the sections only if mon_host is empty, and does not add them to it.
        MonHost::Addresses(found) if found.is_empty() => Ok(from_sections(conf, identity)),
        MonHost::Addresses(found) => Ok(found),
        MonHost::Names(hosts) => look_up_monitors(hosts, look_up),
    }
}

fn from_sections(conf: &CephConf, identity: &Identity) -> Vec<Monitor> {
    let addresses = conf
        .monitor_sections()
        .into_iter()
        .filter_map(|text| mon_host::mon_addr(&conf.expand_text(identity, text)));
    mon_host::unique(addresses)
}

/// A cluster can be reached through any of its monitors, so a name without an address is an error only if it is the last one.
fn look_up_monitors(
    hosts: Vec<(String, Option<u16>)>,
    look_up: impl Fn(&[String]) -> Vec<Answer>,
) -> Result<Vec<Monitor>, NotFound> {
    let (names, ports): (Vec<String>, Vec<Option<u16>>) = hosts.into_iter().unzip();
    let answers = look_up(&names);
    let missing = NotFound::among(&names, &answers);
    let mut monitors = Vec::new();
    for (answer, port) in answers.into_iter().zip(ports) {
        for ip in answer.unwrap_or_default() {
            monitors.extend(mon_host::by_port(ip, port));
        }
    }
    match missing {
        Some(missing) if monitors.is_empty() => return Err(missing),
        Some(missing) => tracing::warn!("{missing}; continuing with the other monitors"),
        None => {}
    }
    Ok(mon_host::unique(monitors))
}

/// The addresses for the messenger protocol of `ms_mode`. Without `ms_mode`: msgr2 in the mode `prefer-crc`, as in Ceph 20, if
/// the monitors have addresses for it and the kernel supports it; otherwise msgr1, so that every cluster can be reached.
pub fn select_messenger(
    monitors: &[Monitor],
    options: &mut MapOptions,
    kernel: KernelVersion,
) -> Result<Vec<SocketAddr>> {
    // The kernel dials an address with the protocol of ms_mode, whatever mon_host says about it. So the addresses must match.
    if options.value("ms_mode").is_none()
        && kernel >= FIRST_WITH_MSGR2
        && !addresses(monitors, Messenger::V2).is_empty()
    {
        options.add("ms_mode=prefer-crc")?;
    }
    let mode = options.value("ms_mode").unwrap_or("legacy");
    let messenger = messenger(options);
    let selected = addresses(monitors, messenger);
    if selected.is_empty() {
        let version = match messenger {
            Messenger::V1 => 1,
            Messenger::V2 => 2,
        };
        bail!(
            "ms_mode={mode} uses msgr{version}, but no monitor has an address for it; add v{version}:ADDRESS to mon_host"
        );
    }
    Ok(selected)
}

/// The messenger protocol that the kernel uses with these options.
pub fn messenger(options: &MapOptions) -> Messenger {
    match options.value("ms_mode") {
        None | Some("legacy") => Messenger::V1,
        Some(_) => Messenger::V2,
    }
}

fn addresses(monitors: &[Monitor], messenger: Messenger) -> Vec<SocketAddr> {
    monitors
        .iter()
        .filter(|monitor| monitor.messenger == messenger)
        .map(|monitor| monitor.address)
        .collect()
}
