//! `rbdmap start-nofail`: has systemd start the images for which boot does not wait, for rbdmap-nofail.service.

use std::env;

use anyhow::Result;

use crate::config::load::Configuration;
use crate::engine::systemd;
use crate::model::unit_name;
use crate::report::failures::Report;
use crate::runtime::root::Root;

/// Starts the units in the environment variable that the generator writes into rbdmap-nofail.service.
pub fn run(root: &Root) -> Result<Report> {
    let names = env::var(unit_name::NOFAIL_INSTANCES_VARIABLE).unwrap_or_default();
    let units: Vec<String> = names.split_whitespace().map(str::to_owned).collect();
    let config = Configuration::read(root);
    systemd::start_nofail(root, &config.entries, &units)?;
    Ok(Report::default())
}
