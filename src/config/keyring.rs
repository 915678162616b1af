//! Keyrings (`[client.ID]` with `key = …`) and key files (a single line), read into checked secrets.
//!
//! Source: ceph `src/auth/KeyRing.cc`. `ceph::key_search` decides which files are searched.

use std::path::Path;

use anyhow::{Result, anyhow};

use super::ceph_conf::CephConf;
use crate::model::secret::Secret;

/// The secret of `client.ID` in a keyring's text; `None` if the keyring has no key of this user.
pub fn from_keyring(path: &Path, text: &str, user: &str) -> Result<Option<Secret>> {
    let keyring = CephConf::parse(path, text)?;
    // Only this user's key is decoded: Ceph rejects the file for a damaged key of another user, which need not stop this one.
    let Some(key) = keyring.in_section(&format!("client.{user}"), "key") else {
        return Ok(None);
    };
    let secret = Secret::decode(key)
        .map_err(|error| anyhow!("{}: [client.{user}]: {error}", path.display()))?;
    Ok(Some(secret))
}

/// The secret in a key file's text.
pub fn from_keyfile(path: &Path, text: &str) -> Result<Secret> {
    Secret::decode(text).map_err(|error| anyhow!("{}: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Made by `ceph-authtool --gen-print-key` for this test alone.
    const KEY: &str = "AQCvWKVlAAAAABAAxjSMvNLkZy0nqVkhxMmgEA==";

    fn key_length(text: &str, user: &str) -> Result<Option<usize>> {
        let found = from_keyring(Path::new("k"), text, user)?;
        Ok(found.map(|secret| secret.bytes().len()))
    }

    #[test]
    fn the_key_of_a_user_is_found_by_its_section() {
        let text = format!(
            "[client.admin]\n\tkey = {KEY}\n\tcaps mon = \"allow *\"\n[client.boot]\nkey=\"{KEY}\""
        );
        assert_eq!(key_length(&text, "boot").unwrap(), Some(28));
        assert_eq!(key_length(&text, "admin").unwrap(), Some(28));
        assert_eq!(key_length(&text, "other").unwrap(), None);
    }

    #[test]
    fn a_damaged_key_is_reported_with_file_and_user_but_not_shown() {
        let rows = [
            ("AQ!", "not base64"),
            ("AQCv", "too short"),
            (&KEY[..32], "cut short"),
            ("", "too short"),
        ];
        for (key, reason) in rows {
            let text = format!("[client.boot]\nkey = {key}\n");
            let error = key_length(&text, "boot").unwrap_err().to_string();
            assert!(
                error.starts_with("k: [client.boot]: ") && error.contains(reason),
                "{error}"
            );
            assert!(key.is_empty() || !error.contains(key), "{error}");
        }
    }

    #[test]
    fn a_key_file_may_have_newlines_and_text_after_the_padding() {
        let split = format!("{}\n{}\n# boot\n", &KEY[..20], &KEY[20..]);
        for text in [format!("{KEY}\n\n"), split] {
            let secret = from_keyfile(Path::new("f"), &text).unwrap();
            assert_eq!(secret.bytes().len(), 28, "{text}");
        }
        assert!(from_keyfile(Path::new("f"), &format!(" {KEY}")).is_err());
    }
}
