//! ceph.conf, and keyrings, which have the same grammar: which section counts, and what `$name` stands for. `grammar` parses
//! the lines; the callers decide what the values mean.
//!
//! Source: ceph `src/common/config.cc` and `ConfUtils.cc`, the same in 16.2 and 20.2. tests/oracle/conf has the odd cases.

mod grammar;
#[cfg(test)]
mod tests;

use std::path::Path;

use crate::model::fault::Fault;
use grammar::Section;

/// A parsed file. Its values are wiped from memory, because those of a keyring are secrets.
pub struct CephConf {
    sections: Vec<Section>,
}

/// What the metavariables in values stand for.
#[derive(Debug, Clone)]
pub struct Identity {
    /// `$cluster`.
    pub cluster: String,
    /// `$id`: the user without `client.`.
    pub user: String,
    /// `$host`: the short host name.
    pub host: String,
}

impl CephConf {
    /// Parses a file's text. `path` becomes part of the fault.
    pub fn parse(path: &Path, text: &str) -> Result<Self, Fault> {
        let sections = grammar::sections(path, text)?;
        Ok(Self { sections })
    }

    /// A key's value in one section; if the key occurs several times, the last one counts.
    pub fn in_section(&self, section: &str, key: &str) -> Option<&str> {
        let sections = self.sections.iter().filter(|found| found.name == section);
        let mut pairs = sections.flat_map(|found| &found.pairs);
        let (_, value) = pairs.rfind(|(name, _)| name == key)?;
        Some(value)
    }

    /// A client's value of a key, from `[client.ID]`, else `[client]`, else `[global]`, with its metavariables expanded.
    pub fn value(&self, identity: &Identity, key: &str) -> Option<String> {
        let value = self.unexpanded(identity, key)?;
        Some(self.expand(identity, value, &[key]))
    }

    /// `mon addr` of each monitor with a section of its own, sorted by the monitors' names. Sections without the key have it from
    /// `[mon]` or `[global]`.
    pub fn monitor_sections(&self) -> Vec<&str> {
        let sections = self.sections.iter().map(|section| section.name.as_str());
        let mut names: Vec<&str> = sections.filter(|name| name.starts_with("mon.")).collect();
        names.sort_unstable();
        names.dedup();
        let mut addresses = Vec::new();
        for name in names {
            // A monitor inherits as a client does, from sections of its own type.
            let sections = [name, "mon", "global"];
            addresses.extend(
                sections
                    .iter()
                    .find_map(|name| self.in_section(name, "mon_addr")),
            );
        }
        addresses
    }

    /// A text with its metavariables (`$name`, `${name}`) expanded; unknown ones stay as they are.
    pub fn expand_text(&self, identity: &Identity, text: &str) -> String {
        self.expand(identity, text, &[])
    }

    fn unexpanded(&self, identity: &Identity, key: &str) -> Option<&str> {
        let own = format!("client.{}", identity.user);
        let sections = [own.as_str(), "client", "global"];
        sections
            .iter()
            .find_map(|section| self.in_section(section, key))
    }

    /// `within` are the options whose values contain the text. As in Ceph, none of them is expanded again, which ends a circle.
    fn expand(&self, identity: &Identity, text: &str, within: &[&str]) -> String {
        let mut expanded = String::new();
        let mut rest = text;
        while let Some(dollar) = rest.find('$') {
            expanded.push_str(&rest[..dollar]);
            let (name, length) = variable_name(&rest[dollar + 1..]);
            let end = dollar + 1 + length;
            match self.variable(identity, name, within) {
                Some(value) => expanded.push_str(&value),
                None => expanded.push_str(&rest[dollar..end]),
            }
            rest = &rest[end..];
        }
        expanded.push_str(rest);
        expanded
    }

    fn variable(&self, identity: &Identity, name: &str, within: &[&str]) -> Option<String> {
        match name {
            "" => None,
            "cluster" => Some(identity.cluster.clone()),
            "type" => Some("client".to_owned()),
            "id" | "num" => Some(identity.user.clone()),
            "name" => Some(format!("client.{}", identity.user)),
            "host" => {
                // Ceph's option `host` has this name too and takes precedence.
                let host = self.option(identity, name, within);
                Some(
                    host.filter(|host| !host.is_empty())
                        .unwrap_or(identity.host.clone()),
                )
            }
            "pid" => Some(std::process::id().to_string()),
            _ => self.option(identity, name, within),
        }
    }

    /// The value of a metavariable that is the name of an option.
    fn option(&self, identity: &Identity, name: &str, within: &[&str]) -> Option<String> {
        if within.contains(&name) {
            return None;
        }
        let value = self.unexpanded(identity, name)?;
        Some(self.expand(identity, value, &[within, &[name]].concat()))
    }
}

/// The name after a `$`, and its length in bytes including braces.
fn variable_name(text: &str) -> (&str, usize) {
    if let Some(inner) = text.strip_prefix('{') {
        let name = leading_name(inner);
        if inner[name.len()..].starts_with('}') {
            return (name, name.len() + 2);
        }
    }
    // Without the closing brace, `${` is a `$` with an empty name.
    let name = leading_name(text);
    (name, name.len())
}

fn leading_name(text: &str) -> &str {
    let end = text.find(|c: char| !c.is_ascii_lowercase() && c != '_');
    &text[..end.unwrap_or(text.len())]
}
