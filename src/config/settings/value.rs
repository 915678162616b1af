//! The values of keys, checked while serde reads them, so that a fault has the position of the value itself.

use std::fmt;
use std::path::{Component, Path, PathBuf};

use anyhow::{Result, anyhow, bail, ensure};
use serde::Deserialize;
use serde::de::{Deserializer, Error, Unexpected, Visitor};
use uuid::Uuid;

use crate::config::map_options::MapOptions;
use crate::config::mon_host::{self, MonHost};
use crate::model::image_spec::ImageSpec;

/// What is wrong in a text, and where.
#[derive(Debug)]
pub struct OffsetError {
    /// The byte at which the fault starts, from 0.
    pub offset: usize,
    /// A sentence.
    pub message: String,
}

impl OffsetError {
    /// An error that is found at a byte.
    pub fn new(offset: usize, error: &anyhow::Error) -> Self {
        let message = error.to_string();
        Self { offset, message }
    }
}

/// A whole number from `LOW` to `HIGH`.
#[derive(Debug)]
pub struct BoundedNumber<const LOW: u16, const HIGH: u16>(u16);

impl<const LOW: u16, const HIGH: u16> BoundedNumber<LOW, HIGH> {
    /// The number.
    pub fn get(&self) -> u16 {
        self.0
    }
}

impl<'de, const LOW: u16, const HIGH: u16> Deserialize<'de> for BoundedNumber<LOW, HIGH> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_i64(NumberVisitor::<LOW, HIGH>)
    }
}

struct NumberVisitor<const LOW: u16, const HIGH: u16>;

impl<const LOW: u16, const HIGH: u16> Visitor<'_> for NumberVisitor<LOW, HIGH> {
    type Value = BoundedNumber<LOW, HIGH>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a whole number from {LOW} to {HIGH}")
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<Self::Value, E> {
        match u16::try_from(number) {
            Ok(number) if (LOW..=HIGH).contains(&number) => Ok(BoundedNumber(number)),
            _ => Err(E::invalid_value(Unexpected::Signed(number), &self)),
        }
    }
}

/// An image's name.
#[derive(Debug, Deserialize)]
#[serde(try_from = "String")]
pub struct ImageName(pub ImageSpec);

impl TryFrom<String> for ImageName {
    type Error = anyhow::Error;

    fn try_from(text: String) -> Result<Self> {
        text.parse().map(Self)
    }
}

/// Options for the kernel.
#[derive(Debug, Default, Deserialize)]
#[serde(try_from = "String")]
pub struct KernelOptions(pub MapOptions);

impl TryFrom<String> for KernelOptions {
    type Error = anyhow::Error;

    fn try_from(list: String) -> Result<Self> {
        let mut options = MapOptions::default();
        options.add(&list)?;
        Ok(Self(options))
    }
}

/// The map option `ms_mode`; `None` for `auto`: the program chooses it from the monitors' addresses and the kernel's release.
#[derive(Debug, Default, Deserialize)]
#[serde(try_from = "String")]
pub struct MessengerMode(pub Option<String>);

impl TryFrom<String> for MessengerMode {
    type Error = anyhow::Error;

    fn try_from(mode: String) -> Result<Self> {
        if mode == "auto" {
            return Ok(Self(None));
        }
        let mut options = MapOptions::default();
        options
            .add(&format!("ms_mode={mode}"))
            .map_err(|error| anyhow!("{error} or auto"))?;
        // `crc,ro` parses as two options, of which the second is not for this key.
        ensure!(
            options.value("ms_mode") == Some(&mode),
            "ms_mode cannot be {mode:?}, expected one mode or auto"
        );
        Ok(Self(Some(mode)))
    }
}

/// The name of a user, a cluster or a file system type, which the kernel takes literally and which becomes part of paths.
#[derive(Debug, Deserialize)]
#[serde(try_from = "String")]
pub struct PlainName(pub String);

impl TryFrom<String> for PlainName {
    type Error = anyhow::Error;

    fn try_from(name: String) -> Result<Self> {
        ensure!(!name.is_empty(), "the name is empty");
        ensure!(
            !name.contains(|c: char| c.is_whitespace() || c == ','),
            "{name:?} contains a blank or a comma"
        );
        refuse_control_characters(&name)?;
        Ok(Self(name))
    }
}

/// The path of a file.
#[derive(Debug, Deserialize)]
#[serde(try_from = "String")]
pub struct FilePath(pub String);

