//! Runs a hook until its deadline: it reads nothing, and its output goes to the log line by line.

use std::ffi::OsString;
use std::path::Path;
use std::process::ExitStatus;

use anyhow::Result;

use super::subprocess::Program;
use crate::model::image_spec::ImageSpec;
use crate::runtime::deadline::Wait;

/// Runs a hook. Fails if it cannot be started or is killed at the deadline.
pub fn run(
    hook: &Path,
    arguments: &[OsString],
    spec: &ImageSpec,
    wait: Wait<'_>,
) -> Result<ExitStatus> {
    let spec = spec.clone();
    Program::new(hook)
        .args(arguments)
        .run_by_line(wait, move |line| {
            tracing::info!(rbd_pool = %spec.pool, rbd_image = %spec.image, "{spec}: hook: {line}");
        })
}
