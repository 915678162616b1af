//! ceph.conf, and keyrings, which have the same grammar: sections of `key = value`, read by Ceph's own rules.
//!
//! Source: ceph `src/common/ConfUtils.cc` (`IniGrammer`), the same in 16.2 and 20.2. What surprises: `#` *and* `;`
//! start a comment anywhere, even inside quotes, unless a backslash precedes; blanks in a key are one `_`, but dashes
//! stay dashes; keys are case-sensitive; one bad line fails the file. Kinder than Ceph: the last line may lack
//! its newline, blanks may precede a section, and there may be letters beyond ASCII. tests/oracle/conf has them all. Which section counts and what `$name` means is decided here;
//! what the values mean is their readers' business.

use std::path::Path;

use zeroize::Zeroizing;

use super::fault::Fault;

/// A parsed file. Values are wiped from memory when it goes, because a keyring's are secrets.
pub struct CephConf {
    sections: Vec<Section>,
}

struct Section {
    name: String,
    pairs: Vec<(String, Zeroizing<String>)>,
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
        let mut sections = vec![Section { name: "global".to_owned(), pairs: Vec::new() }];
        for (number, line) in logical_lines(text) {
            let line = without_comment(&line).trim();
            if let Some(rest) = line.strip_prefix('[') {
                let name = section_name(rest).map_err(|message| Fault::new(path, (number, 0), message))?;
                sections.push(Section { name, pairs: Vec::new() });
            } else if !line.is_empty() {
                let pair = pair(line).map_err(|message| Fault::new(path, (number, 0), message))?;
                if let Some(section) = sections.last_mut() {
                    section.pairs.push(pair);
                }
            }
        }
        Ok(Self { sections })
    }

    /// A key's value in one section, the last where it is given several times.
    pub fn in_section(&self, section: &str, key: &str) -> Option<&str> {
        let sections = self.sections.iter().filter(|found| found.name == section);
        sections.flat_map(|found| &found.pairs).rfind(|(name, _)| name == key).map(|(_, value)| value.as_str())
    }

    /// A client's value of a key: from `[client.ID]`, else `[client]`, else `[global]`; metavariables expanded.
    pub fn value(&self, identity: &Identity, key: &str) -> Option<String> {
        self.raw(identity, key).map(|value| self.expand(identity, value, &[key]))
    }

    /// `mon addr` of every monitor that has a section of its own, in the order of their names; what a section does not say
    /// `[mon]` and `[global]` say for it.
    pub fn monitor_sections(&self) -> Vec<&str> {
        let mut names: Vec<&str> = self.sections.iter().map(|section| section.name.as_str()).collect();
        names.retain(|name| name.starts_with("mon."));
        names.sort_unstable();
        names.dedup();
        let address = |name| [name, "mon", "global"].into_iter().find_map(|name| self.in_section(name, "mon_addr"));
        names.into_iter().filter_map(address).collect()
    }

    /// A text with its metavariables (`$name`, `${name}`) expanded; what is unknown stays as it is.
    pub fn expand_text(&self, identity: &Identity, text: &str) -> String {
        self.expand(identity, text, &[])
    }

    fn raw(&self, identity: &Identity, key: &str) -> Option<&str> {
        let own = format!("client.{}", identity.user);
        [own.as_str(), "client", "global"].iter().find_map(|section| self.in_section(section, key))
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
            let value = self.raw(identity, name).filter(|_| !within.contains(&name))?;
            Some(self.expand(identity, value, &[within, &[name]].concat()))
        };
        match name {
            "" => None,
            "cluster" => Some(identity.cluster.clone()),
            "type" => Some("client".to_owned()),
            "id" | "num" => Some(identity.user.clone()),
            "name" => Some(format!("client.{}", identity.user)),
            "host" => of_option().filter(|host| !host.is_empty()).or_else(|| Some(identity.host.clone())),
            "pid" => Some(std::process::id().to_string()),
            _ => of_option(),
        }
    }
}

