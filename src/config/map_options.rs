//! The options of one mapping that go to the kernel: their names and the values that they take.
//!
//! They are those of `rbd device map -o` (ceph `src/tools/rbd/action/Kernel.cc`) plus `osd_request_timeout`; the kernel
//! parses them in `drivers/block/rbd.c` and `net/ceph/ceph_common.c`. A set keeps one option per subject, the last
//! one given, sorted by subject: `rbd` writes them in the same order. Values are kept in the form that `rbd` writes, because
//! the kernel reads 010 as eight. `rw` is the default and never written; `udev` and `noudev` concern only `rbd` and are dropped.
//! The value of an option that takes none is dropped too: `ro=1` is `ro`, and so is `ro=0`.

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::fmt;
use std::net::SocketAddr;

use anyhow::{Context, Result, bail};
use uuid::Uuid;

use super::mon_host::endpoint;
use crate::model::fault::suggestion;

/// A set of options, one per subject.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct MapOptions(BTreeMap<&'static str, String>);

/// The kind of value that an option takes.
enum ValueKind {
    /// None. The name is the subject that the option shares with its opposite.
    Flag(&'static str),
    /// A decimal number, at least this.
    Number(u32),
    /// One of these words.
    Word(&'static [&'static str]),
    /// The address of this machine that the kernel uses; its port is irrelevant.
    Address,
    /// A cluster's id.
    Uuid,
    /// Text that the kernel checks.
    Text,
}

/// Every option and the value that it takes.
const KNOWN: &[(&str, ValueKind)] = &[
    ("abort_on_full", ValueKind::Flag("abort_on_full")),
    ("alloc_size", ValueKind::Number(512)),
    (
        "cephx_require_signatures",
        ValueKind::Flag("cephx_require_signatures"),
    ),
    (
        "cephx_sign_messages",
        ValueKind::Flag("cephx_sign_messages"),
    ),
    (
        "compression_hint",
        ValueKind::Word(&["none", "compressible", "incompressible"]),
    ),
    ("crc", ValueKind::Flag("crc")),
    ("crush_location", ValueKind::Text),
    ("exclusive", ValueKind::Flag("exclusive")),
    ("fsid", ValueKind::Uuid),
    ("ip", ValueKind::Address),
    ("lock_on_read", ValueKind::Flag("lock_on_read")),
    ("lock_timeout", ValueKind::Number(0)),
    ("mount_timeout", ValueKind::Number(0)),
    (
        "ms_mode",
        ValueKind::Word(&["legacy", "crc", "secure", "prefer-crc", "prefer-secure"]),
    ),
    (
        "nocephx_require_signatures",
        ValueKind::Flag("cephx_require_signatures"),
    ),
    (
        "nocephx_sign_messages",
        ValueKind::Flag("cephx_sign_messages"),
    ),
    ("nocrc", ValueKind::Flag("crc")),
    ("noshare", ValueKind::Flag("share")),
    ("notcp_nodelay", ValueKind::Flag("tcp_nodelay")),
    ("notrim", ValueKind::Flag("notrim")),
    ("noudev", ValueKind::Flag("udev")),
    ("osd_idle_ttl", ValueKind::Number(1)),
    ("osd_request_timeout", ValueKind::Number(0)),
    ("osdkeepalive", ValueKind::Number(1)),
    ("queue_depth", ValueKind::Number(1)),
    (
        "read_from_replica",
        ValueKind::Word(&["no", "balance", "localize"]),
    ),
    ("ro", ValueKind::Flag("rw")),
    ("rw", ValueKind::Flag("rw")),
    ("rxbounce", ValueKind::Flag("rxbounce")),
    ("share", ValueKind::Flag("share")),
    ("tcp_nodelay", ValueKind::Flag("tcp_nodelay")),
    ("udev", ValueKind::Flag("udev")),
];

impl MapOptions {
    /// Whether an option of this name exists.
    pub fn has(name: &str) -> bool {
        KNOWN.iter().any(|(known, _)| *known == name)
    }

    /// Adds the options of a list (`option[=value],…`); an option replaces an earlier one with the same subject. Blanks
    /// separate options as commas do. `rbd` accepts only the first blank, but no value can contain one.
    pub fn add(&mut self, list: &str) -> Result<()> {
        for item in list.split([',', ' ']).map(str::trim) {
            if !item.is_empty() {
                self.add_one(item)?;
            }
        }
        Ok(())
    }

