//! `rbdmap prepare`: does what the first mapping after a boot would wait for and what needs no network, while the network
//! starts (rbdmap-prepare.service).
//!
//! It loads the kernel module and a cipher: for the first key of type `ceph`, the kernel builds `cbc(aes)` and runs modprobe
//! several times to do so (linux `net/ceph/crypto.c`, set_secret; `crypto/api.c`, crypto_larval_lookup). So this command adds
//! a key that belongs to no user, and removes it.

use std::time::Duration;

use anyhow::{Context, Result};
use detached::key::ThreadKey;

use crate::report::failures::Report;
use crate::runtime::deadline::Deadline;
use crate::runtime::root::Root;
use crate::sys::rbd::module;

/// An AES key of sixteen zeros: type 1, created at time 0, then its length (ceph `src/auth/Crypto.cc`, CryptoKey::encode).
const DUMMY_KEY: [u8; 28] = {
    let mut key = [0; 28];
    key[0] = 1;
    key[10] = 16;
    key
};

/// For modprobe to load the module.
const MODPROBE_TIMEOUT: Duration = Duration::from_secs(30);

/// Loads the module and the cipher, if they are not loaded.
pub fn run(root: &Root) -> Result<Report> {
    module::load(root, &Deadline::after(MODPROBE_TIMEOUT))?;
    // The key is in the thread's keyring, and goes when it is dropped; the cipher stays loaded.
    let key = ThreadKey::add("rbdmap", &DUMMY_KEY)
        .context("cannot add a key to the kernel's keyring, which loads the cipher")?;
    drop(key);
    Ok(Report::default())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::secret::Secret;
    use base64::prelude::{BASE64_STANDARD, Engine};

    #[test]
    fn the_dummy_key_is_valid_in_a_keyring() {
        let secret = Secret::decode(&BASE64_STANDARD.encode(DUMMY_KEY)).unwrap();
        assert_eq!(secret.bytes(), DUMMY_KEY);
    }
}
