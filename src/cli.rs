//! The command line: its commands, options and help. What they do is in `commands`. clap reports wrong usage with exit status 2.

use std::ffi::OsStr;
use std::path::PathBuf;
use std::time::Duration;

use clap::builder::TypedValueParser;
use clap::error::ErrorKind;
use clap::{Arg, Args, Parser, Subcommand, ValueEnum};

use crate::config::map_options::MapOptions;
use crate::config::table::client_id;
use crate::model::hook_call::HookCall;
use crate::model::image_spec::ImageSpec;

/// Maps Ceph RBD images listed in /etc/ceph/rbdmap, mounts them, and takes them down.
#[derive(Debug, Parser)]
#[command(name = "rbdmap", version)]
pub struct Cli {
    /// Use this directory as / (for tests)
    #[arg(
        long,
        global = true,
        hide = true,
        default_value = "/",
        value_name = "DIR"
    )]
    pub root: PathBuf,
    #[command(subcommand)]
    pub command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Map the images in the table, or only those named, and mount their fstab entries
    Map(Box<MapArguments>),
    /// Unmount and unmap the images mapped from the table, or only those named
    Unmap(UnmapArguments),
    /// Unmount and unmap every image on this host, also those that other programs mapped
    UnmapAll(UnmapAllArguments),
    /// Apply a changed table: map new images, unmap removed ones, leave the others unchanged
    Reload(Engine),
    /// Show the state of each image, problems first
    Status(StatusArguments),
    /// List the mapped images, as `rbd device list` does
    #[command(visible_alias = "showmapped")]
    List {
        /// The output format
        #[arg(long, value_enum, default_value = "plain")]
        format: Format,
    },
    /// Report to systemd how many images are mapped and mounted (for rbdmap.service)
    #[command(hide = true)]
    Summary,
    /// Start the units of images for which boot does not wait (for rbdmap-nofail.service)
    #[command(hide = true)]
    StartNofail,
    /// Stop the units of all images (for rbdmap.service)
    #[command(hide = true)]
    StopImages,
    /// Run the hook of an image (for rbdmap-hook@.service)
    #[command(hide = true)]
    Hook {
        /// After mapping, or before unmapping
        call: HookCall,
        /// The image
        instance: ImageSpec,
    },
    /// Load the kernel module and the cipher (for rbdmap-prepare.service)
    #[command(hide = true)]
    Prepare,
    /// Write units for the table and fstab (systemd runs this as rbdmap-generator)
    #[command(hide = true)]
    Generator {
        normal: PathBuf,
        early: PathBuf,
        late: PathBuf,
    },
}

/// `rbdmap map`.
#[derive(Debug, Args)]
pub struct MapArguments {
    /// Images, as [pool/[namespace/]]image[@snapshot]; by default all in the table
    #[arg(value_name = "SPEC", value_parser = image)]
    pub specs: Vec<String>,
    /// Map the images, but mount nothing
    #[arg(long)]
    pub no_mount: bool,
    #[command(flatten)]
    pub by_hand: ByHand,
    #[command(flatten)]
    pub engine: Engine,
}

/// How to map images that are not in the table. Any of these options maps by hand.
#[derive(Debug, Args)]
#[command(next_help_heading = "Mapping an image that is not in the table")]
pub struct ByHand {
    /// Monitors to use instead of those in ceph.conf
    #[arg(
        short,
        long,
        value_name = "ADDRESS,...",
        alias = "mon_host",
        alias = "mon-host",
        requires = "specs"
    )]
    pub monitor: Option<String>,
    /// The Ceph user, without `client.`
    #[arg(long, alias = "user", value_name = "ID", requires = "specs")]
    pub id: Option<String>,
    /// The Ceph user, as client.ID
    #[arg(short, long, value_name = "client.ID", conflicts_with = "id", requires = "specs", value_parser = user)]
    pub name: Option<String>,
    /// The keyring with the key of the user
    #[arg(short, long, value_name = "FILE", requires = "specs")]
    pub keyring: Option<String>,
    /// A file that contains only the key of the user
    #[arg(short = 'K', long, value_name = "FILE", requires = "specs")]
    pub keyfile: Option<PathBuf>,
    /// The ceph.conf to read
    #[arg(short, long, value_name = "FILE", requires = "specs")]
    pub conf: Option<PathBuf>,
    /// The name of the cluster, which selects ceph.conf and keyring
    #[arg(long, value_name = "NAME", requires = "specs")]
    pub cluster: Option<String>,
    /// Options for the kernel, see rbdmap(5)
    #[arg(short, long, value_name = "OPTION,...", requires = "specs", value_parser = map_options)]
    pub options: Vec<String>,
    /// Map read-only
    #[arg(long, alias = "read_only", requires = "specs")]
    pub read_only: bool,
    /// Do not give the exclusive lock to other clients
    #[arg(long, requires = "specs")]
    pub exclusive: bool,
    /// Refused, because every user on the host can read the command line
    #[arg(long, hide = true, value_name = "SECRET", value_parser = RefuseSecret)]
    pub key: Option<String>,
    /// Refused for the same reason
    #[arg(long, hide = true, value_name = "SECRET", value_parser = RefuseSecret)]
    pub secret: Option<String>,
}

