//! Values that are checked as serde reads them, so that a fault stands at the value itself, and the place of a fault.

use std::fmt;
use std::path::{Component, Path, PathBuf};

use anyhow::{Result, anyhow, bail, ensure};
use serde::Deserialize;
use serde::de::{Deserializer, Error, Unexpected, Visitor};

use crate::config::map_options::MapOptions;
use crate::config::mon_host::{self, MonHost};
use crate::model::image_spec::ImageSpec;

/// What is wrong in a file's text, and the byte at which it starts.
#[derive(Debug)]
pub struct Problem {
    /// From 0.
    pub start: usize,
    /// A sentence.
    pub message: String,
}

impl Problem {
    /// An error at a byte.
    pub fn new(start: usize, error: &anyhow::Error) -> Self {
        let message = error.to_string();
        Self { start, message }
    }
}

/// Line and column, from 1, of a byte of a text.
pub fn place(text: &str, byte: usize) -> (usize, usize) {
    let before = text.get(..byte).unwrap_or(text);
    let line = before.rsplit('\n').next().unwrap_or_default();
    (before.matches('\n').count() + 1, line.chars().count() + 1)
}

/// A whole number from `LOW` to `HIGH`.
#[derive(Debug)]
pub struct Between<const LOW: u16, const HIGH: u16>(u16);

impl<const LOW: u16, const HIGH: u16> Between<LOW, HIGH> {
    /// The number.
    pub fn get(&self) -> u16 {
        self.0
    }
}

impl<'de, const LOW: u16, const HIGH: u16> Deserialize<'de> for Between<LOW, HIGH> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Number<const LOW: u16, const HIGH: u16>;
        impl<const LOW: u16, const HIGH: u16> Visitor<'_> for Number<LOW, HIGH> {
            type Value = Between<LOW, HIGH>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "a whole number from {LOW} to {HIGH}")
            }

            fn visit_i64<E: Error>(self, number: i64) -> Result<Self::Value, E> {
                let fits = u16::try_from(number)
                    .ok()
                    .filter(|number| (LOW..=HIGH).contains(number));
                fits.map(Between)
                    .ok_or_else(|| E::invalid_value(Unexpected::Signed(number), &self))
            }
        }
        deserializer.deserialize_i64(Number)
    }
}

/// An image's name.
#[derive(Debug, Deserialize)]
#[serde(try_from = "String")]
pub struct Spec(pub ImageSpec);

impl TryFrom<String> for Spec {
    type Error = anyhow::Error;

    fn try_from(text: String) -> Result<Self> {
        text.parse().map(Self)
    }
}

/// Options for the kernel.
#[derive(Debug, Default, Deserialize)]
#[serde(try_from = "String")]
pub struct Options(pub MapOptions);

impl TryFrom<String> for Options {
    type Error = anyhow::Error;

    fn try_from(list: String) -> Result<Self> {
        let mut options = MapOptions::default();
        options.add(&list).map(|()| Self(options))
    }
}

/// The map option `ms_mode`, or `auto` for none: chosen by the monitors' addresses and the kernel.
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
        let added = options
            .add(&format!("ms_mode={mode}"))
            .map_err(|error| anyhow!("{error} or auto"));
        added?;
        // Otherwise a comma in it has added other options.
        ensure!(
            options.value("ms_mode") == Some(&mode),
            "ms_mode cannot be {mode:?}, expected one mode or auto"
        );
        Ok(Self(Some(mode)))
    }
}

/// A user, a cluster, a file system type: what the kernel and paths take literally.
#[derive(Debug, Deserialize)]
#[serde(try_from = "String")]
pub struct Word(pub String);

impl TryFrom<String> for Word {
    type Error = anyhow::Error;

    fn try_from(word: String) -> Result<Self> {
        require(!word.is_empty(), &word, "is not a name")?;
        require(
            !word.contains(|c: char| c.is_whitespace() || c == ','),
            &word,
            "has a blank or comma in it",
        )?;
        without_control(&word)?;
        Ok(Self(word))
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
            // It is not repeated: a key that was written in the place of its file is a secret.
            bail!("not an absolute path, expected one that starts with /");
        }
        without_control(&path)?;
        Ok(Self(path))
    }
}

