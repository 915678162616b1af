//! The name of an image, `pool[/namespace]/image[@snapshot]`, and what follows from it alone: its link below /dev.
//!
//! A name is written into a line for the kernel without quoting (linux `drivers/block/rbd.c`, rbd_add_parse_args), into paths
//! and into unit names. So the parser refuses what any of them would misread. Names that come from the kernel are not checked.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use anyhow::{Error, Result, bail, ensure};
use serde::Serialize;

use super::udev_name;

/// The kernel's limit for a snapshot's name: 255 bytes, less five that the kernel adds to it.
const SNAPSHOT_MAX: usize = 250;

/// The longest name of a file. Each part of the image's name becomes one below /dev/rbd.
const NAME_MAX: usize = 255;

/// The name of an image or of a snapshot.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct ImageSpec {
    /// The pool's name.
    pub pool: String,
    /// The namespace in the pool; `None` for the default one.
    pub namespace: Option<String>,
    /// The image's name.
    pub image: String,
    /// The snapshot's name; `None` for the image itself.
    pub snapshot: Option<String>,
}

impl ImageSpec {
    /// Parses `[pool/[namespace/]]image[@snapshot]` as `rbd` does (ceph `src/tools/rbd/Utils.cc`): the snapshot is everything
    /// after the first `@`, and a name without a slash is in `default_pool`.
    pub fn parse(text: &str, default_pool: &str) -> Result<Self> {
        let (path, snapshot) = match text.split_once('@') {
            Some((path, snapshot)) => (path, Some(snapshot)),
            None => (text, None),
        };
        let parts: Vec<&str> = path.split('/').collect();
        let (pool, namespace, image) = match parts[..] {
            [image] => (default_pool, None, image),
            [pool, image] => (pool, None, image),
            [pool, namespace, image] => (pool, Some(namespace), image),
            _ => bail!("image {text:?} has more than two slashes, expected pool/namespace/image"),
        };
        Self {
            pool: pool.to_owned(),
            namespace: namespace.map(str::to_owned),
            image: image.to_owned(),
            snapshot: snapshot.map(str::to_owned),
        }
        .checked()
    }

    /// Returns the name if the kernel, paths and units read each of its parts literally.
    pub fn checked(self) -> Result<Self> {
        check_part("pool", &self.pool)?;
        check_part("image", &self.image)?;
        if let Some(namespace) = &self.namespace {
            check_part("namespace", namespace)?;
            ensure!(
                !namespace.contains(','),
                "namespace {namespace:?} contains a comma, which the kernel cannot take"
            );
        }
        match self.snapshot.as_deref() {
            Some("-") => {
                bail!("snapshot {self} cannot be mapped: to the kernel `-` means no snapshot")
            }
            Some(snapshot) if snapshot.len() > SNAPSHOT_MAX => bail!(
                "a snapshot of {}/{} has a name of {} bytes, the kernel's limit is {SNAPSHOT_MAX}",
                self.pool,
                self.image,
                snapshot.len()
            ),
            Some(snapshot) => check_part("snapshot", snapshot).map(|()| self),
            None => Ok(self),
        }
    }

    /// The link that udev makes for the image, relative to /dev: `rbd/pool/[namespace/]image[@snapshot]`, with characters
    /// replaced that udev does not allow.
    pub fn link(&self) -> PathBuf {
        PathBuf::from("rbd").join(udev_name::replace_in_path(&self.to_string()))
    }
}

/// The part of a name or link before `-partN`, which udev appends for partitions (`units/50-rbd.rules`); `None` without it.
pub fn disk_of_partition(name: &str) -> Option<&str> {
    let (disk, number) = name.rsplit_once("-part")?;
    let is_number = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then_some(disk)
}

impl FromStr for ImageSpec {
    type Err = Error;

    /// As [`ImageSpec::parse`], with the default pool `rbd`.
    fn from_str(text: &str) -> Result<Self> {
        Self::parse(text, "rbd")
    }
}

impl fmt::Display for ImageSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.pool)?;
        let parts = [
            ("/", self.namespace.as_deref()),
            ("/", Some(&self.image)),
            ("@", self.snapshot.as_deref()),
        ];
        for (sign, part) in parts {
            if let Some(part) = part {
                f.write_str(sign)?;
                f.write_str(part)?;
            }
        }
        Ok(())
    }
}

fn check_part(what: &str, part: &str) -> Result<()> {
    ensure!(!part.is_empty(), "the {what} has no name");
    if part.len() > NAME_MAX {
        // The whole name would fill the terminal.
        let start: String = part.chars().take(20).collect();
        bail!(
            "{what} \"{start}…\" has a name of {} bytes, and no link below /dev/rbd can have more than {NAME_MAX}",
            part.len()
        );
    }
    ensure!(
        !part.chars().any(|c| c.is_whitespace() || c.is_control()),
        "{what} {part:?} contains a blank or control character, which the kernel cannot take"
    );
    // udev makes a link with this path. An `@` in a name would be read back as the start of a snapshot.
    if part == "."
        || part == ".."
        || (what != "snapshot" && part.contains('@'))
        || part.contains('/')
    {
        bail!("{what} {part:?} is not a name that can be linked below /dev/rbd");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn spec(text: &str) -> ImageSpec {
        text.parse().unwrap()
    }

    #[test]
    fn a_name_is_split_as_by_the_rbd_command() {
        let rows = [
            ("image", ("rbd", None, "image", None)),
            ("pool/image", ("pool", None, "image", None)),
            (
                "pool/ns/image@snap",
                ("pool", Some("ns"), "image", Some("snap")),
            ),
            ("pool/image@a@b", ("pool", None, "image", Some("a@b"))),
        ];
        for (text, (pool, namespace, image, snapshot)) in rows {
            let spec = spec(text);
            let found = (
                spec.pool.as_str(),
                spec.namespace.as_deref(),
                spec.image.as_str(),
                spec.snapshot.as_deref(),
            );
            assert_eq!(found, (pool, namespace, image, snapshot), "{text}");
        }
    }

    #[test]
    fn a_name_that_the_kernel_a_path_or_a_unit_would_misread_is_refused() {
        for text in [
            "", "/", "p/", "/i", "p/i m", "p/i\tm", "a/b/c/d", "p/..", "../i", "p/i@-", "p/i@",
            "p/n,s/i", "p/i\n",
        ] {
            assert!(text.parse::<ImageSpec>().is_err(), "{text:?} was accepted");
        }
        assert!(
            format!("p/i@{}", "s".repeat(251))
                .parse::<ImageSpec>()
                .is_err()
        );
        let error = format!("p/{}", "ü".repeat(2500))
            .parse::<ImageSpec>()
            .unwrap_err()
            .to_string();
        assert!(error.contains("5000 bytes") && error.len() < 200, "{error}");
    }

    #[test]
    fn a_link_has_the_characters_of_udev() {
        assert_eq!(spec("p/foo*").link(), PathBuf::from("rbd/p/foo_"));
        assert_eq!(spec("p/ns/a+b@s").link(), PathBuf::from("rbd/p/ns/a+b@s"));
        assert_eq!(spec("p/größe$").link(), PathBuf::from("rbd/p/größe_"));
    }

    proptest! {
        #[test]
        fn no_text_panics_and_every_name_prints_as_it_was_parsed(text in ".*") {
            if let Ok(spec) = ImageSpec::parse(&text, "rbd") {
                prop_assert_eq!(spec.to_string().parse::<ImageSpec>().unwrap(), spec);
            }
        }
    }
}
