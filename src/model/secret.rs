//! A key of a Ceph user, decoded and checked.
//!
//! A key is the base64 encoding of a type (u16, 1 for AES-128), seconds (u32), nanoseconds (u32), a length (u16), and as many
//! bytes, all little-endian (ceph `src/auth/Crypto.cc`). The kernel expects the decoded bytes.

use anyhow::{Context, Result, bail, ensure};
use base64::Engine;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use zeroize::Zeroizing;

/// The decoded bytes of a key. They cannot be printed, and are wiped from memory when they are dropped.
#[derive(Clone)]
pub struct Secret(Zeroizing<Vec<u8>>);

/// The bytes before the key itself.
const HEADER: usize = 12;

/// Bits after the last whole byte are ignored, as in Ceph (`src/common/armor.c`). Unlike Ceph we accept missing padding: its
/// script drops the padding of `key=…==` in the table.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true),
);

impl Secret {
    /// Decodes a key from a keyring or a key file. The error never contains the text.
    pub fn decode(text: &str) -> Result<Self> {
        let standard = standard_base64(text);
        let bytes = BASE64
            .decode(standard.as_bytes())
            .ok()
            .context("the key is not base64")?;
        let mut secret = Self(Zeroizing::new(bytes));
        let length = match secret.0.get(HEADER - 2..HEADER) {
            Some(&[low, high]) => usize::from(u16::from_le_bytes([low, high])),
            _ => bail!("the key is too short to be a Ceph key"),
        };
        ensure!(
            length > 0 && secret.0.len() >= HEADER + length,
            "the key is cut short: it has fewer bytes than its header says"
        );
        // Bytes after the key are ignored, as in Ceph.
        secret.0.truncate(HEADER + length);
        Ok(secret)
    }

    /// The payload of a key of type `ceph` in the kernel (keyrings(7)).
    pub fn bytes(&self) -> &[u8] {
        &self.0
    }
}

impl AsRef<[u8]> for Secret {
    fn as_ref(&self) -> &[u8] {
        self.bytes()
    }
}

/// Standard base64 from the text that Ceph accepts: it ignores newlines and everything after the padding, and reads `-` and `_`
/// as `+` and `/`.
fn standard_base64(text: &str) -> Zeroizing<String> {
    let mut standard = Zeroizing::new(String::with_capacity(text.len()));
    for c in text
        .split('=')
        .next()
        .unwrap_or_default()
        .trim_end()
        .chars()
    {
        match c {
            '\n' => {}
            '-' => standard.push('+'),
            '_' => standard.push('/'),
            c => standard.push(c),
        }
    }
    standard
}
