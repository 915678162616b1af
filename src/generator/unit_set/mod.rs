//! What to write and what to report, as a pure function of the images, fstab, and the administrator's units.
//!
//! It covers the entries of fstab that stand on images, by themselves or through other entries (`plan::fstab_graph`). If an
//! overlay or a bind mount on a mount of ours kept the ordering of a local mount, it would form a cycle with the network, and
//! systemd would delete a job to break it. An entry that is not served, and its device, get no file; a warning says why.

mod builder;
mod images;
mod mounts;
mod swaps;
#[cfg(test)]
mod tests;

use std::collections::{HashMap, HashSet};

use crate::model::image_spec::ImageSpec;
use builder::UnitSetBuilder;
pub use builder::{UnitSet, UnitSetInputs};
use images::ServedImage;
use mounts::ServedMount;

/// Decides what to write and what to report.
pub fn generate_unit_set<'a>(inputs: &UnitSetInputs<'a>) -> UnitSet {
    let mut builder = UnitSetBuilder::new(inputs);
    let images = builder.images();
    let listed = images.iter().map(|entry| &entry.spec);
    let specs: Vec<&ImageSpec> = listed.chain(inputs.unlisted).collect();
    // The mounts come first, because boot does not wait for an image if all mounts on it are nofail.
    let mounts = builder.mounts(&specs);
    builder.add_swaps(&specs, &mounts);
    let mounts_by_image = group_by_image(&mounts);
    let mut nofail_images = HashSet::new();
    for entry in images {
        let mounts = mounts_by_image.get(&entry.spec);
        let mounts = mounts.map_or(&[][..], Vec::as_slice);
        let image = ServedImage::new(entry, mounts, inputs.administrator);
        if image.starts_without_boot() {
            nofail_images.insert(&entry.spec);
        }
        builder.add_image(image, mounts);
    }
    // The images come before the files of mounts, because those depend on whether boot waits for each image.
    for mount in &mounts {
        builder.add_mount(mount, &nofail_images);
    }
    builder.finish()
}

fn group_by_image<'m, 'a>(
    mounts: &'m [ServedMount<'a>],
) -> HashMap<&'a ImageSpec, Vec<&'m ServedMount<'a>>> {
    let mut groups: HashMap<&ImageSpec, Vec<&ServedMount>> = HashMap::new();
    for mount in mounts {
        for image in &mount.images {
            groups.entry(image).or_default().push(mount);
        }
    }
    groups
}