impl TryFrom<String> for FilePath {
    type Error = anyhow::Error;

    fn try_from(path: String) -> Result<Self> {
        if !path.starts_with('/') {
            // The value is not repeated: it may be the key itself, written where its file belongs.
            bail!("not an absolute path, expected a path that starts with /");
        }
        refuse_control_characters(&path)?;
        Ok(Self(path))
    }
}

/// The path of a directory other than `/`, without `..` and redundant slashes: the form from which systemd makes unit names.
#[derive(Debug, Deserialize)]
#[serde(try_from = "String")]
pub struct DirectoryPath(pub PathBuf);

impl TryFrom<String> for DirectoryPath {
    type Error = anyhow::Error;

    fn try_from(path: String) -> Result<Self> {
        let FilePath(path) = FilePath::try_from(path)?;
        ensure!(
            path.split('/').any(|part| !part.is_empty() && part != "."),
            "{path:?} is the root directory, expected a directory below it"
        );
        normal(&path).map(Self)
    }
}

/// The path of a directory inside another one.
#[derive(Debug, Deserialize)]
#[serde(try_from = "String")]
pub struct RelativePath(pub PathBuf);

impl TryFrom<String> for RelativePath {
    type Error = anyhow::Error;

    fn try_from(path: String) -> Result<Self> {
        ensure!(
            !path.is_empty() && !path.starts_with('/'),
            "{path:?} is not a directory inside the mount, expected a relative path"
        );
        refuse_control_characters(&path)?;
        normal(&path).map(Self)
    }
}

/// Mount options, separated by commas.
#[derive(Debug, Deserialize)]
#[serde(try_from = "String")]
pub struct MountOptions(pub Vec<String>);

impl TryFrom<String> for MountOptions {
    type Error = anyhow::Error;

    fn try_from(list: String) -> Result<Self> {
        refuse_control_characters(&list)?;
        let options = list.split(',').filter(|option| !option.is_empty());
        Ok(Self(options.map(str::to_owned).collect()))
    }
}

/// Monitors, each an address or a host name, joined to the form of `mon_host`.
#[derive(Debug, Deserialize)]
#[serde(try_from = "Vec<String>")]
pub struct MonitorList(pub String);

impl TryFrom<Vec<String>> for MonitorList {
    type Error = anyhow::Error;

    fn try_from(monitors: Vec<String>) -> Result<Self> {
        for monitor in &monitors {
            let is_monitor = match mon_host::mon_host(monitor) {
                MonHost::Addresses(addresses) => !addresses.is_empty(),
                MonHost::Names(names) => matches!(&names[..], [(name, _)] if is_host_name(name)),
            };
            ensure!(
                is_monitor,
                "{monitor:?} is not a monitor, expected for example 192.168.3.253, v2:192.168.3.253:3300 or mon-a"
            );
        }
        ensure!(
            !monitors.is_empty(),
            "the list is empty, expected at least one monitor"
        );
        Ok(Self(monitors.join(",")))
    }
}

/// Whether a text is a host name. A last label of digits only is a mistyped address, such as `1.2.3.444`.
fn is_host_name(name: &str) -> bool {
    let without_dot = name.trim_end_matches('.');
    let last_label = without_dot.rsplit('.').next().unwrap_or_default();
    name.chars()
        .all(|c| c.is_alphanumeric() || "-_.".contains(c))
        && last_label.contains(|c: char| !c.is_ascii_digit())
}

/// A cluster's id in the form that `ceph fsid` prints.
#[derive(Debug, Deserialize)]
#[serde(try_from = "String")]
pub struct ClusterId(pub String);

impl TryFrom<String> for ClusterId {
    type Error = anyhow::Error;

    fn try_from(id: String) -> Result<Self> {
        match Uuid::try_parse(&id) {
            // 36 characters are the form with dashes; Uuid knows others too.
            Ok(uuid) if id.len() == 36 => Ok(Self(uuid.to_string())),
            _ => bail!("{id:?} is not a cluster id, expected the output of `ceph fsid`"),
        }
    }
}

fn refuse_control_characters(text: &str) -> Result<()> {
    ensure!(
        !text.contains(char::is_control),
        "{text:?} contains a control character"
    );
    Ok(())
}

/// A path without redundant slashes and dots.
fn normal(path: &str) -> Result<PathBuf> {
    let components = Path::new(path).components();
    ensure!(
        !components.clone().any(|part| part == Component::ParentDir),
        "{path:?} contains \"..\""
    );
    Ok(components.collect())
}
