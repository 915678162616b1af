//! The options of one mapping that go to the kernel: which there are, and which values they take.
//!
//! They are those of `rbd device map -o` (ceph `src/tools/rbd/action/Kernel.cc`) plus `osd_request_timeout`; the kernel
//! parses them in `drivers/block/rbd.c` and `net/ceph/ceph_common.c`. A set keeps one option per subject, the last
//! one given, sorted by subject: that is the order in which `rbd` writes them too. Values are kept in `rbd`'s own form:
//! to the kernel 010 is eight. `rw` is the default and never written; `udev` and `noudev` are `rbd`'s own and dropped,
//! and so is the value of an option that takes none: `ro=1` is `ro`, and so, alas, is `ro=0`.

use std::collections::BTreeMap;
use std::fmt;
use std::net::SocketAddr;

use anyhow::{Context, Result, bail};

use super::mon_host::endpoint;
use crate::model::fault::suggestion;

/// A set of options, one per subject.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct MapOptions(BTreeMap<&'static str, String>);

/// What an option takes as its value.
enum Value {
    /// Nothing; the second name is the subject that it shares with its opposite.
    Flag(&'static str),
    /// A decimal number, at least this.
    Number(u32),
    /// One of these words.
    Word(&'static [&'static str]),
    /// An address to speak from, its port of no consequence.
    Address,
    /// A cluster's id.
    Uuid,
    /// Text that the kernel checks.
    Text,
}

/// Every option with what it takes.
const KNOWN: &[(&str, Value)] = &[
    ("abort_on_full", Value::Flag("abort_on_full")),
    ("alloc_size", Value::Number(512)),
    (
        "cephx_require_signatures",
        Value::Flag("cephx_require_signatures"),
    ),
    ("cephx_sign_messages", Value::Flag("cephx_sign_messages")),
    (
        "compression_hint",
        Value::Word(&["none", "compressible", "incompressible"]),
    ),
    ("crc", Value::Flag("crc")),
    ("crush_location", Value::Text),
    ("exclusive", Value::Flag("exclusive")),
    ("fsid", Value::Uuid),
    ("ip", Value::Address),
    ("lock_on_read", Value::Flag("lock_on_read")),
    ("lock_timeout", Value::Number(0)),
    ("mount_timeout", Value::Number(0)),
    (
        "ms_mode",
        Value::Word(&["legacy", "crc", "secure", "prefer-crc", "prefer-secure"]),
    ),
    (
        "nocephx_require_signatures",
        Value::Flag("cephx_require_signatures"),
    ),
    ("nocephx_sign_messages", Value::Flag("cephx_sign_messages")),
    ("nocrc", Value::Flag("crc")),
    ("noshare", Value::Flag("share")),
    ("notcp_nodelay", Value::Flag("tcp_nodelay")),
    ("notrim", Value::Flag("notrim")),
    ("noudev", Value::Flag("udev")),
    ("osd_idle_ttl", Value::Number(1)),
    ("osd_request_timeout", Value::Number(0)),
    ("osdkeepalive", Value::Number(1)),
    ("queue_depth", Value::Number(1)),
    (
        "read_from_replica",
        Value::Word(&["no", "balance", "localize"]),
    ),
    ("ro", Value::Flag("rw")),
    ("rw", Value::Flag("rw")),
    ("rxbounce", Value::Flag("rxbounce")),
    ("share", Value::Flag("share")),
    ("tcp_nodelay", Value::Flag("tcp_nodelay")),
    ("udev", Value::Flag("udev")),
];

impl MapOptions {
    /// Whether there is an option of this name.
    pub fn has(name: &str) -> bool {
        KNOWN.iter().any(|(known, _)| *known == name)
    }

    /// Adds what `list` says (`option[=value],…`) to the set; a subject that is there already is replaced. A blank separates
    /// as a comma does: to `rbd` only the first, but there is no value with one in it.
    pub fn add(&mut self, list: &str) -> Result<()> {
        list.split([',', ' '])
            .map(str::trim)
            .filter(|item| !item.is_empty())
            .try_for_each(|item| self.add_one(item))
    }

    /// Adds what `list` says, but only on subjects of which the set says nothing yet.
    pub fn add_defaults(&mut self, list: &str) -> Result<()> {
        let mut defaults = Self::default();
        defaults.add(list)?;
        self.fill(&defaults);
        Ok(())
    }

    /// The same for a set.
    pub fn fill(&mut self, defaults: &Self) {
        for (subject, text) in &defaults.0 {
            self.0.entry(subject).or_insert_with(|| text.clone());
        }
    }

    /// The value of an option, if it is in the set and takes one.
    pub fn value(&self, name: &str) -> Option<&str> {
        self.0
            .get(name)
            .and_then(|text| text.split_once('='))
            .map(|(_, value)| value)
    }

    /// Whether the mapping is asked to be read-only.
    pub fn read_only(&self) -> bool {
        self.0.get("rw").is_some_and(|text| text == "ro")
    }

    fn add_one(&mut self, item: &str) -> Result<()> {
        let (name, value) = item
            .split_once('=')
            .map_or((item, None), |(name, value)| (name, Some(value)));
        let Some((known, takes)) = KNOWN.iter().find(|(known, _)| *known == name) else {
            let names: Vec<&str> = KNOWN.iter().map(|(known, _)| *known).collect();
            bail!("unknown map option {name:?}{}", suggestion(name, &names));
        };
        match takes {
            Value::Flag(subject) => self.0.insert(subject, name.to_owned()),
            _ => {
                let value = value.with_context(|| format!("map option {name} needs a value"))?;
                self.0
                    .insert(known, format!("{name}={}", takes.read(name, value)?))
            }
        };
        Ok(())
    }
}

