//! Reports writes that did not reach the cluster, from the kernel log. Neither umount(2) nor the removal of a mapping fails
//! because of them, so nobody else reports them.

use crate::diagnose::device_health::DeviceHealth;
use crate::model::mapping::Mapping;
use crate::report::event::{Event, Subject};
use crate::report::failures::Report;
use crate::runtime::root::Root;
use crate::sys::kmsg::KmsgReader;

/// Warns about mappings that existed before and whose writes fail or have failed.
pub fn warn_about<'a>(root: &Root, mappings: impl IntoIterator<Item = &'a Mapping>) {
    let mut mappings = mappings.into_iter().peekable();
    // At boot there is none, and reading the whole log would delay each of hundreds of units.
    if mappings.peek().is_none() {
        return;
    }
    let mut health = DeviceHealth::default();
    health.update(&KmsgReader::the_beginning(root).lines());
    for mapping in mappings {
        if let Some(error) = health.get(mapping.id) {
            tracing::warn!("{}: broken: {}", mapping.spec, error.advice());
        }
    }
}

/// The write errors of all mappings, for a run that unmaps.
pub struct LostWrites {
    log: KmsgReader,
    health: DeviceHealth,
}

impl LostWrites {
    /// Reads nothing yet.
    pub fn new(root: &Root) -> Self {
        Self {
            log: KmsgReader::the_beginning(root),
            health: DeviceHealth::default(),
        }
    }

    /// Reports the writes that a mapping has lost. To be called after it was unmapped: the last writes happen while its file
    /// system is unmounted.
    pub fn report(&mut self, mapping: &Mapping, report: &mut Report) {
        self.health.update(&self.log.lines());
        let Some(error) = self.health.get(mapping.id).filter(|error| error.data_lost) else {
            return;
        };
        let text = format!(
            "some writes to /dev/{} did not reach the cluster: {}; map it with `rbdmap map --no-mount` and check the file \
             system before you use it",
            mapping.name(),
            error.cause()
        );
        let about = Subject::from(mapping).with_errno(Some(error.errno));
        report.image_failed(Event::WriteLost, about, text);
    }
}
