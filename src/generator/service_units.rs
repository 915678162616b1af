//! The drop-ins of rbdmap.service, with the units that it wants and waits for, and of rbdmap-nofail.service, with the images
//! for which boot does not wait. Each is one file, because systemd takes as long to read a link as to read a file.

use std::collections::BTreeSet;

use super::unit_file::GeneratedFile;
use super::unit_syntax::environment_value;
use crate::model::unit_name::{self, escape_specifiers};

/// The units that both services start.
#[derive(Debug, Default)]
pub struct ServiceUnits {
    wants: BTreeSet<String>,
    after: BTreeSet<String>,
    nofail: BTreeSet<String>,
}

impl ServiceUnits {
    /// rbdmap.service starts a unit. If the unit is not ordered before it, boot does not wait.
    pub fn want(&mut self, unit: String) {
        self.wants.insert(unit);
    }

    /// rbdmap.service starts a unit, and boot waits for it.
    pub fn want_and_wait_for(&mut self, unit: String) {
        self.after.insert(unit.clone());
        self.wants.insert(unit);
    }

    /// rbdmap-nofail.service starts an image's unit, which is no part of the boot transaction.
    pub fn start_without_boot(&mut self, instance: String) {
        self.nofail.insert(instance);
        self.wants.insert(unit_name::NOFAIL.to_owned());
    }

    /// The drop-ins; none if there is nothing to start.
    pub fn drop_ins(&self) -> Vec<GeneratedFile> {
        let mut files = Vec::new();
        if !self.wants.is_empty() {
            let text = self.rbdmap_service_text();
            files.push(GeneratedFile::drop_in(unit_name::SERVICE, &text));
        }
        if !self.nofail.is_empty() {
            let text = self.nofail_service_text();
            files.push(GeneratedFile::drop_in(unit_name::NOFAIL, &text));
        }
        files
    }

    fn rbdmap_service_text(&self) -> String {
        let mut text = "[Unit]\n".to_owned();
        // Not Requires=, because an image that cannot be mapped must not stop the others.
        for unit in &self.wants {
            text.extend(["Wants=", unit, "\n"]);
        }
        for unit in &self.after {
            text.extend(["After=", unit, "\n"]);
        }
        // Only names of units can have a percent sign here.
        escape_specifiers(&text)
    }

    fn nofail_service_text(&self) -> String {
        let units: Vec<&str> = self.nofail.iter().map(String::as_str).collect();
        let value = environment_value(unit_name::NOFAIL_INSTANCES_VARIABLE, &units);
        format!("[Service]\nEnvironment={value}\n")
    }
}
