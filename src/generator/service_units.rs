//! What rbdmap.service is told: which units it wants, and after which of them boot goes on; and rbdmap-nofail.service, of the
//! images that boot does not wait for. In one file each, for systemd takes as long to read a link as it does to read a file.

use std::collections::BTreeSet;

use super::instance_unit::assignment;
use super::unit_file::GeneratedFile;
use crate::model::unit_name::{self, escape_specifiers};

/// The units that rbdmap.service starts.
#[derive(Debug, Default)]
pub struct Service {
    wants: BTreeSet<String>,
    after: BTreeSet<String>,
    nofail: BTreeSet<String>,
}

impl Service {
    /// A unit to start, which boot does not wait for by this alone.
    pub fn wants(&mut self, unit: String) {
        self.wants.insert(unit);
    }

    /// A unit to start and to wait for.
    pub fn waits_for(&mut self, unit: String) {
        self.after.insert(unit.clone());
        self.wants.insert(unit);
    }

    /// An image's unit that is no part of the boot.
    pub fn starts_aside(&mut self, unit: String) {
        self.nofail.insert(unit);
        self.wants.insert(unit_name::NOFAIL.to_owned());
    }

    /// The drop-ins, if there is anything to start.
    pub fn drop_ins(&self) -> impl Iterator<Item = GeneratedFile> {
        self.of_all().into_iter().chain(self.of_nofail())
    }

    fn of_nofail(&self) -> Option<GeneratedFile> {
        let units: Vec<&str> = self.nofail.iter().map(String::as_str).collect();
        let text = format!(
            "[Service]\nEnvironment={}\n",
            assignment(unit_name::NOFAIL_INSTANCES_VARIABLE, &units)
        );
        (!units.is_empty()).then(|| GeneratedFile::drop_in(unit_name::NOFAIL, &text))
    }

    fn of_all(&self) -> Option<GeneratedFile> {
        let mut text = "[Unit]\n".to_owned();
        for (name, units) in [("Wants", &self.wants), ("After", &self.after)] {
            units
                .iter()
                .for_each(|unit| text.extend([name, "=", unit, "\n"]));
        }
        // A percent sign is in nothing but the units' names.
        let text = escape_specifiers(&text);
        (!self.wants.is_empty()).then(|| GeneratedFile::drop_in(unit_name::SERVICE, &text))
    }
}