/// The path of a folder other than `/`, without `..` and needless slashes, as systemd names mounts.
#[derive(Debug, Deserialize)]
#[serde(try_from = "String")]
pub struct Folder(pub PathBuf);

impl TryFrom<String> for Folder {
    type Error = anyhow::Error;

    fn try_from(path: String) -> Result<Self> {
        let FilePath(path) = FilePath::try_from(path)?;
        let is_root = path.split('/').all(|part| part.is_empty() || part == ".");
        require(
            !is_root,
            &path,
            "is the root of all folders, expected one below it",
        )?;
        normal(&path).map(Self)
    }
}

/// The path of a folder below another one.
#[derive(Debug, Deserialize)]
#[serde(try_from = "String")]
pub struct Subfolder(pub PathBuf);

impl TryFrom<String> for Subfolder {
    type Error = anyhow::Error;

    fn try_from(path: String) -> Result<Self> {
        let relative = !path.is_empty() && !path.starts_with('/');
        require(
            relative,
            &path,
            "is not a folder inside the mount, expected a relative path",
        )?;
        without_control(&path)?;
        normal(&path).map(Self)
    }
}

/// Options of a mount, separated by commas.
#[derive(Debug, Deserialize)]
#[serde(try_from = "String")]
pub struct MountOptions(pub Vec<String>);

impl TryFrom<String> for MountOptions {
    type Error = anyhow::Error;

    fn try_from(list: String) -> Result<Self> {
        without_control(&list)?;
        Ok(Self(
            list.split(',')
                .filter(|option| !option.is_empty())
                .map(str::to_owned)
                .collect(),
        ))
    }
}

/// Monitors as `mon_host` has them, each an address or the name of a host.
#[derive(Debug, Deserialize)]
#[serde(try_from = "Vec<String>")]
pub struct Monitors(pub String);

impl TryFrom<Vec<String>> for Monitors {
    type Error = anyhow::Error;

    fn try_from(monitors: Vec<String>) -> Result<Self> {
        for monitor in &monitors {
            let good = match mon_host::mon_host(monitor) {
                MonHost::Addresses(addresses) => !addresses.is_empty(),
                MonHost::Names(names) => matches!(&names[..], [(name, _)] if is_host_name(name)),
            };
            require(
                good,
                monitor,
                "is no monitor, expected such as 192.168.3.253, v2:192.168.3.253:3300 or mon-a",
            )?;
        }
        ensure!(!monitors.is_empty(), "no monitors, expected at least one");
        Ok(Self(monitors.join(",")))
    }
}

/// Letters, digits, `-`, `_` and dots; the last label is not a number, which would be an address gone wrong.
fn is_host_name(name: &str) -> bool {
    let last = name
        .trim_end_matches('.')
        .rsplit('.')
        .next()
        .unwrap_or_default();
    let known = |c: char| c.is_alphanumeric() || "-_.".contains(c);
    name.chars().all(known) && last.contains(|c: char| !c.is_ascii_digit())
}

/// A cluster's id, as `ceph fsid` prints it.
#[derive(Debug, Deserialize)]
#[serde(try_from = "String")]
pub struct Fsid(pub String);

impl TryFrom<String> for Fsid {
    type Error = anyhow::Error;

    fn try_from(id: String) -> Result<Self> {
        let lengths: Vec<usize> = id.split('-').map(str::len).collect();
        let good =
            lengths == [8, 4, 4, 4, 12] && id.chars().all(|c| c == '-' || c.is_ascii_hexdigit());
        require(
            good,
            &id,
            "is no cluster id, expected what `ceph fsid` prints",
        )?;
        Ok(Self(id.to_ascii_lowercase()))
    }
}

fn require(good: bool, text: &str, otherwise: &str) -> Result<()> {
    ensure!(good, "{text:?} {otherwise}");
    Ok(())
}

fn without_control(text: &str) -> Result<()> {
    require(
        !text.contains(char::is_control),
        text,
        "has a control character in it",
    )
}

/// A path without needless slashes and dots.
fn normal(path: &str) -> Result<PathBuf> {
    let components = Path::new(path).components();
    require(
        !components.clone().any(|part| part == Component::ParentDir),
        path,
        "has a \"..\" in it",
    )?;
    Ok(components.collect())
}
