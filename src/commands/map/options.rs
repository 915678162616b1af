//! From the arguments and the settings to the options of the engines.

use crate::cli::{Engine, MapArguments};
use crate::config::load::Configuration;
use crate::config::settings::Settings;
use crate::engine::direct::map_run::MapSettings;
use crate::engine::direct::retry_policy::RetryPolicy;
use crate::engine::systemd::JobOptions;
use crate::model::fstab_entry::FstabEntry;
use crate::model::hook_call::HookPolicy;
use crate::model::owner_tag::Origin;

/// The lines of fstab to mount.
pub fn fstab_lines<'a>(arguments: &MapArguments, config: &'a Configuration) -> &'a [FstabEntry] {
    if arguments.no_mount {
        &[]
    } else {
        &config.lines
    }
}

/// For both engines, with retries until the time limit.
pub fn map_settings(arguments: &MapArguments, settings: &Settings, origin: Origin) -> MapSettings {
    // A hook runs after the mounts, so not where another unit mounts: rbdmap-hook@.service runs it then.
    let hooks = if arguments.no_mount {
        HookPolicy::Skip
    } else {
        HookPolicy::Run
    };
    let timeouts = settings.timeouts.overridden_by(arguments.engine.timeout);
    MapSettings {
        origin,
        timeout: timeouts.map,
        parallel: settings.parallel,
        hooks,
        retry: RetryPolicy::UntilTimeout,
    }
}

/// For the systemd engine.
pub fn job_options(engine: &Engine) -> JobOptions {
    JobOptions {
        block: !engine.no_block,
        stop_users: false,
    }
}
