//! Cluster secrets: a keyring's `[client.ID] key = …`, or a key file's single line, decoded and checked.
//!
//! Source: ceph `src/auth/KeyRing.cc` and `src/auth/Crypto.cc`. A key is base64 of: u16 type (1 is AES-128), u32 seconds,
//! u32 nanoseconds, u16 length, then so many bytes, all little-endian. The kernel takes exactly these decoded bytes.
//! Which files are searched is decided in `request`; what happens with the secret, in `sys::rbd`.

use std::path::Path;

use base64::Engine;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use zeroize::Zeroizing;

use super::ceph_conf::CephConf;

/// A cluster secret: its decoded bytes. It cannot be printed and is wiped when it goes.
#[derive(Clone)]
pub struct Secret(Zeroizing<Vec<u8>>);

/// Bytes before the key proper.
const HEADER: usize = 12;

/// Bits after the last whole byte are nobody's business (ceph `src/common/armor.c`). Padding may be missing, which Ceph does
/// not take: its script loses it from a table's `key=…==`.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true),
);

impl Secret {
    /// Decodes a key as keyrings and key files hold it. The error never repeats the text.
    pub fn decode(text: &str) -> Result<Self, String> {
        let standard = standard_base64(text);
        let bytes = BASE64.decode(standard.as_bytes()).map_err(|_| "the key is not base64".to_owned())?;
        let mut secret = Self(Zeroizing::new(bytes));
        let length = match secret.0.get(HEADER - 2..HEADER) {
            Some(&[low, high]) => usize::from(u16::from_le_bytes([low, high])),
            _ => return Err("the key is too short to be a Ceph key".to_owned()),
        };
        if length == 0 || secret.0.len() < HEADER + length {
            return Err("the key is cut short: its length does not match what it says of itself".to_owned());
        }
        secret.0.truncate(HEADER + length);
        Ok(secret)
    }

    /// The payload of a kernel key of type `ceph`.
    pub fn bytes(&self) -> &[u8] {
        &self.0
    }
}

impl AsRef<[u8]> for Secret {
    fn as_ref(&self) -> &[u8] {
        self.bytes()
    }
}

/// What counts of a key's text, as Ceph has it: newlines do not, nor does anything after the padding; `-` and `_` are the
/// `+` and `/` of base64 for URLs.
fn standard_base64(text: &str) -> Zeroizing<String> {
    let mut standard = Zeroizing::new(String::with_capacity(text.len()));
    for c in text.split('=').next().unwrap_or_default().trim_end().chars() {
        match c {
            '\n' => {}
            '-' => standard.push('+'),
            '_' => standard.push('/'),
            c => standard.push(c),
        }
    }
    standard
}

/// The secret of `client.ID` in a keyring's text; `None` where the keyring has no such user.
pub fn from_keyring(path: &Path, text: &str, user: &str) -> Result<Option<Secret>, String> {
    let keyring = CephConf::parse(path, text).map_err(|fault| fault.to_string())?;
    let Some(key) = keyring.in_section(&format!("client.{user}"), "key") else { return Ok(None) };
    Secret::decode(key).map(Some).map_err(|error| format!("{}: [client.{user}]: {error}", path.display()))
}

/// The secret in a key file, which holds nothing but base64.
pub fn from_keyfile(path: &Path, text: &str) -> Result<Secret, String> {
    Secret::decode(text).map_err(|error| format!("{}: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Made by `ceph-authtool --gen-print-key` for this test alone.
    const KEY: &str = "AQCvWKVlAAAAABAAxjSMvNLkZy0nqVkhxMmgEA==";

    fn find(text: &str, user: &str) -> Result<Option<usize>, String> {
        from_keyring(Path::new("k"), text, user).map(|found| found.map(|secret| secret.bytes().len()))
    }

    #[test]
    fn a_users_key_is_found_by_section() {
        let text = format!("[client.admin]\n\tkey = {KEY}\n\tcaps mon = \"allow *\"\n[client.boot]\nkey=\"{KEY}\"");
        assert_eq!(find(&text, "boot"), Ok(Some(28)));
        assert_eq!(find(&text, "admin"), Ok(Some(28)));
        assert_eq!(find(&text, "other"), Ok(None));
    }

    #[test]
    fn a_damaged_key_is_told_by_file_and_user_but_not_shown() {
        let rows = [("AQ!", "not base64"), ("AQCv", "too short"), (&KEY[..32], "cut short"), ("", "too short")];
        for (key, reason) in rows {
            let error = find(&format!("[client.boot]\nkey = {key}\n"), "boot").unwrap_err();
            assert!(error.starts_with("k: [client.boot]: ") && error.contains(reason), "{error}");
            assert!(key.is_empty() || !error.contains(key), "{error}");
        }
    }

    #[test]
    fn a_key_file_may_have_newlines_and_more_after_the_padding() {
        let length = |text: &str| from_keyfile(Path::new("f"), text).map(|secret| secret.bytes().len());
        assert_eq!(length(&format!("{KEY}\n\n")), Ok(28));
        assert_eq!(length(&format!("{}\n{}\n# boot\n", &KEY[..20], &KEY[20..])), Ok(28));
        assert!(length(&format!(" {KEY}")).is_err());
    }
}
