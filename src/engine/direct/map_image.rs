//! Maps images, in this process: finds what it needs, adopts it if it is there already, else asks the kernel, and
//! waits until it can be used. Which images, and what is mounted on them, is decided by the callers.

use std::cell::RefCell;
use std::collections::{HashMap, HashSet};
use std::net::SocketAddr;
use std::sync::{Mutex, PoisonError};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Result, anyhow, bail};
use nix::errno::Errno;

use crate::ceph::file_cache::FileCache;
use crate::ceph::request::{self, Request, ResolvedEntry};
use crate::config::table::Entry;
use crate::diagnose::errno::RequestFacts;
use crate::diagnose::{self, KernelContext, MapFailure};
use crate::engine::progress;
use crate::model::image_spec::ImageSpec;
use crate::model::mapping::Mapping;
use crate::model::messenger::Messenger;
use crate::model::owner_tag::{Origin, OwnerTag};
use crate::model::unit_status::{Activity, UnitStatus};
use crate::report::event::{Event, Subject};
use crate::runtime::backoff::Backoff;
use crate::runtime::deadline::{Deadline, REPORT_AFTER, Wait};
use crate::runtime::root::Root;
use crate::sys::rbd::bus::{self, BusAccess};
use crate::sys::rbd::mapping_cache::MappingCache;
use crate::sys::rbd::{cluster_lock, image_lock, lock_owner, module, monitor_probe};
use crate::sys::{kmsg, link, resolver};

/// For how long a monitor that has greeted need not be asked again.
const GREETING_HOLDS: Duration = Duration::from_secs(5);

/// Which monitors have greeted, and when.
#[derive(Clone)]
struct Greeting {
    by: Vec<SocketAddr>,
    when: Instant,
}

/// How long monitors may take to greet, and their names to be looked up, in the one try that a boot waits for: they take
/// milliseconds, or they are away.
const ONE_TRY: Duration = Duration::from_millis(300);

/// An image that is mapped now.
pub struct Mapped {
    /// Its mapping.
    pub mapping: Mapping,
    /// Whether it was mapped before.
    pub adopted: bool,
}

/// How long monitors that do not answer are asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RetryPolicy {
    /// For as long as the image may take.
    UntilTimeout,
    /// Once: somebody else will try again.
    Once,
}

/// Maps images, each by itself and many at once, with what is learned of one used for the others.
pub struct Mapper {
    root: Root,
    retry: RetryPolicy,
    sources: FileCache,
    listing: MappingCache,
    /// What was answered by those of a line's monitors that live.
    greeted: Mutex<HashMap<(Vec<SocketAddr>, Messenger), Greeting>>,
}

impl Mapper {
    /// One that knows nothing yet.
    pub fn new(root: &Root, retry: RetryPolicy) -> Self {
        Self {
            root: root.clone(),
            retry,
            sources: FileCache::new(root),
            listing: MappingCache::new(root),
            greeted: Mutex::default(),
        }
    }

