//! The facts of a request that diagnoses need. They contain no secret, so a thread that reports can have a copy.

use std::net::SocketAddr;

use crate::ceph::key_search::UserKey;
use crate::ceph::request::Request;
use crate::model::image_spec::ImageSpec;

/// The facts of one request.
#[derive(Debug, Clone)]
pub struct RequestFacts {
    pub(super) spec: ImageSpec,
    pub(super) user: String,
    pub(super) monitors: Vec<SocketAddr>,
    pub(super) options: String,
    pub(super) fsid: Option<String>,
    /// Why there is no key, if there is none.
    pub(super) missing_key: Option<String>,
    /// The clients that have the image's lock, as far as they are known.
    pub(super) lock_holders: Vec<String>,
}

impl RequestFacts {
    /// The facts of a request, without holders of the lock.
    pub fn new(request: &Request) -> Self {
        Self {
            spec: request.wanted.spec.clone(),
            user: request.user.clone(),
            monitors: request.monitors.clone(),
            options: request.options.to_string(),
            fsid: request.wanted.fsid.clone(),
            missing_key: match &request.key {
                UserKey::Found(_) => None,
                UserKey::Missing(searched) => Some(searched.clone()),
            },
            lock_holders: Vec::new(),
        }
    }

    /// The same facts, with the clients that have the image's lock.
    pub fn with_lock_holders(self, lock_holders: Vec<String>) -> Self {
        Self {
            lock_holders,
            ..self
        }
    }

    /// The image.
    pub fn spec(&self) -> &ImageSpec {
        &self.spec
    }

    pub(super) fn monitor_list(&self) -> String {
        let monitors: Vec<String> = self.monitors.iter().map(ToString::to_string).collect();
        monitors.join(",")
    }
}
