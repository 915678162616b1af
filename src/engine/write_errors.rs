//! What `map` says of images that it finds mapped, and that are of no use: what is written to them does not arrive.

use crate::diagnose::device_health::DeviceHealth;
use crate::model::mapping::Mapping;
use crate::runtime::root::Root;
use crate::sys::kmsg::KmsgReader;

/// Warns of those of the mappings, found there, that have suffered since they were made.
pub fn warn<'a>(root: &Root, found: impl IntoIterator<Item = &'a Mapping>) {
    let mut found = found.into_iter().peekable();
    // At boot nothing is found, and the whole of the log is not read for it.
    if found.peek().is_none() {
        return;
    }
    let mut harms = DeviceHealth::default();
    harms.update(&KmsgReader::the_beginning(root).lines());
    for mapping in found {
        if let Some(harm) = harms.get(mapping.id) {
            tracing::warn!("{}: broken: {}", mapping.spec, harm.advice());
        }
    }
}