    /// Adds the options of a list whose subjects are not in the set yet.
    pub fn add_defaults(&mut self, list: &str) -> Result<()> {
        let mut defaults = Self::default();
        defaults.add(list)?;
        self.fill(&defaults);
        Ok(())
    }

    /// Adds the options of another set whose subjects are not in this one yet.
    pub fn fill(&mut self, defaults: &Self) {
        for (subject, text) in &defaults.0 {
            self.0.entry(subject).or_insert_with(|| text.clone());
        }
    }

    /// The value of an option; `None` if the set lacks the option or the option takes no value.
    pub fn value(&self, name: &str) -> Option<&str> {
        let (_, value) = self.0.get(name)?.split_once('=')?;
        Some(value)
    }

    /// Whether the image is to be mapped read-only.
    pub fn read_only(&self) -> bool {
        self.0.get("rw").is_some_and(|text| text == "ro")
    }

    fn add_one(&mut self, item: &str) -> Result<()> {
        let (name, value) = match item.split_once('=') {
            Some((name, value)) => (name, Some(value)),
            None => (item, None),
        };
        let Some((known, kind)) = KNOWN.iter().find(|(known, _)| *known == name) else {
            let names: Vec<&str> = KNOWN.iter().map(|(known, _)| *known).collect();
            bail!("unknown map option {name:?}{}", suggestion(name, &names));
        };
        // `rbd` ignores the value of a flag.
        if let ValueKind::Flag(subject) = kind {
            self.0.insert(subject, name.to_owned());
            return Ok(());
        }
        let value = value.with_context(|| format!("map option {name} needs a value"))?;
        let canonical = kind.canonical(value).with_context(|| {
            let expected = kind.expected();
            format!("map option {name} cannot be {value:?}, expected {expected}")
        })?;
        self.0.insert(known, format!("{name}={canonical}"));
        Ok(())
    }
}

impl ValueKind {
    /// The value in the form that `rbd` writes; `None` if it is not of this kind.
    fn canonical(&self, value: &str) -> Option<String> {
        match self {
            Self::Flag(_) => None,
            Self::Number(least) => {
                let number = value.parse::<u32>().ok()?;
                (number >= *least).then(|| number.to_string())
            }
            Self::Word(words) => words.contains(&value).then(|| value.to_owned()),
            Self::Address => {
                let (ip, port) = endpoint(value)?;
                Some(SocketAddr::new(ip, port.unwrap_or(0)).to_string())
            }
            Self::Uuid => canonical_uuid(value),
            Self::Text => {
                // The line to the kernel has no quotes: a blank ends the options.
                let is_safe = !value.contains(|c: char| c.is_whitespace() || c.is_control());
                (is_safe && !value.is_empty()).then(|| value.to_owned())
            }
        }
    }

    fn expected(&self) -> String {
        match self {
            Self::Flag(_) => "no value".to_owned(),
            Self::Number(least) => format!("a number of at least {least}"),
            Self::Word(words) => words.join(", "),
            Self::Address => "an IP address".to_owned(),
            Self::Uuid => "a UUID".to_owned(),
            Self::Text => "text without blanks".to_owned(),
        }
    }
}

/// A UUID in lower case with dashes. As for `rbd`, the text may be in braces, and has all of its dashes or none.
fn canonical_uuid(text: &str) -> Option<String> {
    let in_braces = text
        .strip_prefix('{')
        .and_then(|text| text.strip_suffix('}'));
    let text = in_braces.unwrap_or(text);
    // Other lengths are forms that Uuid accepts and `rbd` does not.
    if !matches!(text.len(), 32 | 36) {
        return None;
    }
    Uuid::try_parse(text).ok().map(|uuid| uuid.to_string())
}

impl fmt::Display for MapOptions {
    /// The form that the kernel reads: separated by commas, without options that concern only `rbd`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut options: Vec<&str> = self.0.values().map(String::as_str).collect();
        options.retain(|option| !["rw", "udev", "noudev"].contains(option));
        f.write_str(&options.join(","))
    }
}
