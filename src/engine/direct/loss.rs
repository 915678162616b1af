//! What was written to a mapping and has not arrived, told when the mapping is gone: umount(2) succeeds all the same.

use crate::diagnose::device_health::DeviceHealth;
use crate::model::mapping::Mapping;
use crate::report::event::{Event, Subject};
use crate::report::failures::Report;
use crate::runtime::root::Root;
use crate::sys::kmsg::KmsgReader;

/// What is known of all mappings so far.
pub struct LostWrites {
    log: KmsgReader,
    harms: DeviceHealth,
}

impl LostWrites {
    /// Nothing has been read yet.
    pub fn new(root: &Root) -> Self {
        Self {
            log: KmsgReader::the_beginning(root),
            harms: DeviceHealth::default(),
        }
    }

    /// Tells what a mapping that is gone has lost.
    pub fn tell(&mut self, mapping: &Mapping, report: &mut Report) {
        self.harms.update(&self.log.lines());
        let Some(harm) = self.harms.get(mapping.id).filter(|harm| harm.data_lost) else {
            return;
        };
        let (device, cause) = (mapping.name(), harm.cause());
        let why = format!(
            "not all that was written to /dev/{device} has arrived: {cause}; `rbdmap map --no-mount` it, and check the file \
             system before it is used"
        );
        report.image_failed(
            Event::WriteLost,
            Subject::from(mapping).errno(Some(harm.errno)),
            why,
        );
    }
}
