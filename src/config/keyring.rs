//! Cluster secrets: a keyring's `[client.ID] key = …`, or a key file's single line, decoded and checked.
//!
//! Source: ceph `src/auth/KeyRing.cc` and `src/auth/Crypto.cc`. A key is base64 of: u16 type (1 is AES-128), u32 seconds,
//! u32 nanoseconds, u16 length, then so many bytes, all little-endian. The kernel takes exactly these decoded bytes.
//! Which files are searched is decided in `request`; what happens with the secret, in `sys::rbd`.

use std::path::Path;

use anyhow::{Result, anyhow};

use super::ceph_conf::CephConf;
use crate::model::secret::Secret;

/// The secret of `client.ID` in a keyring's text; `None` where the keyring has no such user.
pub fn from_keyring(path: &Path, text: &str, user: &str) -> Result<Option<Secret>> {
    let keyring = CephConf::parse(path, text)?;
    let Some(key) = keyring.in_section(&format!("client.{user}"), "key") else {
        return Ok(None);
    };
    Secret::decode(key)
        .map(Some)
        .map_err(|error| anyhow!("{}: [client.{user}]: {error}", path.display()))
}

/// The secret in a key file, which holds nothing but base64.
pub fn from_keyfile(path: &Path, text: &str) -> Result<Secret> {
    Secret::decode(text).map_err(|error| anyhow!("{}: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Made by `ceph-authtool --gen-print-key` for this test alone.
    const KEY: &str = "AQCvWKVlAAAAABAAxjSMvNLkZy0nqVkhxMmgEA==";

    fn find(text: &str, user: &str) -> Result<Option<usize>, String> {
        from_keyring(Path::new("k"), text, user)
            .map(|found| found.map(|secret| secret.bytes().len()))
            .map_err(|error| error.to_string())
    }

    #[test]
    fn a_users_key_is_found_by_section() {
        let text = format!(
            "[client.admin]\n\tkey = {KEY}\n\tcaps mon = \"allow *\"\n[client.boot]\nkey=\"{KEY}\""
        );
        assert_eq!(find(&text, "boot"), Ok(Some(28)));
        assert_eq!(find(&text, "admin"), Ok(Some(28)));
        assert_eq!(find(&text, "other"), Ok(None));
    }

    #[test]
    fn a_damaged_key_is_told_by_file_and_user_but_not_shown() {
        let rows = [
            ("AQ!", "not base64"),
            ("AQCv", "too short"),
            (&KEY[..32], "cut short"),
            ("", "too short"),
        ];
        for (key, reason) in rows {
            let error = find(&format!("[client.boot]\nkey = {key}\n"), "boot").unwrap_err();
            assert!(
                error.starts_with("k: [client.boot]: ") && error.contains(reason),
                "{error}"
            );
            assert!(key.is_empty() || !error.contains(key), "{error}");
        }
    }

    #[test]
    fn a_key_file_may_have_newlines_and_more_after_the_padding() {
        let length = |text: &str| {
            let secret = from_keyfile(Path::new("f"), text);
            secret.ok().map(|secret| secret.bytes().len())
        };
        assert_eq!(length(&format!("{KEY}\n\n")), Some(28));
        let split = format!("{}\n{}\n# boot\n", &KEY[..20], &KEY[20..]);
        assert_eq!(length(&split), Some(28));
        assert_eq!(length(&format!(" {KEY}")), None);
    }
}
