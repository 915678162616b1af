//! `rbdmap prepare`: what the first mapping after a boot would wait for and needs no network, done while the network is
//! still coming up (rbdmap-prepare.service).
//!
//! That is the kernel's module, and a cipher: for the first key of type `ceph` the kernel puts `cbc(aes)` together, and
//! runs modprobe several times to that end (linux `net/ceph/crypto.c`, set_secret; `crypto/api.c`, crypto_larval_lookup).
//! So a key that is nobody's is added here, and taken out again.

use std::time::Duration;

use anyhow::{Context, Result};
use detached::key::ThreadKey;

use crate::runtime::deadline::Deadline;
use crate::runtime::root::Root;
use crate::sys::rbd::module;

/// An AES key of sixteen zeros: type 1, made at time 0, and its length (ceph `src/auth/Crypto.cc`, CryptoKey::encode).
const NOBODYS_KEY: [u8; 28] = {
    let mut key = [0; 28];
    key[0] = 1;
    key[10] = 16;
    key
};

/// How long modprobe may take; the kernel probes nothing for it.
const LIMIT: Duration = Duration::from_secs(30);

/// Loads what is not loaded.
pub fn run(root: &Root) -> Result<()> {
    module::load(root, &Deadline::after(LIMIT))?;
    ThreadKey::add("rbdmap", &NOBODYS_KEY)
        .map(drop)
        .context("adding a key to the kernel's keyring")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::secret::Secret;
    use base64::prelude::{BASE64_STANDARD, Engine};

    #[test]
    fn nobodys_key_is_one_as_keyrings_have_them() {
        let secret = Secret::decode(&BASE64_STANDARD.encode(NOBODYS_KEY)).unwrap();
        assert_eq!(secret.bytes(), NOBODYS_KEY);
    }
}