/// `rbdmap unmap`.
#[derive(Debug, Args)]
pub struct UnmapArguments {
    /// Images, devices or mount points; by default all images mapped from the table
    #[arg(value_name = "SPEC|DEVICE|MOUNTPOINT")]
    pub targets: Vec<String>,
    /// The device /dev/rbdN
    #[arg(short = 'd', long = "device", value_name = "N")]
    pub devices: Vec<u32>,
    /// Ignore images that other programs mapped (for units)
    #[arg(long, hide = true)]
    pub if_ours: bool,
    /// Unmap every image that rbdmap mapped, from the table or by hand (for rbdmap-sweep.service)
    #[arg(long, hide = true, conflicts_with = "targets")]
    pub left_over: bool,
    #[command(flatten)]
    pub users: Users,
    #[command(flatten)]
    pub engine: Engine,
}

/// `rbdmap status`.
#[derive(Debug, Args)]
pub struct StatusArguments {
    /// Images to show in detail
    #[arg(value_name = "SPEC", value_parser = whole_image)]
    pub specs: Vec<String>,
    /// Print one line of JSON
    #[arg(long)]
    pub json: bool,
}

/// `rbdmap unmap-all`.
#[derive(Debug, Args)]
pub struct UnmapAllArguments {
    #[command(flatten)]
    pub users: Users,
    #[command(flatten)]
    pub engine: Engine,
}

/// What happens to services that need an image.
#[derive(Debug, Args)]
pub struct Users {
    /// Stop the services that need an image, instead of refusing to unmap it
    #[arg(long)]
    pub stop_users: bool,
}

/// Which engine runs the command, and its time limit.
#[derive(Debug, Args)]
#[command(next_help_heading = "Execution")]
pub struct Engine {
    /// Do the work in this process instead of asking systemd
    #[arg(long)]
    pub direct: bool,
    /// Time limit for each image, mount and hook
    #[arg(long, value_name = "SECONDS", value_parser = seconds)]
    pub timeout: Option<Duration>,
    /// Ask systemd, but do not wait for its jobs
    #[arg(long, conflicts_with = "direct")]
    pub no_block: bool,
    /// Print what would be done, and do nothing
    #[arg(long)]
    pub dry_run: bool,
}

/// The output format of `list`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// A table
    Plain,
    /// One line of JSON
    Json,
}

/// Checks a name. It stays text, because ceph.conf names the pool of an image without one.
fn image(text: &str) -> anyhow::Result<String> {
    text.parse::<ImageSpec>().map(|_| text.to_owned())
}

/// Checks a name, and adds the default pool if it has none.
fn whole_image(text: &str) -> anyhow::Result<String> {
    text.parse::<ImageSpec>().map(|spec| spec.to_string())
}

fn user(text: &str) -> anyhow::Result<String> {
    client_id(text).map(|_| text.to_owned())
}

fn map_options(text: &str) -> anyhow::Result<String> {
    MapOptions::default().add(text).map(|()| text.to_owned())
}

fn seconds(text: &str) -> anyhow::Result<Duration> {
    match text.parse::<u32>() {
        Ok(seconds) if seconds > 0 => Ok(Duration::from_secs(seconds.into())),
        _ => anyhow::bail!("expected a number of seconds, at least 1"),
    }
}

/// Refuses a value without repeating it, as clap's own errors would.
#[derive(Clone)]
struct RefuseSecret;

impl TypedValueParser for RefuseSecret {
    type Value = String;

    fn parse_ref(
        &self,
        command: &clap::Command,
        _: Option<&Arg>,
        _: &OsStr,
    ) -> Result<String, clap::Error> {
        let message = "every user on this host can read a secret on the command line; \
                       write it to a file with mode 0600 and use --keyfile FILE\n";
        Err(clap::Error::raw(ErrorKind::ValueValidation, message).with_cmd(command))
    }
}

#[cfg(test)]
mod tests;
