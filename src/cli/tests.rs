//! The command line as people type it.

use super::*;
use clap::CommandFactory;

#[test]
fn the_command_line_is_consistent() {
    Cli::command().debug_assert();
}

#[test]
fn a_secret_is_refused_as_wrong_usage_and_is_not_repeated() {
    let error = Cli::try_parse_from(["rbdmap", "map", "rbd/a", "--key", "AQ=="]).unwrap_err();
    assert!(error.to_string().contains("--keyfile FILE"), "{error}");
    assert!(
        !error.to_string().contains("AQ=="),
        "the secret is not repeated"
    );
    assert_eq!(error.exit_code(), 2);
}

#[test]
fn options_for_mapping_by_hand_require_an_image() {
    assert_eq!(
        Cli::try_parse_from(["rbdmap", "map", "--id", "boot"])
            .unwrap_err()
            .exit_code(),
        2
    );
    assert!(Cli::try_parse_from(["rbdmap", "map", "rbd/a", "--id", "boot", "--read-only"]).is_ok());
    assert!(Cli::try_parse_from(["rbdmap", "map"]).is_ok());
}

#[test]
fn an_invalid_image_user_or_map_option_is_wrong_usage() {
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

/// A heading applies to all options after it, unless they have their own.
#[test]
fn options_for_every_mapping_have_a_heading_of_their_own() {
    let help = Cli::command()
        .find_subcommand_mut("map")
        .unwrap()
        .render_help()
        .to_string();
    let (by_hand, execution) = help.split_once("Execution:").unwrap();
    for option in ["--direct", "--timeout", "--no-block", "--dry-run"] {
        assert!(
            execution.contains(option) && !by_hand.contains(option),
            "{help}"
        );
    }
    assert!(
        by_hand.contains("--keyring") && !execution.contains("--keyring"),
        "{help}"
    );
}
