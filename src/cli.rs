//! The command line: what can be typed, and nothing of what it does. clap answers wrong usage with status 2.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};

/// Maps Ceph RBD images listed in /etc/ceph/rbdmap, mounts them, and takes them down.
#[derive(Debug, Parser)]
#[command(name = "rbdmap", version, max_term_width = 100)]
pub struct Cli {
    /// Take this folder for / (for tests)
    #[arg(long, global = true, hide = true, default_value = "/", value_name = "DIR")]
    pub root: PathBuf,
    #[command(subcommand)]
    pub verb: Verb,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Verb {
    /// Map all images of the table, or those named, and mount their fstab entries
    Map(MapArguments),
    /// Unmount and unmap all images that the table mapped, or those named
    Unmap(UnmapArguments),
    /// Show what the kernel has mapped, as `rbd device list` does
    #[command(visible_alias = "showmapped")]
    List {
        /// How to print it
        #[arg(long, value_enum, default_value = "plain")]
        format: Format,
    },
    /// Tell systemd how much of the table is mapped and mounted (for rbdmap.service)
    #[command(hide = true)]
    Summary,
    /// Write units for the table and fstab (for systemd, as rbdmap-generator)
    #[command(hide = true)]
    Generator { normal: PathBuf, early: PathBuf, late: PathBuf },
}

/// `rbdmap map`.
#[derive(Debug, Args)]
pub struct MapArguments {
    /// Images of the table, as [pool/[namespace/]]image[@snapshot]; all of it without any
    #[arg(value_name = "SPEC")]
    pub specs: Vec<String>,
    /// Map only
    #[arg(long)]
    pub no_mount: bool,
    #[command(flatten)]
    pub engine: Engine,
}

/// `rbdmap unmap`.
#[derive(Debug, Args)]
pub struct UnmapArguments {
    /// Images, or devices as /dev/…; all that the table mapped without any
    #[arg(value_name = "SPEC|DEVICE")]
    pub targets: Vec<String>,
    /// Leave alone, without complaint, what others have mapped (for units)
    #[arg(long, hide = true)]
    pub if_ours: bool,
    /// Everything that we ever mapped, by table or by hand (for rbdmap-sweep.service)
    #[arg(long, hide = true, conflicts_with = "targets")]
    pub left_over: bool,
    #[command(flatten)]
    pub engine: Engine,
}

/// Who does it, and how long it may take.
#[derive(Debug, Args)]
pub struct Engine {
    /// Do it here instead of asking systemd
    #[arg(long)]
    pub direct: bool,
    /// Give up on an image after this time
    #[arg(long, value_name = "SECONDS", value_parser = seconds)]
    pub timeout: Option<Duration>,
}

/// How `list` prints.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// A table
    Plain,
    /// One line of JSON
    Json,
}

fn seconds(text: &str) -> Result<Duration, String> {
    match text.parse::<u32>() {
        Ok(seconds) if seconds > 0 => Ok(Duration::from_secs(seconds.into())),
        _ => Err("expected a number of seconds, 1 or more".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }
}
