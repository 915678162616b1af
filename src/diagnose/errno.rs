//! What an answer of the rbd bus means for one request, and what to do about it.
//!
//! Sources of the errnos: linux `drivers/block/rbd.c` and `net/ceph/` (6.1).

use std::net::SocketAddr;

use nix::errno::Errno;
use nix::libc;

use super::log_attribution::{KernelLog, KernelWait};
use crate::ceph::key_search::UserKey;
use crate::ceph::request::Request;
use crate::model::image_features;
use crate::model::image_spec::ImageSpec;

/// What explaining needs of a request: nothing secret.
#[derive(Debug, Clone)]
pub struct RequestFacts {
    pub(super) spec: ImageSpec,
    pub(super) user: String,
    pub(super) monitors: Vec<SocketAddr>,
    pub(super) options: String,
    pub(super) fsid: Option<String>,
    pub(super) no_secret: Option<String>,
    /// Those who have its lock, where that could be told.
    pub(super) lock_holders: Vec<String>,
}

impl RequestFacts {
    /// The facts of a request.
    pub fn new(request: &Request) -> Self {
        Self {
            spec: request.wanted.spec.clone(),
            user: request.user.clone(),
            monitors: request.monitors.clone(),
            options: request.options.to_string(),
            fsid: request.wanted.fsid.clone(),
            no_secret: match &request.key {
                UserKey::Found(_) => None,
                UserKey::Missing(searched) => Some(searched.clone()),
            },
            lock_holders: Vec::new(),
        }
    }

    /// The same, with those who have the image's lock.
    pub fn with_lock_holders(self, lock_holders: Vec<String>) -> Self {
        Self {
            lock_holders,
            ..self
        }
    }

    /// Which image.
    pub fn spec(&self) -> &ImageSpec {
        &self.spec
    }

    fn monitors(&self) -> String {
        self.monitors
            .iter()
            .map(ToString::to_string)
            .collect::<Vec<_>>()
            .join(",")
    }

    /// What is being waited for, in words that go on "for N s".
    pub fn waiting(&self, wait: KernelWait) -> String {
        match wait {
            KernelWait::Session => format!("a monitor to let client.{} in ({})", self.user, self.monitors()),
            KernelWait::Objects => "OSDs, or for whoever has its lock, to answer (the monitors do)".to_owned(),
            KernelWait::Lock => {
                "the exclusive lock of a client that is gone, which the kernel breaks when its watch ends, \
                 after half a minute"
                    .to_owned()
            }
        }
    }

    pub(super) fn no_answer(&self, wait: KernelWait) -> String {
        match wait {
            KernelWait::Session => format!(
                "no answer from the cluster in time: a monitor greets, but lets nobody in ({}): have the monitors a \
                 quorum (`ceph quorum_status`), is the network whole?",
                self.monitors()
            ),
            KernelWait::Objects => "no answer from the cluster in time: monitors answer, OSDs do not; \
                              `ceph health detail` and `ceph osd tree` show which"
                .to_owned(),
            KernelWait::Lock => {
                "a client that is gone still has the exclusive lock; the kernel breaks it when its watch \
                           ends, after half a minute; try again then, or give it more time with --timeout"
                    .to_owned()
            }
        }
    }

    pub(super) fn key(&self, error: &std::io::Error) -> String {
        let user = &self.user;
        let remedy = match error.raw_os_error().map(Errno::from_raw) {
            Some(Errno::EDQUOT) => {
                "the quota of keys of this user is used up; /proc/key-users shows it, sysctl kernel.keys.root_maxkeys raises root's"
            }
            Some(Errno::EINVAL) => "it is none that Ceph has made; compare with `ceph auth get`",
            _ => "see keyrings(7)",
        };
        format!("the kernel does not take the key of client.{user}: {error}: {remedy}")
    }

    pub(super) fn cause(&self, errno: i32, said: &KernelLog) -> String {
        let (user, spec) = (&self.user, &self.spec);
        let has = |text: &str| {
            said.of_it
                .iter()
                .chain(&said.perhaps)
                .any(|line| line.contains(text))
        };
        match Errno::from_raw(errno) {
            Errno::ENOENT => "the pool, namespace, image or snapshot does not exist; compare with `rbd ls`".to_owned(),
            Errno::EPERM => format!(
                "not permitted: rbdmap must run as root on the host, and client.{user} needs the OSD capability `profile rbd`"
            ),
            Errno::EACCES | Errno::EINVAL if self.no_secret.is_some() => {
                format!("client.{user} has no key: {}", self.no_secret.as_deref().unwrap_or_default())
            }
            Errno::EACCES if has("failed to blocklist") => format!(
                "a client that is gone has the exclusive lock, and client.{user} may not break it: it needs the monitor \
                 capability `profile rbd`; `ceph auth caps` gives it"
            ),
            Errno::EACCES => format!(
                "the cluster refuses client.{user}: wrong key, unknown user or too few capabilities; compare with `ceph auth get client.{user}`"
            ),
            Errno::EINVAL if has("exclusive-lock feature is not enabled") => format!(
                "the image has no exclusive lock; `rbd feature enable {spec} exclusive-lock` gives it one, or leave the option out"
            ),
            Errno::EINVAL => "the kernel does not take an option of this mapping".to_owned(),
            Errno::ENXIO => self.features(said),
            Errno::ETIMEDOUT => format!(
                "no monitor answers ({}): have they a quorum, is the network whole, is mon_host right?",
                self.monitors()
            ),
            Errno::EIO => "the cluster answers with an I/O error: is the pool of a parent image gone? \
                           `ceph health detail` and `rbd info` tell"
                .to_owned(),
            Errno::EROFS => format!(
                "another client has the exclusive lock and does not give it up, as with the option exclusive{}",
                self.who_has_the_lock()
            ),
            Errno::EBUSY => format!("the image is locked by another program{}", self.who_has_the_lock()),
            Errno::ESHUTDOWN => {
                "this host is on the cluster's blocklist; see `ceph osd blocklist ls`; unmap every image \
                                 of the cluster, then map them anew"
                    .to_owned()
            }
            Errno::ENOPKG => self.key_type(),
            _ if errno == ENOTSUPP => self.key_type(),
            _ => std::io::Error::from_raw_os_error(errno).to_string(),
        }
    }

    fn who_has_the_lock(&self) -> String {
        match self.lock_holders.as_slice() {
            [] => format!("; `rbd lock ls {}` shows its address", self.spec),
            holders => format!(": {}; unmap the image there", holders.join(", ")),
        }
    }

    fn key_type(&self) -> String {
        format!(
            "this kernel does not know the type of the key of client.{}; it takes a newer kernel or another key",
            self.user
        )
    }

    /// The command that turns off what the kernel named in `image uses unsupported features: 0x40`.
    fn features(&self, said: &KernelLog) -> String {
        let names = said
            .of_it
            .iter()
            .find_map(|line| line.split_once("unsupported features: "))
            .and_then(|(_, mask)| image_features::names(mask))
            .unwrap_or_default();
        if names.is_empty() {
            return "the image has features that this kernel lacks; see `rbd info`".to_owned();
        }
        format!(
            "this kernel lacks features of the image; turn them off with `rbd feature disable {} {}`",
            self.spec, names
        )
    }
}

/// Not in errno.h, for it should not leave the kernel (linux `include/linux/errno.h`); it does.
const ENOTSUPP: libc::c_int = 524;
