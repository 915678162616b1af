//! The secret of a request, searched for in the places and in the order of Ceph (ceph `src/auth/KeyRing.cc`,
//! from_ceph_context).

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use zeroize::Zeroizing;

use super::file_cache::FileCache;
use crate::config::ceph_conf::{CephConf, Identity};
use crate::config::keyring;
use crate::config::table::{EntryOptions, paths};
use crate::model::secret::Secret;

/// Ceph's default of the option `keyring`.
const DEFAULT_KEYRINGS: &str = "/etc/ceph/$cluster.$name.keyring,/etc/ceph/$cluster.keyring,/etc/ceph/keyring,/etc/ceph/keyring.bin";

/// The key of the Ceph user.
#[derive(Clone)]
pub enum UserKey {
    /// The key that counts.
    Found(Secret),
    /// The user has no key, which is an error only if the cluster requires one. The text says where it was looked for.
    Missing(String),
}

/// Searches for the user's key: the entry's key file and key, then ceph.conf's key and key file, then keyrings.
///
/// As in Ceph, the entry's key file may be missing if a later place has the key; ceph.conf's may not.
pub fn find_secret(
    cache: &FileCache,
    conf: &CephConf,
    identity: &Identity,
    options: &EntryOptions,
) -> Result<UserKey> {
    // As in ceph `src/krbd.cc`: without authentication, rbd does not look for a key.
    if conf
        .value(identity, "auth_client_required")
        .is_some_and(|required| required.trim() == "none")
    {
        let reason = "ceph.conf has auth_client_required = none".to_owned();
        return Ok(UserKey::Missing(reason));
    }
    if let Some(path) = &options.keyfile
        && let Some(text) = cache.secret_text(path)?
    {
        return Ok(UserKey::Found(keyring::from_keyfile(path, &text)?));
    }
    if let Some(key) = &options.key {
        return Ok(UserKey::Found(Secret::decode(key.text()).context("key")?));
    }
    match &options.keyfile {
        None => search_later_places(cache, conf, identity, options),
        Some(missing) => {
            without_keyfile(missing, search_later_places(cache, conf, identity, options))
        }
    }
}

fn without_keyfile(path: &Path, later: Result<UserKey>) -> Result<UserKey> {
    let missing = format!("keyfile {} does not exist", path.display());
    // The missing file is the first cause, whatever the later places lack.
    match later.with_context(|| missing.clone())? {
        UserKey::Missing(_) => bail!(missing),
        found => {
            tracing::warn!("{missing}; using the key from another place, as Ceph does");
            Ok(found)
        }
    }
}

/// ceph.conf's key, ceph.conf's key file, keyrings.
fn search_later_places(
    cache: &FileCache,
    conf: &CephConf,
    identity: &Identity,
    options: &EntryOptions,
) -> Result<UserKey> {
    if let Some(key) = value(conf, identity, "key").map(Zeroizing::new) {
        return Ok(UserKey::Found(
            Secret::decode(&key).context("ceph.conf: key")?,
        ));
    }
    if let Some(path) = value(conf, identity, "keyfile").map(PathBuf::from) {
        let text = cache
            .secret_text(&path)?
            .with_context(|| format!("keyfile {} does not exist", path.display()))?;
        return Ok(UserKey::Found(keyring::from_keyfile(&path, &text)?));
    }
    search_keyrings(cache, conf, identity, options)
}

fn value(conf: &CephConf, identity: &Identity, key: &str) -> Option<String> {
    // Ceph treats an empty value as not set.
    conf.value(identity, key).filter(|value| !value.is_empty())
}

/// Only the first keyring that exists counts, even if it has no key of the user.
fn search_keyrings(
    cache: &FileCache,
    conf: &CephConf,
    identity: &Identity,
    options: &EntryOptions,
) -> Result<UserKey> {
    let requested = options
        .keyring
        .as_deref()
        .map(|list| conf.expand_text(identity, list));
    let list = requested
        .clone()
        .or_else(|| conf.value(identity, "keyring"))
        .unwrap_or_else(|| conf.expand_text(identity, DEFAULT_KEYRINGS));
    for path in paths(&list) {
        let Some(text) = cache.secret_text(path)? else {
            continue;
        };
        let secret = keyring::from_keyring(path, &text, &identity.user)?;
        return secret.map(UserKey::Found).with_context(|| {
            format!(
                "keyring {} has no key of client.{}",
                path.display(),
                identity.user
            )
        });
    }
    // A keyring that the entry names must exist. The others need not: a cluster without authentication has none.
    if requested.is_some() {
        bail!("keyring {list} does not exist");
    }
    Ok(UserKey::Missing(format!(
        "none of the keyrings {list} exists"
    )))
}
