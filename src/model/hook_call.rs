//! When an image's hook is called, and whether. `engine::hook` finds the hook and runs it.

use std::collections::HashMap;
use std::path::PathBuf;

use super::image_spec::ImageSpec;

/// Whether a run calls hooks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HookPolicy {
    /// The run calls each hook after the mounts or before the unmounts.
    Run,
    /// A unit calls them, or they were not asked for.
    Skip,
}

/// The hooks that the settings declare, by image. All other hooks are found by the image's name.
pub type DeclaredHooks = HashMap<ImageSpec, PathBuf>;

/// The event for which a hook is called.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum HookCall {
    /// The image has been mapped and mounted.
    Map,
    /// The image is about to be unmounted and unmapped.
    Unmap,
}
