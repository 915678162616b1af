//! What is written for an image, and what its devices, its instance and its hook are told, given what stands on it.

use std::collections::BTreeSet;
use std::path::PathBuf;

use super::{ServedMount, UnitSetBuilder};
use crate::config::table::Entry;
use crate::generator::admin_units::AdministratorUnits;
use crate::generator::instance_unit::{self, InstanceConfig, needed_files};
use crate::generator::unit_file::GeneratedFile;
use crate::model::unit_name;

/// An image to serve.
pub(super) struct ServedImage<'a> {
    pub(super) entry: &'a Entry,
    /// Its instance.
    pub(super) unit: String,
    /// Whether boot goes on without it.
    pub(super) nofail: bool,
    /// Whether it is an administrator's own.
    pub(super) is_theirs: bool,
}

impl<'a> ServedImage<'a> {
    /// The image of an entry with what stands on it.
    pub(super) fn of(
        entry: &'a Entry,
        mounts: &[&ServedMount],
        administrator: &AdministratorUnits,
    ) -> Self {
        let own = mounts
            .iter()
            .filter(|mount| mount.own == Some(&entry.spec) && mount.row.is_some());
        let nofail = entry.is_nofail(own.map(|mount| mount.entry));
        let unit = unit_name::instance(&entry.spec);
        Self {
            entry,
            nofail,
            is_theirs: administrator.has(&unit),
            unit,
        }
    }

    /// Whether it is started beside the boot, and starts by itself what stands on it, which a unit of theirs does not.
    pub(super) fn is_aside(&self) -> bool {
        self.nofail && !self.is_theirs
    }
}

impl<'a> UnitSetBuilder<'a, '_> {
    /// What is written for an image, given what stands on it.
    pub(super) fn image(&mut self, image: ServedImage<'a>, mounts: &[&ServedMount<'a>]) {
        let is_aside = image.is_aside();
        let ServedImage {
            entry: image,
            unit: name,
            nofail,
            is_theirs,
        } = image;
        let own: Vec<&&ServedMount> = mounts
            .iter()
            .filter(|mount| mount.own == Some(&image.spec))
            .collect();
        for device in devices(image, &own) {
            self.files.push(self.devices.require(&device, &name));
        }
        match (is_aside, nofail) {
            (true, _) => self.service.starts_aside(name.clone()),
            (false, true) => self.service.wants(name.clone()),
            (false, false) => self.service.waits_for(name.clone()),
        }
        let is_hooked = self.inputs.hooked.contains(&image.spec);
        let mut starts = Vec::new();
        if nofail || is_hooked {
            starts.extend(mounts.iter().filter_map(|mount| mount.start_unit()));
        }
        if is_hooked {
            let hook = unit_name::hook(&image.spec);
            // It needs the image, and would have it started with the boot.
            if !is_aside {
                self.service.wants(hook.clone());
            }
            self.files.push(GeneratedFile::drop_in(
                &hook,
                &hook_drop_in(&starts, nofail),
            ));
            starts.push(hook);
        }
        let path = self.inputs.root.path_inside(image.path());
        let targets: Vec<_> = own
            .iter()
            .map(|mount| mount.entry.target.as_path())
            .collect();
        let told = || InstanceConfig {
            path,
            files: needed_files(image, &targets),
            starts: nofail.then_some(starts),
        };
        self.instances.add(name, (!is_theirs).then(told));
    }
}

/// The nodes of an image and of its partitions in fstab, but for those of entries that are left alone.
fn devices(image: &Entry, own: &[&&ServedMount]) -> BTreeSet<PathBuf> {
    let mut devices = BTreeSet::from([instance_unit::device(&image.spec)]);
    devices.extend(own.iter().map(|mount| mount.entry.device_node()));
    for mount in own.iter().filter(|mount| mount.row.is_none()) {
        devices.remove(&mount.entry.device_node());
    }
    devices
}

/// After the mounts, as far as there are any: a hook is called though one of them failed.
fn hook_drop_in(mounts: &[String], nofail: bool) -> String {
    let waits = if nofail {
        ""
    } else {
        "Before=rbdmap.service\n"
    };
    format!("[Unit]\n{waits}After={}\n", mounts.join(" "))
}
