//! The line that maps an image when it is written to the kernel's rbd bus (linux `drivers/block/rbd.c`, rbd_add_parse_args;
//! ceph `src/krbd.cc`, build_map_buf):
//!
//!     MONITOR[,MONITOR…] OPTIONS POOL IMAGE SNAPSHOT|- TAG
//!
//! The line has no quoting, so the parsers of all parts refuse blanks. The kernel ignores TAG, which is ours (`model::owner_tag`).

use anyhow::{Result, ensure};
use zeroize::Zeroizing;

use super::request::Request;
use crate::model::owner_tag::{Origin, OwnerTag};
use crate::sys::rbd::bus::{AddCommand, ClientKey};

/// A page, less the newline and the NUL with which the kernel prints the line in `config_info`. The kernel executes a longer
/// write as two commands.
const LINE_MAX: usize = 4094;
/// The kernel's limit, `CEPH_MAX_MON`.
const MONITORS_MAX: usize = 31;

impl Request {
    /// The command that maps the image, with `tag` as the last word of its line.
    pub fn add_command(&self, tag: &OwnerTag) -> Result<AddCommand> {
        let key = self.secret().map(|secret| ClientKey {
            name: format!("client.{}", self.user),
            secret: secret.clone(),
        });
        Ok(AddCommand {
            line: self.line(tag)?,
            key,
        })
    }

    /// The line as messages show it: without the tag, which is different for each write. It never has the secret, only the name
    /// by which the kernel finds the key.
    pub fn preview(&self) -> Result<String> {
        // The longest tag, so that the preview fails for every line that would be too long.
        let line = self.line(&OwnerTag::new(Origin::Table, [0; 8]))?;
        let (line, _tag) = line.rsplit_once(' ').unwrap_or_default();
        Ok(line.to_owned())
    }

    pub(super) fn line(&self, tag: &OwnerTag) -> Result<Zeroizing<String>> {
        let spec = &self.wanted.spec;
        // `-` is the kernel's word for "no snapshot".
        let snapshot = spec.snapshot.as_deref().unwrap_or("-");
        let line = Zeroizing::new(format!(
            "{} {} {} {} {snapshot} {tag}",
            self.monitor_list(MONITORS_MAX),
            self.option_list(),
            spec.pool,
            spec.image,
        ));
        ensure!(
            line.len() <= LINE_MAX,
            "the line for the kernel has {} bytes, but the kernel reads {LINE_MAX}; use shorter names or fewer options",
            line.len()
        );
        Ok(line)
    }

    fn option_list(&self) -> String {
        let mut options = vec![format!("name={}", self.user)];
        if self.secret().is_some() {
            options.push(format!("key=client.{}", self.user));
        }
        let others = self.options.to_string();
        if !others.is_empty() {
            options.push(others);
        }
        // The line has no word for the namespace, only this option. rbd writes it last.
        if let Some(namespace) = &self.wanted.spec.namespace {
            options.push(format!("_pool_ns={namespace}"));
        }
        options.join(",")
    }
}
