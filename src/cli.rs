//! The command line: what can be typed, and nothing of what it does. clap answers wrong usage with status 2.

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
#[command(name = "rbdmap", version, max_term_width = 100)]
pub struct Cli {
    /// Take this folder for / (for tests)
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
    /// Map all images of the table, or those named, and mount their fstab entries
    Map(Box<MapArguments>),
    /// Unmount and unmap all images that the table mapped, or those named
    Unmap(UnmapArguments),
    /// Unmount and unmap every image on this machine, whoever mapped it
    UnmapAll(UnmapAllArguments),
    /// The table has changed: map what is new, unmap what is gone, leave the rest alone
    Reload(Engine),
    /// Show what is wanted beside what there is, an image a row, problems first
    Status(StatusArguments),
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
    /// Have systemd start what boot does not wait for (for rbdmap-nofail.service)
    #[command(hide = true)]
    StartNofail,
    /// Have systemd stop all images (for rbdmap.service)
    #[command(hide = true)]
    StopImages,
    /// HookCall an image's hook (for rbdmap-hook@.service)
    #[command(hide = true)]
    Hook {
        /// After mapping, or before unmapping
        call: HookCall,
        /// The image
        instance: ImageSpec,
    },
    /// Load what the first mapping needs (for rbdmap-prepare.service)
    #[command(hide = true)]
    Prepare,
    /// Write units for the table and fstab (for systemd, as rbdmap-generator)
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
    /// Images, as [pool/[namespace/]]image[@snapshot]; the whole table without any
    #[arg(value_name = "SPEC", value_parser = image)]
    pub specs: Vec<String>,
    /// Map only
    #[arg(long)]
    pub no_mount: bool,
    #[command(flatten)]
    pub by_hand: ByHand,
    #[command(flatten)]
    pub engine: Engine,
}

/// How to map images of which the table says nothing. Any of these makes a mapping by hand.
#[derive(Debug, Args)]
#[command(next_help_heading = "Mapping by hand, without a line in the table")]
pub struct ByHand {
    /// Monitors, in the place of ceph.conf's
    #[arg(
        short,
        long,
        value_name = "ADDRESS,…",
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
    /// Where the user's key is
    #[arg(short, long, value_name = "FILE", requires = "specs")]
    pub keyring: Option<String>,
    /// A file with nothing but the user's key
    #[arg(short = 'K', long, value_name = "FILE", requires = "specs")]
    pub keyfile: Option<PathBuf>,
    /// ceph.conf
    #[arg(short, long, value_name = "FILE", requires = "specs")]
    pub conf: Option<PathBuf>,
    /// The cluster's name, which chooses ceph.conf and keyring
    #[arg(long, value_name = "NAME", requires = "specs")]
    pub cluster: Option<String>,
    /// Options for the kernel, see rbd(8)
    #[arg(short, long, value_name = "OPTION,…", requires = "specs", value_parser = map_options)]
    pub options: Vec<String>,
    /// Map read-only
    #[arg(long, alias = "read_only", requires = "specs")]
    pub read_only: bool,
    /// Do not hand the exclusive lock to others
    #[arg(long, requires = "specs")]
    pub exclusive: bool,
    /// Refused: everybody on the machine could read it
    #[arg(long, hide = true, value_name = "SECRET", value_parser = RefuseSecret)]
    pub key: Option<String>,
    /// Refused as well
    #[arg(long, hide = true, value_name = "SECRET", value_parser = RefuseSecret)]
    pub secret: Option<String>,
}

/// `rbdmap unmap`.
#[derive(Debug, Args)]
pub struct UnmapArguments {
    /// Images, devices or mount points; all that the table mapped without any
    #[arg(value_name = "SPEC|DEVICE|MOUNTPOINT")]
    pub targets: Vec<String>,
    /// The device /dev/rbdN
    #[arg(short = 'd', long = "device", value_name = "N")]
    pub devices: Vec<u32>,
    /// Leave alone, without complaint, what others have mapped (for units)
    #[arg(long, hide = true)]
    pub if_ours: bool,
    /// Everything that we ever mapped, by table or by hand (for rbdmap-sweep.service)
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
    /// Images of which everything is shown
    #[arg(value_name = "SPEC", value_parser = whole_image)]
    pub specs: Vec<String>,
    /// For programs, as one line of JSON
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

/// What becomes of services that need an image.
#[derive(Debug, Args)]
pub struct Users {
    /// Stop the services that need it, instead of refusing
    #[arg(long)]
    pub stop_users: bool,
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
    /// Have systemd do it, and do not wait
    #[arg(long, conflicts_with = "direct")]
    pub no_block: bool,
    /// Only show what would be done
    #[arg(long)]
    pub dry_run: bool,
}

/// How `list` prints.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// A table
    Plain,
    /// One line of JSON
    Json,
}

/// A name that can be mapped; kept as text, since the pool of one without is a matter of ceph.conf.
fn image(text: &str) -> anyhow::Result<String> {
    text.parse::<ImageSpec>().map(|_| text.to_owned())
}

/// The same with the pool in it.
fn whole_image(text: &str) -> anyhow::Result<String> {
    text.parse::<ImageSpec>().map(|spec| spec.to_string())
}

fn user(text: &str) -> anyhow::Result<String> {
    client_id(text).map(|_| text.to_owned())
}

fn map_options(text: &str) -> anyhow::Result<String> {
    MapOptions::default().add(text).map(|()| text.to_owned())
}

fn seconds(text: &str) -> Result<Duration, String> {
    match text.parse::<u32>() {
        Ok(seconds) if seconds > 0 => Ok(Duration::from_secs(seconds.into())),
        _ => Err("expected a number of seconds, 1 or more".to_owned()),
    }
}

/// Takes no value, and unlike clap's own errors does not repeat it.
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
        let message = "a secret on the command line can be read by everybody on this machine; \
                       write it into a file of mode 0600 and say --keyfile FILE\n";
        Err(clap::Error::raw(ErrorKind::ValueValidation, message).with_cmd(command))
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

    #[test]
    fn a_secret_is_refused_with_the_safe_way_and_is_wrong_usage() {
        let error = Cli::try_parse_from(["rbdmap", "map", "rbd/a", "--key", "AQ=="]).unwrap_err();
        assert!(error.to_string().contains("--keyfile FILE"), "{error}");
        assert!(
            !error.to_string().contains("AQ=="),
            "the secret is not repeated"
        );
        assert_eq!(error.exit_code(), 2);
    }

    #[test]
    fn options_by_hand_need_an_image() {
        assert_eq!(
            Cli::try_parse_from(["rbdmap", "map", "--id", "boot"])
                .unwrap_err()
                .exit_code(),
            2
        );
        assert!(
            Cli::try_parse_from(["rbdmap", "map", "rbd/a", "--id", "boot", "--read-only"]).is_ok()
        );
        assert!(Cli::try_parse_from(["rbdmap", "map"]).is_ok());
    }

    #[test]
    fn what_is_no_image_user_or_option_is_wrong_usage() {
        let rows = [
            (&["a/b/c/d"][..], "more than two slashes"),
            (&["rbd/a", "--name", "boot"], "not of the form client.ID"),
            (
                &["rbd/a", "--id", "boot", "-o", "nonsense"],
                "unknown map option",
            ),
        ];
        for (arguments, expected) in rows {
            let error = Cli::try_parse_from(["rbdmap", "map"].iter().chain(arguments)).unwrap_err();
            assert_eq!(error.exit_code(), 2);
            assert!(error.to_string().contains(expected), "{error}");
        }
    }
}