/// The name after a `$` and how many bytes it takes, braces included.
fn variable(text: &str) -> (&str, usize) {
    let run = |text: &str| text.bytes().take_while(|b| b.is_ascii_lowercase() || *b == b'_').count();
    match text.strip_prefix('{') {
        Some(inner) if inner.as_bytes().get(run(inner)) == Some(&b'}') => (&inner[..run(inner)], run(inner) + 2),
        _ => (&text[..run(text)], run(text)),
    }
}

/// Lines with their numbers, those that end in a backslash joined with the next.
fn logical_lines(text: &str) -> Vec<(usize, Zeroizing<String>)> {
    let physical = text.split('\n').flat_map(|line| line.strip_suffix('\r').unwrap_or(line).split('\r'));
    let mut lines: Vec<(usize, Zeroizing<String>)> = Vec::new();
    let mut joining = false;
    for (at, line) in physical.enumerate() {
        match lines.last_mut() {
            Some((_, last)) if joining => last.push_str(line),
            _ => lines.push((at + 1, Zeroizing::new(line.to_owned()))),
        }
        joining = lines.last_mut().is_some_and(|(_, last)| is_continued(last) && last.pop().is_some());
    }
    lines
}

/// Whether a line goes on in the next: its last backslash is none that another one protects, and it is no comment.
fn is_continued(line: &str) -> bool {
    let backslashes = line.len() - line.trim_end_matches('\\').len();
    backslashes % 2 == 1 && without_comment(line).len() == line.len()
}

/// A line up to the first `#` or `;` that no backslash protects.
fn without_comment(line: &str) -> &str {
    let mut escaped = false;
    for (at, c) in line.char_indices() {
        if !escaped && (c == '#' || c == ';') {
            return &line[..at];
        }
        escaped = c == '\\' && !escaped;
    }
    line
}

/// The name of a section from what follows its opening bracket.
fn section_name(rest: &str) -> Result<String, String> {
    let mut escaped = false;
    let closing = rest.char_indices().find(|(_, c)| {
        let found = *c == ']' && !escaped;
        escaped = *c == '\\' && !escaped;
        found
    });
    let (at, _) = closing.ok_or_else(|| format!("section {:?} has no closing bracket", format!("[{rest}")))?;
    let name = unescaped(&rest[..at]).to_string();
    if rest[at + 1..].trim().is_empty() { Ok(name) } else { Err(format!("text after section [{name}]")) }
}

fn pair(line: &str) -> Result<(String, Zeroizing<String>), String> {
    // The line may be a secret: it is not repeated in the message.
    let (key, value) = line.split_once('=').ok_or("a line without `=`, expected: key = value")?;
    let key = key.split_whitespace().collect::<Vec<_>>().join("_");
    if key.is_empty() {
        return Err("a value without a key, expected: key = value".to_owned());
    }
    let value = value.trim();
    let value = match value.chars().next() {
        Some(quote @ ('"' | '\'')) => {
            quoted(&value[1..], quote).ok_or_else(|| format!("{key}: the quotes do not match"))?
        }
        _ => unescaped(value),
    };
    // Quotes keep no blanks at the ends.
    Ok((key, Zeroizing::new(value.trim().to_owned())))
}

/// What stands before the closing quote, if that ends the value.
fn quoted(rest: &str, quote: char) -> Option<Zeroizing<String>> {
    let inner = rest.strip_suffix(quote)?;
    let mut escaped = false;
    for c in inner.chars() {
        if c == quote && !escaped {
            return None;
        }
        escaped = c == '\\' && !escaped;
    }
    (!escaped).then(|| unescaped(inner))
}

