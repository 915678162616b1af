//! A cluster secret: the decoded and checked form of a key in a keyring or key file.
//!
//! Source: ceph `src/auth/Crypto.cc`. A key is base64 of: u16 type (1 is AES-128), u32 seconds, u32 nanoseconds, u16 length,
//! then that many bytes, all little-endian. The kernel takes exactly these decoded bytes.

use anyhow::{Context, Result, bail, ensure};
use base64::Engine;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use zeroize::Zeroizing;

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
            "the key is cut short: its length does not match what it says of itself"
        );
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
