//! Whether and when an image's hook is called. `engine::hook` finds and runs it.

use std::collections::HashMap;
use std::path::PathBuf;

use super::image_spec::ImageSpec;

/// Whether hooks are run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HookPolicy {
    /// Here, in their turn.
    Run,
    /// Not here: somebody else does, or nobody wants them.
    Skip,
}

/// The hooks that settings name, by their images; the others are found by their names.
pub type DeclaredHooks = HashMap<ImageSpec, PathBuf>;

/// What has happened to the image, or is about to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum HookCall {
    /// It has been mapped and mounted.
    Map,
    /// It is going to be unmounted and unmapped.
    Unmap,
}
