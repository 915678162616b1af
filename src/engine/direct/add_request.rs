//! One request to the kernel to map an image: the write to the bus, the mapping that it has made, and the reason of a failure.

use anyhow::{Context, Result};
use nix::errno::Errno;

use crate::ceph::request::Request;
use crate::diagnose::facts::RequestFacts;
use crate::diagnose::{self, KernelContext, MapFailure};
use crate::engine::progress;
use crate::model::mapping::Mapping;
use crate::model::owner_tag::{Origin, OwnerTag};
use crate::report::event::Event;
use crate::runtime::deadline::Wait;
use crate::runtime::root::Root;
use crate::sys::kmsg::KmsgReader;
use crate::sys::rbd::bus::{self, BusAccess, BusError};
use crate::sys::rbd::mapping_cache::MappingCache;
use crate::sys::rbd::{cluster_lock, lock_owner};

/// The request and what it needs.
pub(super) struct AddRequest<'a> {
    pub(super) root: &'a Root,
    pub(super) mappings: &'a MappingCache,
    pub(super) request: &'a Request,
    pub(super) access: BusAccess<'a>,
}

impl AddRequest<'_> {
    /// Writes the request and returns the mapping.
    pub(super) fn send(&self, origin: Origin) -> Result<Mapping, MapFailure> {
        // The kernel holds one lock for all of rbd while it opens a session, and no signal reaches a process that waits for it. So
        // one process writes first, and the others wait here.
        let wait_for_cluster = Wait {
            on_delay: &|| {
                progress::report_wait(
                    Event::MapWaits,
                    &self.request.wanted.spec,
                    cluster_lock::HOLDER,
                );
            },
            ..self.access.wait
        };
        let guard = cluster_lock::acquire(
            self.root,
            &self.request.cluster_id(),
            || self.had_session(),
            wait_for_cluster,
        )?;
        let tag = OwnerTag::new(origin, bus::nonce(self.root)?);
        let command = self.request.add_command(&tag)?;
        let facts = RequestFacts::new(self.request);
        // Another process may have opened the session while this one waited.
        let had_session = self.had_session()?;
        // From before the write, so that no line about it is missed.
        let mut log = KmsgReader::now(self.root);
        let reporter = progress::report_kernel_wait(self.root, facts.clone(), had_session);
        let added = bus::add(self.root, &command, self.access);
        // Before the failure is explained, which may take long: other processes wait for the guard.
        drop(reporter);
        drop(guard);
        if let Err(error) = added {
            let facts = facts.with_lock_holders(self.lock_holders(&error));
            // Lines of the log about a device that is mapped are about another image.
            let keys = bus::entries(self.root)?;
            let context = KernelContext {
                lines: &log.lines(),
                mapped: &keys.iter().map(|key| key.id).collect::<Vec<_>>(),
                had_session,
            };
            return Err(diagnose::map_failure(&facts, &error, context));
        }
        let mapping = self.find_by_tag(&tag)?;
        self.check_cluster(mapping)
    }

    /// Whether the kernel has a session with the cluster, or had one.
    fn had_session(&self) -> Result<bool> {
        match &self.request.wanted.fsid {
            Some(fsid) => self.mappings.knows_cluster(fsid),
            None => Ok(false),
        }
    }

    /// Who has the image's lock, if the kernel refused because of a lock.
    fn lock_holders(&self, error: &BusError) -> Vec<String> {
        // Only these answers come from a lock, and the search asks the cluster.
        if matches!(error.answer(), Some(Errno::EROFS | Errno::EBUSY)) {
            lock_owner::lock_holders(self.root, &self.request.lock_question())
        } else {
            Vec::new()
        }
    }

    /// The kernel does not return the number of the device, but it keeps the tag in the line that it was asked with.
    fn find_by_tag(&self, tag: &OwnerTag) -> Result<Mapping> {
        let spec = &self.request.wanted.spec;
        let mappings = self.mappings.of_images(|name| name == spec.image)?;
        mappings
            .into_iter()
            .find(|mapping| mapping.tag.as_ref() == Some(tag))
            .context(
                "the kernel reports that it is mapped, but no device below /sys/bus/rbd has the tag of this request",
            )
    }

    /// An image of the same name in another cluster is another image, so its mapping is removed.
    fn check_cluster(&self, mapping: Mapping) -> Result<Mapping, MapFailure> {
        let Some(wanted) = &self.request.wanted.fsid else {
            return Ok(mapping);
        };
        // Kernels before 4.9 do not report the fsid.
        if mapping.fsid.is_empty() || mapping.fsid == *wanted {
            return Ok(mapping);
        }
        let left = if self.remove(&mapping) {
            ""
        } else {
            "; it stays mapped, `rbdmap unmap` unmaps it"
        };
        Err(MapFailure {
            why: format!(
                "the monitors belong to cluster {}, but the fsid in ceph.conf or in the entry is {wanted}; \
                 fix fsid or mon_host{left}",
                mapping.fsid
            ),
            errno: None,
            is_transient: false,
        })
    }

    fn remove(&self, mapping: &Mapping) -> bool {
        // udev opens each new device for a moment, and the kernel answers EBUSY.
        let removed = self.access.wait.deadline.poll(|| {
            match bus::remove(self.root, mapping.id, self.access) {
                Err(error) if error.answer() == Some(Errno::EBUSY) => None,
                answer => Some(answer.is_ok()),
            }
        });
        removed == Some(true)
    }
}