impl Value {
    /// The value in the form in which `rbd` hands it on.
    fn read(&self, name: &str, value: &str) -> Result<String> {
        let read = match self {
            Self::Flag(_) => None,
            Self::Number(least) => value
                .parse::<u32>()
                .ok()
                .filter(|number| number >= least)
                .map(|n| n.to_string()),
            Self::Word(words) => words.contains(&value).then(|| value.to_owned()),
            Self::Address => {
                endpoint(value).map(|(ip, port)| SocketAddr::new(ip, port.unwrap_or(0)).to_string())
            }
            Self::Uuid => uuid(value),
            Self::Text => {
                let good = !value.is_empty()
                    && !value.chars().any(|c| c.is_whitespace() || c.is_control());
                good.then(|| value.to_owned())
            }
        };
        read.with_context(|| {
            format!(
                "map option {name} cannot be {value:?}, expected {}",
                self.expected()
            )
        })
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

/// A UUID in small letters; there may be braces around it, and its dashes stand where they belong or not at all.
fn uuid(text: &str) -> Option<String> {
    let text = text
        .strip_prefix('{')
        .and_then(|text| text.strip_suffix('}'))
        .unwrap_or(text);
    let digits: String = text.chars().filter(|c| *c != '-').collect();
    if digits.len() != 32 || !digits.bytes().all(|b| b.is_ascii_hexdigit()) {
        return None;
    }
    let digits = digits.to_ascii_lowercase();
    let canonical = [
        &digits[..8],
        &digits[8..12],
        &digits[12..16],
        &digits[16..20],
        &digits[20..],
    ]
    .join("-");
    (text.len() == 32 || text.eq_ignore_ascii_case(&canonical)).then_some(canonical)
}

impl fmt::Display for MapOptions {
    /// As the kernel takes them: separated by commas, without what is never sent.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sent = |text: &&String| !["rw", "udev", "noudev"].contains(&text.as_str());
        let options: Vec<&str> = self.0.values().filter(sent).map(String::as_str).collect();
        write!(f, "{}", options.join(","))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn printed(lists: &[&str]) -> String {
        let mut options = MapOptions::default();
        lists.iter().for_each(|list| options.add(list).unwrap());
        options.to_string()
    }

    /// The expected texts are what `rbd device map` 16.2.15 wrote for the same options.
    #[test]
    fn options_print_sorted_by_subject_the_last_one_winning() {
        let rows: [(&[&str], &str); 8] = [
            (
                &[
                    "queue_depth=64,ro,lock_on_read,alloc_size=4096,rw",
                    "notrim,ip=127.0.0.1:0,crush_location=rack:a",
                    "ro",
                ],
                "alloc_size=4096,crush_location=rack:a,ip=127.0.0.1:0,lock_on_read,notrim,queue_depth=64,ro",
            ),
            (
                &["ms_mode=prefer-crc,noshare"],
                "ms_mode=prefer-crc,noshare",
            ),
            (&["rw,noudev"], ""),
            (&["share,noshare"], "noshare"),
            (
                &["queue_depth=007,lock_timeout=+3"],
                "lock_timeout=3,queue_depth=7",
            ),
            (
                &["ip=10.0.0.1", "ro notrim, noshare"],
                "ip=10.0.0.1:0,notrim,ro,noshare",
            ),
            (&["ip=v1:[::1]:7/8"], "ip=[::1]:7"),
            (
                &["fsid=11111111-2222-3333-4444-ABCDEFABCDEF,ro=1"],
                "fsid=11111111-2222-3333-4444-abcdefabcdef,ro",
            ),
        ];
        for (lists, expected) in rows {
            assert_eq!(printed(lists), expected);
        }
    }

    #[test]
    fn wrong_options_are_refused_with_what_would_be_right() {
        let rows = [
            (
                "queue_dept=5",
                "unknown map option \"queue_dept\"; did you mean \"queue_depth\"?",
            ),
            ("queue_depth", "map option queue_depth needs a value"),
            (
                "queue_depth=0",
                "map option queue_depth cannot be \"0\", expected a number of at least 1",
            ),
            (
                "queue_depth=0x10",
                "map option queue_depth cannot be \"0x10\", expected a number of at least 1",
            ),
            (
                "ip=host",
                "map option ip cannot be \"host\", expected an IP address",
            ),
            (
                "fsid=1-1",
                "map option fsid cannot be \"1-1\", expected a UUID",
            ),
            (
                "crush_location=a\tb",
                "map option crush_location cannot be \"a\\tb\", expected text without blanks",
            ),
        ];
        for (list, expected) in rows {
            let error = MapOptions::default().add(list).unwrap_err();
            assert_eq!(error.to_string(), expected);
        }
    }

    #[test]
    fn defaults_fill_only_what_is_not_said() {
        let mut options = MapOptions::default();
        options.add("queue_depth=8,rw").unwrap();
        options.add_defaults("queue_depth=64,ro,noshare").unwrap();
        assert_eq!(options.to_string(), "queue_depth=8,noshare");
        assert!(!options.read_only());
    }
}
