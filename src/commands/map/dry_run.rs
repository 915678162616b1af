//! `rbdmap map --dry-run`: shows what would be mapped and mounted.

use crate::ceph::file_cache::FileCache;
use crate::ceph::request;
use crate::model::image_spec::ImageSpec;
use crate::plan::MapPlan;
use crate::report::event::Event;
use crate::report::failures::Report;
use crate::runtime::root::Root;
use crate::sys::resolver;

/// Shows the line that would be written to the kernel for each image, and the mounts. An image whose request cannot be made
/// fails as it would in `map`.
pub fn show(root: &Root, plan: &MapPlan<'_>) -> Report {
    let mut report = Report::default();
    let mut failed: Vec<&ImageSpec> = Vec::new();
    let files = FileCache::new(root);
    for entry in &plan.images {
        match request::preview(&files, entry, resolver::LOOKUP_TIMEOUT) {
            Ok(line) => println!("would map {}\nwould write: {line}", entry.spec),
            Err(error) => {
                report.image_failed(Event::MapFailed, &entry.spec, format!("{error:#}"));
                failed.push(&entry.spec);
            }
        }
    }
    for step in &plan.mounts {
        if !step.images.iter().any(|spec| failed.contains(spec)) {
            let target = step.entry.target.display();
            println!("would mount {} on {target}", step.entry.source);
        }
    }
    report
}
