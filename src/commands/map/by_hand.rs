//! Maps images that the command line describes. They have no units, so this process maps them; at shutdown
//! rbdmap-sweep.service unmaps them.

use std::path::{Path, absolute};

use anyhow::Result;

use super::dry_run;
use super::options::{fstab_lines, map_settings};
use crate::ceph::file_cache::FileCache;
use crate::ceph::request;
use crate::cli::{ByHand, MapArguments};
use crate::config::environment::Environment;
use crate::config::load::Configuration;
use crate::config::table::{Entry, EntryOptions, client_id};
use crate::engine::direct::up;
use crate::model::image_spec::ImageSpec;
use crate::model::owner_tag::Origin;
use crate::plan;
use crate::report::failures::Report;
use crate::runtime::root::Root;

/// Maps the images that the arguments name, and mounts what fstab lists on them.
pub fn map(root: &Root, arguments: &MapArguments) -> Result<Report> {
    let config = Configuration::read(root);
    let entries = entries(root, arguments, &config)?;
    let plan = plan::map(&entries, fstab_lines(arguments, &config), &[]);
    if arguments.engine.dry_run {
        return Ok(dry_run::show(root, &plan));
    }
    let settings = map_settings(arguments, &config.settings, Origin::Hand);
    Ok(up::map(root, &plan, settings))
}

/// An entry for each image, as a line of the table would give it.
fn entries(root: &Root, arguments: &MapArguments, config: &Configuration) -> Result<Vec<Entry>> {
    let mut options = arguments.by_hand.entry_options()?;
    options.map.fill(&config.settings.defaults);
    Environment::from_process().complete(&mut options)?;
    // ceph.conf may set another default pool than `rbd`, and the options choose ceph.conf.
    let pool = request::default_pool(&FileCache::new(root), &options)?;
    let mut entries = Vec::new();
    for text in &arguments.specs {
        let spec = ImageSpec::parse(text, &pool)?;
        entries.push(Entry::from_command_line(spec, options.clone()));
    }
    Ok(entries)
}

/// A file that was named on the command line: a relative path starts at the current directory.
fn absolute_path(path: impl AsRef<Path>) -> String {
    let path = path.as_ref();
    let absolute = absolute(path).unwrap_or_else(|_| path.to_owned());
    absolute.display().to_string()
}

impl ByHand {
    /// Whether any option is given that describes an image.
    pub(super) fn is_given(&self) -> bool {
        self.monitor.is_some()
            || self.id.is_some()
            || self.name.is_some()
            || self.keyring.is_some()
            || self.keyfile.is_some()
            || self.conf.is_some()
            || self.cluster.is_some()
            || !self.options.is_empty()
            || self.read_only
            || self.exclusive
    }

    /// The options as a line of the table gives them.
    fn entry_options(&self) -> Result<EntryOptions> {
        let mut options = EntryOptions {
            user: self.id.clone(),
            keyring: self.keyring.as_deref().map(absolute_keyring),
            keyfile: self.keyfile.as_ref().map(|path| absolute_path(path).into()),
            conf: self.conf.as_ref().map(absolute_path),
            cluster: self.cluster.clone(),
            mon_host: self.monitor.clone(),
            ..EntryOptions::default()
        };
        if let Some(name) = &self.name {
            options.user = Some(client_id(name)?);
        }
        for list in &self.options {
            options.map.add(list)?;
        }
        // After -o, which they override, as for `rbd`.
        for (option, is_given) in [("ro", self.read_only), ("exclusive", self.exclusive)] {
            if is_given {
                options.map.add(option)?;
            }
        }
        Ok(options)
    }
}

/// Ceph takes a list of keyrings, which is left as it is.
fn absolute_keyring(keyring: &str) -> String {
    if keyring.contains([',', ';']) {
        keyring.to_owned()
    } else {
        absolute_path(keyring)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::{Cli, Command};
    use clap::Parser;

    fn options(arguments: &[&str]) -> EntryOptions {
        let line = ["rbdmap", "map", "rbd/a"].iter().chain(arguments);
        match Cli::try_parse_from(line).unwrap().command {
            Command::Map(arguments) => arguments.by_hand.entry_options().unwrap(),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn flags_override_the_list_of_options() {
        let options = options(&["-o", "rw,queue_depth=8", "--read-only"]);
        let words = options.map.to_string();
        assert!(words.split(',').any(|word| word == "ro"), "{words}");
        assert!(!words.split(',').any(|word| word == "rw"), "{words}");
    }

    #[test]
    fn a_relative_path_starts_at_the_current_directory() {
        let here = std::env::current_dir().unwrap();
        let options = options(&["--keyring", "a.keyring", "--conf", "/etc/b.conf"]);
        assert_eq!(options.keyring.as_deref(), here.join("a.keyring").to_str());
        assert_eq!(options.conf.as_deref(), Some("/etc/b.conf"));
    }

    #[test]
    fn a_list_of_keyrings_is_left_as_it_is() {
        let options = options(&["--keyring", "a,b"]);
        assert_eq!(options.keyring.as_deref(), Some("a,b"));
    }
}
