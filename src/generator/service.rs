//! What rbdmap.service is told: which units it wants, and after which of them boot goes on. In one file, for systemd takes
//! as long to read a link as it does to read a file.

use std::collections::BTreeSet;

use super::file::GeneratedFile;
use crate::unit::escape_specifiers;

/// The units that rbdmap.service starts.
#[derive(Debug, Default)]
pub struct Service {
    wants: BTreeSet<String>,
    after: BTreeSet<String>,
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

    /// The drop-in, if there is anything to start.
    pub fn drop_in(&self) -> Option<GeneratedFile> {
        let mut text = "[Unit]\n".to_owned();
        for (name, units) in [("Wants", &self.wants), ("After", &self.after)] {
            units.iter().for_each(|unit| text.extend([name, "=", unit, "\n"]));
        }
        // A percent sign is in nothing but the units' names.
        let text = escape_specifiers(&text);
        (!self.wants.is_empty()).then(|| GeneratedFile::drop_in("rbdmap.service", &text))
    }
}
