//! The secret of a request: searched where Ceph searches it (ceph `src/auth/KeyRing.cc`, from_ceph_context).

use std::path::PathBuf;

use anyhow::{Context, Result, anyhow, bail};
use zeroize::Zeroizing;

use super::file_cache::FileCache;
use crate::config::ceph_conf::{CephConf, Identity};
use crate::config::keyring;
use crate::config::table::{EntryOptions, paths};
use crate::model::secret::Secret;

/// Where Ceph looks for a user's key if nobody says.
const KEYRINGS: &str = "/etc/ceph/$cluster.$name.keyring,/etc/ceph/$cluster.keyring,/etc/ceph/keyring,/etc/ceph/keyring.bin";

/// A secret, if there is one, and where it was looked for if there is none.
type Found = (Option<Secret>, String);

/// The user's secret and where it was looked for, in Ceph's order: the line's key file and key, then ceph.conf's, then
/// keyrings. What surprises: the line's key file may be missing if a later place has the key, ceph.conf's may not.
pub fn find_secret(
    sources: &FileCache,
    conf: &CephConf,
    identity: &Identity,
    options: &EntryOptions,
) -> Result<Found> {
    if conf
        .value(identity, "auth_client_required")
        .is_some_and(|required| required.trim() == "none")
    {
        return Ok((
            None,
            "ceph.conf says auth_client_required = none".to_owned(),
        ));
    }
    if let Some(path) = &options.keyfile
        && let Some(text) = sources.secret_text(path)?
    {
        return found(keyring::from_keyfile(path, &text));
    }
    if let Some(key) = &options.key {
        return found(Secret::decode(key.text()).map_err(|error| anyhow!("key: {error}")));
    }
    let Some(path) = &options.keyfile else {
        return in_later_places(sources, conf, identity, options);
    };
    let missing = || format!("keyfile {} does not exist", path.display());
    match in_later_places(sources, conf, identity, options).with_context(missing)? {
        (None, _) => bail!(missing()),
        later => {
            tracing::warn!(
                "{}; another place has the key, as Ceph would find it",
                missing()
            );
            Ok(later)
        }
    }
}

/// ceph.conf's `key` and `keyfile`, then keyrings, of which the first that is there is taken, and only that.
fn in_later_places(
    sources: &FileCache,
    conf: &CephConf,
    identity: &Identity,
    options: &EntryOptions,
) -> Result<Found> {
    let configured = |key: &str| conf.value(identity, key).filter(|value| !value.is_empty());
    if let Some(key) = configured("key").map(Zeroizing::new) {
        return found(Secret::decode(&key).map_err(|error| anyhow!("ceph.conf: key: {error}")));
    }
    if let Some(path) = configured("keyfile").map(PathBuf::from) {
        let text = sources
            .secret_text(&path)?
            .with_context(|| format!("keyfile {} does not exist", path.display()))?;
        return found(keyring::from_keyfile(&path, &text));
    }
    let asked = options
        .keyring
        .as_deref()
        .map(|list| conf.expand_text(identity, list));
    let list = asked
        .clone()
        .or_else(|| conf.value(identity, "keyring"))
        .unwrap_or_else(|| conf.expand_text(identity, KEYRINGS));
    for path in paths(&list) {
        let Some(text) = sources.secret_text(path)? else {
            continue;
        };
        return match keyring::from_keyring(path, &text, &identity.user)? {
            Some(secret) => Ok((Some(secret), String::new())),
            None => bail!(
                "keyring {} has no key of client.{}",
                path.display(),
                identity.user
            ),
        };
    }
    if asked.is_some() {
        bail!("keyring {list} does not exist");
    }
    Ok((None, format!("none of the keyrings {list} exists")))
}

fn found(secret: Result<Secret>) -> Result<Found> {
    secret.map(|secret| (Some(secret), String::new()))
}