    /// Those of the entries that are mapped already and can be used, each with its mapping: found at once, by looking,
    /// with nobody to wait for. What cannot be told so is left to [`Mapper::image`].
    pub fn adopted<'a>(&self, entries: &[&'a Entry]) -> Vec<(&'a Entry, Mapped)> {
        let names: HashSet<&str> = entries
            .iter()
            .map(|entry| entry.spec.image.as_str())
            .collect();
        let mappings = self
            .listing
            .of_images(|name| names.contains(name))
            .unwrap_or_default();
        let ready = link::ready(&self.root, &mappings);
        let adopt = |entry: &&'a Entry| {
            let wanted = request::resolve(&self.sources, entry).ok()?.wanted;
            let mapping = ready.iter().find(|mapping| mapping.serves(&wanted))?;
            Some((
                *entry,
                Mapped {
                    mapping: (*mapping).clone(),
                    adopted: true,
                },
            ))
        };
        entries.iter().filter_map(adopt).collect()
    }

    /// Maps an entry's image or finds it mapped. The error is a sentence without the image's name.
    pub fn image(&self, entry: &Entry, origin: Origin, limit: Duration) -> Result<Mapped> {
        let deadline = &Deadline::after(limit);
        let say = |what: &str| progress::report_wait(Event::MapWaits, &entry.spec, what);
        let resolved = request::resolve(&self.sources, entry)?;
        let wanted = &resolved.wanted;
        module::load(&self.root, deadline)?;
        let lock = image_lock::image(
            &self.root,
            &entry.spec,
            Wait {
                deadline,
                on_delay: &|| say(image_lock::HOLDER),
            },
        )?;
        let present = self.find(&wanted.spec, |mapping| mapping.serves(wanted))?;
        let adopted = present.is_some();
        let mapping = match present {
            Some(mapping) => mapping,
            None => self.add_at_last(
                &resolved,
                origin,
                BusAccess {
                    lock: &lock,
                    wait: Wait::silent(deadline),
                },
            )?,
        };
        let udev = || {
            say(&format!(
                "udev to make /dev/{} of /dev/{}",
                entry.spec.link().display(),
                mapping.name()
            ))
        };
        link::await_link(
            &self.root,
            &mapping,
            Wait {
                deadline,
                on_delay: &udev,
            },
        )?;
        Ok(Mapped { mapping, adopted })
    }

    fn find(&self, spec: &ImageSpec, is_it: impl Fn(&Mapping) -> bool) -> Result<Option<Mapping>> {
        Ok(self
            .listing
            .of_images(|name| name == spec.image)?
            .into_iter()
            .find(is_it))
    }

    /// Waits until a monitor greets; those that do. Until then the kernel is not asked, for it would make all others wait as well.
    fn await_monitors(&self, request: &Request, deadline: &Deadline) -> Result<Vec<SocketAddr>> {
        let greeted = || self.greeted.lock().unwrap_or_else(PoisonError::into_inner);
        let whom = (request.monitors.clone(), request.messenger());
        if let Some(greeting) = greeted()
            .get(&whom)
            .filter(|greeting| greeting.when.elapsed() < GREETING_HOLDS)
        {
            return Ok(greeting.by.clone());
        }
        let (mut complaint, mut told) = (String::new(), false);
        let (asking, greeting) = match self.retry {
            RetryPolicy::UntilTimeout => (*deadline, *deadline),
            RetryPolicy::Once => (Deadline::after(Duration::ZERO), Deadline::after(ONE_TRY)),
        };
        let backoff = RefCell::new(Backoff::new());
        let pause = || sleep(backoff.borrow_mut().pause().min(asking.remaining()));
        let answer = asking.poll_with(pause, || {
            match monitor_probe::greeters(&whom.0, whom.1, &greeting) {
                Ok(greeters) => Some(greeters),
                Err(said) => {
                    let subject = format!("a monitor: {said}");
                    let status = UnitStatus::new(Activity::WaitingFor, subject);
                    progress::show(&status);
                    if deadline.elapsed() > REPORT_AFTER && !told {
                        Event::MapWaits.log(&request.wanted.spec, status);
                        told = true;
                    }
                    complaint = said.to_string();
                    None
                }
            }
        });
        let time = match asking.limit().as_secs() {
            0 => String::new(),
            seconds => format!(" for {seconds} s"),
        };
        let by = answer.ok_or_else(|| {
            anyhow!("no monitor has answered{time} ({complaint}): are they up, is the network, is mon_host right?")
        })?;
        greeted().insert(
            whom,
            Greeting {
                by: by.clone(),
                when: Instant::now(),
            },
        );
        Ok(by)
    }

    /// Asks the kernel, again if what it answers may pass, as a monitor's going does, and if names of monitors cannot be looked
    /// up now.
    fn add_at_last(
        &self,
        entry: &ResolvedEntry<'_>,
        origin: Origin,
        way: BusAccess<'_>,
    ) -> Result<Mapping> {
        let (mut backoff, mut told) = (Backoff::new(), String::new());
        loop {
            let failure = match self.try_to_add(entry, origin, way)? {
                Ok(mapping) => return Ok(mapping),
                Err(failure) => failure,
            };
            let pause = backoff.pause();
            let is_over = self.retry == RetryPolicy::Once || way.wait.deadline.remaining() <= pause;
            if is_over || !failure.is_transient {
                bail!(failure);
            }
            if failure.why != told {
                let about = Subject::from(&entry.wanted.spec).errno(failure.errno);
                Event::MapRetry.log(about, format!("{failure}; retrying"));
                told = failure.why;
            }
            progress::show(&UnitStatus::new(Activity::Retrying, told.as_str()));
            sleep(pause);
        }
    }

    fn try_to_add(
        &self,
        entry: &ResolvedEntry<'_>,
        origin: Origin,
        way: BusAccess<'_>,
    ) -> Result<Result<Mapping, MapFailure>> {
        let look_up = match self.retry {
            RetryPolicy::UntilTimeout => {
                resolver::LOOKUP_TIMEOUT.min(way.wait.deadline.remaining())
            }
            RetryPolicy::Once => ONE_TRY,
        };
        let request = match entry.request(look_up) {
            Ok(request) => request,
            Err(error) => return Ok(Err(error.into())),
        };
        if let Err(error) = bus::may_write(&self.root) {
            return Ok(Err(diagnose::map_failure(
                &RequestFacts::new(&request),
                &error,
                KernelContext::NOTHING,
            )));
        }
        let living = request.with_monitors(self.await_monitors(&request, way.wait.deadline)?);
        self.add(&living, origin, way)
    }

    fn add(
        &self,
        request: &Request,
        origin: Origin,
        way: BusAccess<'_>,
    ) -> Result<Result<Mapping, MapFailure>> {
        let fsid = request.wanted.fsid.as_deref();
        let is_met = || fsid.map_or(Ok(false), |fsid| self.listing.knows_cluster(fsid));
        let tell =
            || progress::report_wait(Event::MapWaits, &request.wanted.spec, cluster_lock::HOLDER);
        let turn = cluster_lock::acquire(
            &self.root,
            &request.cluster_id(),
            is_met,
            Wait {
                on_delay: &tell,
                ..way.wait
            },
        )?;
        let tag = OwnerTag::new(origin, bus::nonce(&self.root)?);
        let command = request.add_command(&tag)?;
        let (facts, is_met) = (RequestFacts::new(request), is_met()?);
        let mut log = kmsg::KmsgReader::now(&self.root);
        let meanwhile = progress::report_kernel_wait(&self.root, facts.clone(), is_met);
        let added = bus::add(&self.root, &command, way);
        drop((meanwhile, turn));
        if let Err(error) = added {
            let is_locked = matches!(error.answer(), Some(Errno::EROFS | Errno::EBUSY));
            let holders = if is_locked {
                lock_owner::lock_holders(&self.root, &request.lock_question())
            } else {
                Vec::new()
            };
            let mapped: Vec<u32> = bus::entries(&self.root)?
                .into_iter()
                .map(|device| device.id)
                .collect();
            let heard = KernelContext {
                lines: &log.lines(),
                mapped: &mapped,
                had_session: is_met,
            };
            return Ok(Err(diagnose::map_failure(
                &facts.with_lock_holders(holders),
                &error,
                heard,
            )));
        }
        let made = self.find(&request.wanted.spec, |mapping| {
            mapping.tag.as_ref() == Some(&tag)
        })?;
        let lost = || {
            anyhow!(
                "the kernel says that it is mapped, but no device of /sys/bus/rbd carries our mark"
            )
        };
        let mapping = made.ok_or_else(lost)?;
        match fsid.filter(|fsid| !mapping.fsid.is_empty() && mapping.fsid != *fsid) {
            Some(fsid) => self.take_back(&mapping, fsid, way).map(Err),
            None => Ok(Ok(mapping)),
        }
    }

    /// An image of that name in another cluster than the one that is wanted is another image.
    fn take_back(&self, mapping: &Mapping, wanted: &str, way: BusAccess<'_>) -> Result<MapFailure> {
        // udev looks at a device that is new.
        let taken = way
            .wait
            .deadline
            .poll(|| match bus::remove(&self.root, mapping.id, way) {
                Err(error) if error.answer() == Some(Errno::EBUSY) => None,
                answer => Some(answer.is_ok()),
            });
        let left = if taken == Some(true) {
            ""
        } else {
            ", and it stays mapped; `rbdmap unmap` takes it down"
        };
        let why = format!(
            "the monitors are those of cluster {}, not {wanted}, which ceph.conf or the line names as fsid: mend fsid or mon_host{left}",
            mapping.fsid
        );
        Ok(MapFailure {
            why,
            errno: None,
            is_transient: false,
        })
    }
}

impl Mapped {
    /// The result in words.
    pub fn describe(&self) -> String {
        let device = self.mapping.name();
        match (self.adopted, &self.mapping.tag) {
            (false, _) => format!("mapped as /dev/{device}"),
            (true, Some(_)) => format!("already mapped as /dev/{device}"),
            (true, None) => {
                format!("already mapped as /dev/{device} by another program, which may unmap it")
            }
        }
    }
}
