//! Maps images in this process: finds an image mapped, or asks the kernel to map it, and waits until the device can be used.
//! The callers decide which images, and mount what stands on them.

use std::collections::HashSet;
use std::thread::sleep;
use std::time::Duration;

use anyhow::Result;

use super::add_request::AddRequest;
use super::monitor_wait::MonitorWait;
use super::retry_policy::RetryPolicy;
use crate::ceph::file_cache::FileCache;
use crate::ceph::request::{self, ResolvedEntry};
use crate::config::table::Entry;
use crate::diagnose::facts::RequestFacts;
use crate::diagnose::{self, KernelContext, MapFailure};
use crate::engine::progress;
use crate::model::mapping::Mapping;
use crate::model::owner_tag::Origin;
use crate::model::unit_status::{Activity, UnitStatus};
use crate::model::wanted::Wanted;
use crate::report::event::{Event, Subject};
use crate::runtime::backoff::Backoff;
use crate::runtime::deadline::{Deadline, Wait};
use crate::runtime::root::Root;
use crate::sys::link;
use crate::sys::rbd::bus::{self, BusAccess};
use crate::sys::rbd::mapping_cache::MappingCache;
use crate::sys::rbd::{image_lock, module};

/// An image that is mapped and can be used.
pub struct Mapped {
    /// Its mapping.
    pub mapping: Mapping,
    /// Whether it was mapped before.
    pub was_mapped: bool,
}

/// Maps images. Each call is independent; what one call finds out is used by the others.
pub struct Mapper {
    root: Root,
    retry: RetryPolicy,
    files: FileCache,
    mappings: MappingCache,
    monitors: MonitorWait,
}

impl Mapper {
    /// A mapper that has read nothing yet.
    pub fn new(root: &Root, retry: RetryPolicy) -> Self {
        Self {
            root: root.clone(),
            retry,
            files: FileCache::new(root),
            mappings: MappingCache::new(root),
            monitors: MonitorWait::new(retry),
        }
    }

    /// The entries whose images are mapped and can be used, as far as that shows without a lock and without waiting. All
    /// others are for [`Mapper::map`].
    pub fn already_mapped<'a>(&self, entries: &[&'a Entry]) -> Vec<(&'a Entry, Mapped)> {
        let names: HashSet<&str> = entries
            .iter()
            .map(|entry| entry.spec.image.as_str())
            .collect();
        let mappings = self
            .mappings
            .of_images(|name| names.contains(name))
            .unwrap_or_default();
        // Errors are left to `map`, which meets them again and reports them.
        let ready = link::ready(&self.root, &mappings);
        let mut found = Vec::new();
        for entry in entries {
            let Ok(resolved) = request::resolve(&self.files, entry) else {
                continue;
            };
            let serving = ready
                .iter()
                .find(|mapping| mapping.serves(&resolved.wanted));
            if let Some(mapping) = serving {
                let mapping = (*mapping).clone();
                let was_mapped = true;
                found.push((
                    *entry,
                    Mapped {
                        mapping,
                        was_mapped,
                    },
                ));
            }
        }
        found
    }

    /// Maps the image of an entry, or finds it mapped, within the time limit.
    pub fn map(
        &self,
        entry: &Entry,
        origin: Origin,
        timeout: Duration,
    ) -> Result<Mapped, MapFailure> {
        let deadline = &Deadline::after(timeout);
        let resolved = request::resolve(&self.files, entry)?;
        module::load(&self.root, deadline)?;
        let wait_for_lock = Wait {
            deadline,
            on_delay: &|| {
                progress::report_wait(Event::MapWaits, &entry.spec, image_lock::HOLDER);
            },
        };
        let lock = image_lock::image(&self.root, &entry.spec, wait_for_lock)?;
        // Only now: another process that had the lock may have mapped it.
        let present = self.find(&resolved.wanted)?;
        let was_mapped = present.is_some();
        let mapping = match present {
            Some(mapping) => mapping,
            None => {
                let access = BusAccess {
                    lock: &lock,
                    wait: Wait::silent(deadline),
                };
                self.add_with_retries(&resolved, origin, access)?
            }
        };
        self.wait_for_link(&mapping, deadline)?;
        Ok(Mapped {
            mapping,
            was_mapped,
        })
    }

    fn find(&self, wanted: &Wanted) -> Result<Option<Mapping>> {
        let mappings = self.mappings.of_images(|name| name == wanted.spec.image)?;
        Ok(mappings.into_iter().find(|mapping| mapping.serves(wanted)))
    }

    /// Waits for the link below /dev/rbd, which fstab names.
    fn wait_for_link(&self, mapping: &Mapping, deadline: &Deadline) -> Result<()> {
        let spec = &mapping.spec;
        let subject = format!(
            "udev to create the link /dev/{} to /dev/{}",
            spec.link().display(),
            mapping.name()
        );
        let wait = Wait {
            deadline,
            on_delay: &|| progress::report_wait(Event::MapWaits, spec, &subject),
        };
        link::await_link(&self.root, mapping, wait)
    }

    /// Repeats the attempt while its failure is transient: a monitor went down after it had answered, or the names of the
    /// monitors cannot be resolved now.
    fn add_with_retries(
        &self,
        entry: &ResolvedEntry<'_>,
        origin: Origin,
        access: BusAccess<'_>,
    ) -> Result<Mapping, MapFailure> {
        let mut backoff = Backoff::new();
        let mut reported = String::new();
        loop {
            let failure = match self.add_once(entry, origin, access) {
                Ok(mapping) => return Ok(mapping),
                Err(failure) => failure,
            };
            let pause = backoff.pause();
            // No time would be left after the pause.
            let is_last =
                self.retry == RetryPolicy::Once || access.wait.deadline.remaining() <= pause;
            if is_last || !failure.is_transient {
                return Err(failure);
            }
            // A cluster that does not answer fails in the same way every few seconds.
            if failure.why != reported {
                let about = Subject::from(&entry.wanted.spec).with_errno(failure.errno);
                Event::MapRetry.log(about, format!("{failure}; retrying"));
                reported = failure.why;
            }
            progress::show(&UnitStatus::new(Activity::Retrying, reported.as_str()));
            sleep(pause);
        }
    }

    fn add_once(
        &self,
        entry: &ResolvedEntry<'_>,
        origin: Origin,
        access: BusAccess<'_>,
    ) -> Result<Mapping, MapFailure> {
        let deadline = access.wait.deadline;
        let request = entry.request(self.retry.resolver_timeout(deadline))?;
        // Before the wait for monitors, so that a caller without privileges need not wait for the answer.
        if let Err(error) = bus::may_write(&self.root) {
            return Err(diagnose::map_failure(
                &RequestFacts::new(&request),
                &error,
                KernelContext::NOTHING,
            ));
        }
        let monitors = self.monitors.wait(&request, deadline)?;
        // Only those that answer, so that the kernel spends no time on the others.
        let request = request.with_monitors(monitors);
        let add = AddRequest {
            root: &self.root,
            mappings: &self.mappings,
            request: &request,
            access,
        };
        add.send(origin)
    }
}

impl Mapped {
    /// The result as a message.
    pub fn describe(&self) -> String {
        let device = self.mapping.name();
        match (self.was_mapped, &self.mapping.tag) {
            (false, _) => format!("mapped as /dev/{device}"),
            (true, Some(_)) => format!("already mapped as /dev/{device}"),
            (true, None) => {
                format!("already mapped as /dev/{device} by another program, which may unmap it")
            }
        }
    }
}
