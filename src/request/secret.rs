//! The secret of a request: searched where Ceph searches it (ceph `src/auth/KeyRing.cc`, from_ceph_context).

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, anyhow, bail};
use zeroize::Zeroizing;

use crate::config::ceph_conf::{CephConf, Identity};
use crate::config::keyring::{self, Secret};
use crate::config::table::{EntryOptions, paths};
use crate::root::Root;
use crate::sys::file::read_if_there;

/// The user's secret and where it was looked for, in Ceph's order: `key`, `keyfile`, `keyring` (ceph
/// `src/auth/KeyRing.cc`, from_ceph_context). Of several keyrings the first that is there is taken, and only that.
pub fn find_secret(
    root: &Root,
    conf: &CephConf,
    identity: &Identity,
    options: &EntryOptions,
) -> Result<(Option<Secret>, String)> {
    if conf.value(identity, "auth_client_required").is_some_and(|required| required.trim() == "none") {
        return Ok((None, "ceph.conf says auth_client_required = none".to_owned()));
    }
    if let Some(key) = &options.key {
        return Ok((Some(Secret::decode(key.text()).map_err(|error| anyhow!("key: {error}"))?), String::new()));
    }
    if let Some(key) = conf.value(identity, "key").map(Zeroizing::new) {
        return Ok((Some(Secret::decode(&key).map_err(|e| anyhow!("ceph.conf: key: {e}"))?), String::new()));
    }
    let keyfile = options.keyfile.clone().or_else(|| conf.value(identity, "keyfile").map(PathBuf::from));
    if let Some(path) = keyfile {
        let text = read_secret(root, &path)?.with_context(|| format!("keyfile {} does not exist", path.display()))?;
        return Ok((Some(keyring::from_keyfile(&path, &text).map_err(|e| anyhow!(e))?), String::new()));
    }
    const DEFAULT: &str =
        "/etc/ceph/$cluster.$name.keyring,/etc/ceph/$cluster.keyring,/etc/ceph/keyring,/etc/ceph/keyring.bin";
    let asked = options.keyring.as_deref().map(|list| conf.expand_text(identity, list));
    let list = asked
        .clone()
        .or_else(|| conf.value(identity, "keyring"))
        .unwrap_or_else(|| conf.expand_text(identity, DEFAULT));
    for path in paths(&list) {
        let Some(text) = read_secret(root, path)? else { continue };
        let found = keyring::from_keyring(path, &text, &identity.user).map_err(|e| anyhow!(e))?;
        return match found {
            Some(secret) => Ok((Some(secret), String::new())),
            None => bail!("keyring {} has no key of client.{}", path.display(), identity.user),
        };
    }
    if asked.is_some() {
        bail!("keyring {list} does not exist");
    }
    Ok((None, format!("none of the keyrings {list} exists")))
}

/// A file that holds a secret; the text is wiped when it goes.
fn read_secret(root: &Root, path: &Path) -> Result<Option<Zeroizing<String>>> {
    read_if_there(&root.join(path)).map(|text| text.map(Zeroizing::new))
}
