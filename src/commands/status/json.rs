//! Rows as JSON, as packaging/data/status.schema.json describes it.

use anyhow::Result;
use serde::Serialize;

use super::holder_json::HolderJson;
use super::row::StatusRow;
use super::state::{MappedBy, UnitFacts};

#[derive(Serialize)]
struct StatusJson<'a> {
    images: Vec<ImageJson<'a>>,
}

#[derive(Serialize)]
struct ImageJson<'a> {
    image: String,
    pool: &'a str,
    namespace: Option<&'a str>,
    name: &'a str,
    snapshot: Option<&'a str>,
    state: &'a str,
    problem: bool,
    remark: Option<String>,
    wanted: bool,
    origin: Option<&'a str>,
    device: Option<&'a str>,
    size: Option<u64>,
    read_only: Option<bool>,
    mounts: Vec<String>,
    unit: Option<UnitJson<'a>>,
    holders: Option<Vec<HolderJson<'a>>>,
}

#[derive(Serialize)]
struct UnitJson<'a> {
    name: &'a str,
    active: &'a str,
}

/// One object on one line, without the newline.
pub fn render(rows: &[StatusRow]) -> Result<String> {
    let images = rows.iter().map(ImageJson::from).collect();
    Ok(serde_json::to_string(&StatusJson { images })?)
}

impl<'a> From<&'a StatusRow> for ImageJson<'a> {
    fn from(row: &'a StatusRow) -> Self {
        let spec = &row.spec;
        let holders = row.holders.as_ref();
        Self {
            image: spec.to_string(),
            pool: &spec.pool,
            namespace: spec.namespace.as_deref(),
            name: &spec.image,
            snapshot: spec.snapshot.as_deref(),
            state: row.state.word(),
            problem: row.state.is_problem(),
            remark: row.state.remark(),
            wanted: row.is_wanted,
            origin: row.origin.map(MappedBy::word),
            device: row.device.as_deref(),
            size: row.size,
            read_only: row.read_only,
            mounts: row.mounts_as_text(),
            unit: row.unit.as_ref().map(UnitJson::from),
            holders: holders.map(|holders| holders.iter().map(HolderJson::from).collect()),
        }
    }
}

impl<'a> From<&'a UnitFacts> for UnitJson<'a> {
    fn from(unit: &'a UnitFacts) -> Self {
        Self {
            name: &unit.name,
            active: &unit.active,
        }
    }
}

#[cfg(test)]
mod tests;