fn unescaped(text: &str) -> Zeroizing<String> {
    let mut out = Zeroizing::new(String::with_capacity(text.len()));
    let mut escaped = false;
    for c in text.chars() {
        escaped = c == '\\' && !escaped;
        if !escaped {
            out.push(c);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn parse(text: &str) -> CephConf {
        CephConf::parse(Path::new("ceph.conf"), text).map_err(|fault| fault.to_string()).unwrap()
    }

    fn boot() -> Identity {
        Identity { cluster: "ceph".to_owned(), user: "boot".to_owned(), host: "node1".to_owned() }
    }

    /// Each row was put to `ceph-conf` 16.2.15 as well.
    #[test]
    fn values_are_read_as_ceph_conf_reads_them() {
        let rows = [
            ("[global]\nmon host = a\n", "mon_host", Some("a")),
            ("[global]\nmon   host=a\n", "mon_host", Some("a")),
            ("[global]\nmon-host = a\n", "mon_host", None),
            ("[global]\nMon_host = a\n", "mon_host", None),
            ("[global]\nmon_host = a;b\n", "mon_host", Some("a")),
            ("[global]\nmon_host = a\\;b\n", "mon_host", Some("a;b")),
            ("[global]\nmon_host = \"a b\" # c\n", "mon_host", Some("a b")),
            ("[global]\nmon_host = a\\\n  b\n", "mon_host", Some("a  b")),
            ("[global]\nmon_host = a\nmon_host = b\n", "mon_host", Some("b")),
            ("[global]\nmon_host = a\n[client]\nmon_host = b\n[client.boot]\nmon_host = c\n", "mon_host", Some("c")),
            ("[global]\nmon_host = a\n[client.other]\nmon_host = c\n", "mon_host", Some("a")),
            ("[global ]\nmon_host = a\n", "mon_host", None),
            ("[global]\r\nmon_host = a\r\n", "mon_host", Some("a")),
            ("mon_host = a", "mon_host", Some("a")),
            (
                "[global]\nkeyring = /e/$cluster.$name.${id}x$unknown.$\n",
                "keyring",
                Some("/e/ceph.client.boot.bootx$unknown.$"),
            ),
            ("[global]\nkeyring = $a\na = $keyring\n", "keyring", Some("$keyring")),
            ("[global]\nkeyring = a$keyring\n", "keyring", Some("a$keyring")),
            ("[global]\nkeyring = $host\n", "keyring", Some("node1")),
            ("[global]\nkeyring = $host\nhost = node2\n", "keyring", Some("node2")),
            ("[global]\nmon_host = \" a \"\n", "mon_host", Some("a")),
            ("[global]\nmon_host = a\\\\\nkeyring = b\n", "mon_host", Some("a\\")),
            ("[global]\n# a\\\nmon_host = b\n", "mon_host", Some("b")),
            ("[global]\rmon_host = a\r", "mon_host", Some("a")),
            ("[global\\]]\nmon_host = a\n[global]\nmon_host = b\n", "mon_host", Some("b")),
            ("[global]\nmon_host =\n", "mon_host", Some("")),
        ];
        for (text, key, expected) in rows {
            assert_eq!(parse(text).value(&boot(), key).as_deref(), expected, "{text:?}");
        }
    }

    #[test]
    fn a_bad_line_fails_the_file_with_its_number() {
        let rows = [
            ("[global]\nnonsense\n", "ceph.conf:2: a line without `=`, expected: key = value"),
            ("[global\n", "ceph.conf:1: section \"[global\" has no closing bracket"),
            ("[global]\na = \"b\" c\n", "ceph.conf:2: a: the quotes do not match"),
        ];
        for (text, expected) in rows {
            let fault = CephConf::parse(Path::new("ceph.conf"), text).err().map(|fault| fault.to_string());
            assert_eq!(fault.as_deref(), Some(expected));
        }
    }

    #[test]
    fn a_fault_never_repeats_the_line_which_may_hold_a_key() {
        let fault = CephConf::parse(Path::new("k"), "[client.a]\nAQsecret\n").err().map(|fault| fault.to_string());
        assert!(!fault.is_none_or(|fault| fault.contains("AQsecret")));
    }

    #[test]
    fn monitors_of_their_own_sections_come_in_the_order_of_their_names() {
        let conf = parse("[mon.b]\nmon addr = 2:6789\n[mon.a]\nmon_addr = 1:6789\n[mon]\nmon addr = 3\n");
        assert_eq!(conf.monitor_sections(), ["1:6789", "2:6789"]);
        assert_eq!(parse("[mon.a]\nhost = x\n[mon]\nmon addr = 3\n").monitor_sections(), ["3"]);
    }

    proptest! {
        #[test]
        fn no_text_panics(text in "(?s).*", value in "[$a-z{}]{0,12}") {
            if let Ok(conf) = CephConf::parse(Path::new("c"), &text) {
                conf.expand_text(&boot(), &value);
            }
        }
    }
}
