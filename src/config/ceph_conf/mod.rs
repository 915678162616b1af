//! ceph.conf, and keyrings, which have the same grammar: which section counts, and what `$name` means. `grammar` reads the
//! lines; what the values mean is their readers' business.
//!
//! Source: ceph `src/common/config.cc` and `ConfUtils.cc`, the same in 16.2 and 20.2; tests/oracle/conf has what they surprise with.

mod grammar;
#[cfg(test)]
mod tests;

use std::path::Path;

use crate::model::fault::Fault;
use grammar::Section;

/// A parsed file. Values are wiped from memory when it goes, because a keyring's are secrets.
pub struct CephConf {
    sections: Vec<Section>,
}

/// What metavariables in values stand for.
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
    /// Reads a file's text. `path` is for the fault only.
    pub fn parse(path: &Path, text: &str) -> Result<Self, Fault> {
        Ok(Self {
            sections: grammar::sections(path, text)?,
        })
    }

    /// A key's value in one section, the last where it is given several times.
    pub fn in_section(&self, section: &str, key: &str) -> Option<&str> {
        let sections = self.sections.iter().filter(|found| found.name == section);
        sections
            .flat_map(|found| &found.pairs)
            .rfind(|(name, _)| name == key)
            .map(|(_, value)| value.as_str())
    }

    /// A client's value of a key: from `[client.ID]`, else `[client]`, else `[global]`; metavariables expanded.
    pub fn value(&self, identity: &Identity, key: &str) -> Option<String> {
        self.raw(identity, key)
            .map(|value| self.expand(identity, value, &[key]))
    }

    /// `mon addr` of every monitor that has a section of its own, in the order of their names; what a section does not say
    /// `[mon]` and `[global]` say for it.
    pub fn monitor_sections(&self) -> Vec<&str> {
        let mut names: Vec<&str> = self
            .sections
            .iter()
            .map(|section| section.name.as_str())
            .collect();
        names.retain(|name| name.starts_with("mon."));
        names.sort_unstable();
        names.dedup();
        let address = |name| {
            [name, "mon", "global"]
                .into_iter()
                .find_map(|name| self.in_section(name, "mon_addr"))
        };
        names.into_iter().filter_map(address).collect()
    }

    /// A text with its metavariables (`$name`, `${name}`) expanded; what is unknown stays as it is.
    pub fn expand_text(&self, identity: &Identity, text: &str) -> String {
        self.expand(identity, text, &[])
    }

    fn raw(&self, identity: &Identity, key: &str) -> Option<&str> {
        let own = format!("client.{}", identity.user);
        [own.as_str(), "client", "global"]
            .iter()
            .find_map(|section| self.in_section(section, key))
    }

    /// `within` are the options whose values this is a part of: none of them is expanded once more.
    fn expand(&self, identity: &Identity, text: &str, within: &[&str]) -> String {
        let (mut out, mut rest) = (String::new(), text);
        while let Some(at) = rest.find('$') {
            out.push_str(&rest[..at]);
            let (name, length) = variable(&rest[at + 1..]);
            match self.variable(identity, name, within) {
                Some(value) => out.push_str(&value),
                None => out.push_str(&rest[at..=at + length]),
            }
            rest = &rest[at + 1 + length..];
        }
        out.push_str(rest);
        out
    }

    fn variable(&self, identity: &Identity, name: &str, within: &[&str]) -> Option<String> {
        let of_option = || {
            let value = self
                .raw(identity, name)
                .filter(|_| !within.contains(&name))?;
            Some(self.expand(identity, value, &[within, &[name]].concat()))
        };
        match name {
            "" => None,
            "cluster" => Some(identity.cluster.clone()),
            "type" => Some("client".to_owned()),
            "id" | "num" => Some(identity.user.clone()),
            "name" => Some(format!("client.{}", identity.user)),
            "host" => of_option()
                .filter(|host| !host.is_empty())
                .or_else(|| Some(identity.host.clone())),
            "pid" => Some(std::process::id().to_string()),
            _ => of_option(),
        }
    }
}

/// The name after a `$` and how many bytes it takes, braces included.
fn variable(text: &str) -> (&str, usize) {
    let run = |text: &str| {
        text.bytes()
            .take_while(|b| b.is_ascii_lowercase() || *b == b'_')
            .count()
    };
    match text.strip_prefix('{') {
        Some(inner) if inner.as_bytes().get(run(inner)) == Some(&b'}') => {
            (&inner[..run(inner)], run(inner) + 2)
        }
        _ => (&text[..run(text)], run(text)),
    }
}
