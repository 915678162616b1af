//! `rbdmap hook`: runs the hook of one image, for rbdmap-hook@.service.

use std::path::PathBuf;

use crate::config::load::Configuration;
use crate::engine::hook::ImageHook;
use crate::model::hook_call::HookCall;
use crate::model::image_spec::ImageSpec;
use crate::report::event::Event;
use crate::report::failures::Report;
use crate::runtime::deadline::Deadline;
use crate::runtime::root::Root;

/// Runs the hook, if the image has one.
pub fn run(root: &Root, call: HookCall, spec: &ImageSpec) -> Report {
    let config = Configuration::read(root);
    let declared = config.own_hooks();
    let hook = ImageHook {
        spec,
        declared: declared.get(spec).map(PathBuf::as_path),
    };
    let timeout = match call {
        HookCall::Map => config.settings.timeouts.map,
        HookCall::Unmap => config.settings.timeouts.unmap,
    };
    let mut report = Report::default();
    if let Err(error) = hook.run(root, call, &Deadline::after(timeout)) {
        report.image_failed(Event::HookFailed, spec, format!("{error:#}"));
    }
    report
}
