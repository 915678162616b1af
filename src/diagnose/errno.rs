//! What an errno of the rbd bus means for one request, and what to do about it.
//!
//! Sources of the errnos: linux `drivers/block/rbd.c` and `net/ceph/` (6.1).

use std::io;

use nix::errno::Errno;
use nix::libc;

use super::facts::RequestFacts;
use super::log_attribution::KernelLog;
use crate::model::image_features;

/// The answer to a key of an unknown type. It is not in errno.h, because it should not leave the kernel (linux
/// `include/linux/errno.h`), but it does.
const ENOTSUPP: libc::c_int = 524;

impl RequestFacts {
    /// Why the kernel refused to map the image, and what to do.
    pub(super) fn cause(&self, errno: i32, log: &KernelLog) -> String {
        if errno == ENOTSUPP {
            return self.key_type();
        }
        let spec = &self.spec;
        match Errno::from_raw(errno) {
            Errno::ENOENT => {
                "the pool, namespace, image or snapshot does not exist; compare with `rbd ls`".to_owned()
            }
            Errno::EPERM => format!(
                "not permitted; run rbdmap as root on the host, and give client.{} the OSD capability `profile rbd`",
                self.user
            ),
            Errno::EACCES => self.access_denied(log),
            Errno::EINVAL => self.invalid(log),
            Errno::ENXIO => self.missing_features(log),
            Errno::ETIMEDOUT => format!(
                "no monitor answers ({}); check the quorum (`ceph quorum_status`), the network and mon_host",
                self.monitor_list()
            ),
            Errno::EIO => format!(
                "the cluster answers with an I/O error, as if the pool of a parent image had been deleted; check `ceph health \
                 detail` and `rbd info {spec}`"
            ),
            // rbd returns EROFS for a lock that its owner keeps (`peer will not release lock`), and EBUSY for a lock that is not one
            // of rbd's own (`locked by external mechanism`).
            Errno::EROFS => format!(
                "another client has the exclusive lock and does not release it, as with the option exclusive{}",
                self.lock_owner()
            ),
            Errno::EBUSY => format!("the image is locked by another program{}", self.lock_owner()),
            Errno::ESHUTDOWN => "this host is on the cluster's blocklist (`ceph osd blocklist ls`); unmap every image of the \
                                 cluster, then map them again"
                .to_owned(),
            Errno::ENOPKG => self.key_type(),
            _ => io::Error::from_raw_os_error(errno).to_string(),
        }
    }

    fn access_denied(&self, log: &KernelLog) -> String {
        let user = &self.user;
        if let Some(searched) = &self.missing_key {
            format!("client.{user} has no key: {searched}")
        } else if log.contains("failed to blocklist") {
            // The kernel breaks a lock by putting its owner on the blocklist, which is a command to the monitors.
            format!(
                "a client that does not answer has the exclusive lock, and client.{user} is not permitted to break it; give \
                 client.{user} the monitor capability `profile rbd` with `ceph auth caps`"
            )
        } else {
            format!(
                "the cluster refuses client.{user}: wrong key, unknown user or missing capabilities; compare with `ceph auth get \
                 client.{user}`"
            )
        }
    }

    fn invalid(&self, log: &KernelLog) -> String {
        // libceph returns EINVAL for a client without a key if the cluster requires one.
        if let Some(searched) = &self.missing_key {
            format!("client.{} has no key: {searched}", self.user)
        } else if log.contains("exclusive-lock feature is not enabled") {
            format!(
                "the image does not have the feature exclusive-lock; run `rbd feature enable {} exclusive-lock`, or remove the \
                 option exclusive",
                self.spec
            )
        } else {
            "the kernel does not accept an option of this mapping".to_owned()
        }
    }

    /// The kernel names the features in `image uses unsupported features: 0x40`.
    fn missing_features(&self, log: &KernelLog) -> String {
        let names = log
            .own
            .iter()
            .find_map(|line| line.split_once("unsupported features: "))
            .and_then(|(_, mask)| image_features::names(mask))
            .unwrap_or_default();
        if names.is_empty() {
            return format!(
                "this kernel lacks features of the image; `rbd info {}` lists them",
                self.spec
            );
        }
        format!(
            "this kernel lacks features of the image; turn them off with `rbd feature disable {} {names}`",
            self.spec
        )
    }

    fn lock_owner(&self) -> String {
        match self.lock_holders.as_slice() {
            [] => format!("; `rbd lock ls {}` shows its address", self.spec),
            holders => format!(": {}; unmap the image there", holders.join(", ")),
        }
    }

    fn key_type(&self) -> String {
        format!(
            "this kernel does not support the type of the key of client.{}; use a newer kernel or a key of another type",
            self.user
        )
    }

    /// Why the kernel did not add the user's key to its keyring (add_key(2)), and what to do.
    pub(super) fn refused_key(&self, error: &io::Error) -> String {
        let remedy = match error.raw_os_error().map(Errno::from_raw) {
            Some(Errno::EDQUOT) => {
                "the quota of keys of this user is used up, see /proc/key-users; raise root's with sysctl kernel.keys.root_maxkeys"
            }
            Some(Errno::EINVAL) => "it is not a key of Ceph; compare with `ceph auth get`",
            _ => "see keyrings(7)",
        };
        format!(
            "the kernel refuses the key of client.{}: {error}; {remedy}",
            self.user
        )
    }
}
