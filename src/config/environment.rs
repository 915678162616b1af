//! Ceph's environment variables `CEPH_CONF`, `CEPH_ARGS` and `CEPH_KEYRING` (ceph(8); ceph `src/common/ceph_argparse.cc`).
//!
//! They rank below a line of the table or a command line, and above ceph.conf. If both CEPH_ARGS and CEPH_KEYRING name a
//! keyring, CEPH_ARGS wins. CEPH_ARGS is split at blanks; Ceph knows no quotes in it.

use std::env;

use anyhow::{Context, Result};

use super::table::{EntryOptions, client_id};

/// The variables of a process; an empty one counts as absent.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Environment {
    /// `$CEPH_CONF`: ceph.conf, or a list of which the first file that exists is used.
    pub conf: Option<String>,
    /// `$CEPH_ARGS`: options as on a command line.
    pub arguments: Option<String>,
    /// `$CEPH_KEYRING`.
    pub keyring: Option<String>,
}

impl Environment {
    /// The variables of this process.
    pub fn from_process() -> Self {
        Self {
            conf: variable("CEPH_CONF"),
            arguments: variable("CEPH_ARGS"),
            keyring: variable("CEPH_KEYRING"),
        }
    }

    /// Sets the options that an entry lacks.
    pub fn complete(&self, options: &mut EntryOptions) -> Result<()> {
        let arguments = self.arguments.as_deref().unwrap_or_default();
        let given = parse_arguments(arguments).context("CEPH_ARGS")?;
        set_default(&mut options.user, given.user);
        set_default(&mut options.cluster, given.cluster);
        set_default(&mut options.mon_host, given.mon_host);
        set_default(&mut options.keyfile, given.keyfile);
        // CEPH_ARGS outranks the variables of single options.
        set_default(&mut options.conf, given.conf.or(self.conf.clone()));
        set_default(&mut options.keyring, given.keyring.or(self.keyring.clone()));
        Ok(())
    }
}

fn variable(name: &str) -> Option<String> {
    env::var(name).ok().filter(|value| !value.is_empty())
}

fn set_default<T>(option: &mut Option<T>, default: Option<T>) {
    if option.is_none() {
        *option = default;
    }
}

/// The last value that a file of assignments (systemd.exec(5), EnvironmentFile=) gives to a variable, without its quotes.
pub fn assigned(text: &str, name: &str) -> Option<String> {
    let mut last = None;
    for line in text.lines().map(str::trim) {
        if line.starts_with(['#', ';']) {
            continue;
        }
        let rest = line.strip_prefix(name).map(str::trim_start);
        if let Some(value) = rest.and_then(|rest| rest.strip_prefix('=')) {
            last = Some(without_quotes(value.trim()));
        }
    }
    last.map(str::to_owned)
}

fn without_quotes(value: &str) -> &str {
    for quote in ['"', '\''] {
        let inner = value.strip_prefix(quote);
        if let Some(inner) = inner.and_then(|inner| inner.strip_suffix(quote)) {
            return inner;
        }
    }
    value
}

/// The options that concern a mapping. The hundreds of others that Ceph has are ignored.
fn parse_arguments(text: &str) -> Result<EntryOptions> {
    let mut options = EntryOptions::default();
    let mut words = text.split_whitespace();
    while let Some(word) = words.next() {
        let (name, inline) = match word.split_once('=') {
            Some((name, value)) => (name, Some(value)),
            None => (word, None),
        };
        // Ceph accepts dashes and underscores alike.
        let name = name.replace('_', "-");
        if !WITH_VALUE.contains(&name.as_str()) {
            // If the option has a value, that is the next word, and no option's name either.
            continue;
        }
        let value = inline
            .or_else(|| words.next())
            .with_context(|| format!("{name} needs a value"))?
            .to_owned();
        match name.as_str() {
            "--id" | "--user" => options.user = Some(value),
            "-n" | "--name" => options.user = Some(client_id(&value)?),
            "-c" | "--conf" => options.conf = Some(value),
            "-m" | "--mon-host" => options.mon_host = Some(value),
            "-k" | "--keyring" => options.keyring = Some(value),
            "-K" | "--keyfile" => options.keyfile = Some(value.into()),
            _ => options.cluster = Some(value),
        }
    }
    Ok(options)
}

/// The options that concern a mapping; each takes a value.
const WITH_VALUE: &[&str] = &[
    "--id",
    "--user",
    "-n",
    "--name",
    "-c",
    "--conf",
    "-m",
    "--mon-host",
    "-k",
    "--keyring",
    "-K",
    "--keyfile",
    "--cluster",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_set_the_options_that_a_line_lacks() {
        let environment = Environment {
            arguments: Some("--id a --mon_host=1.2.3.4 --debug-ms 1 -k /args".into()),
            keyring: Some("/variable".into()),
            conf: Some("/c.conf".into()),
        };
        let mut options = EntryOptions {
            user: Some("line".into()),
            ..EntryOptions::default()
        };
        environment.complete(&mut options).unwrap();
        assert_eq!(options.user.as_deref(), Some("line"));
        assert_eq!(options.mon_host.as_deref(), Some("1.2.3.4"));
        assert_eq!(options.keyring.as_deref(), Some("/args"));
        assert_eq!(options.conf.as_deref(), Some("/c.conf"));
    }

    #[test]
    fn the_last_assignment_of_a_file_counts_without_its_quotes() {
        let text = "# RBDMAPFILE=/no\nRBDMAPFILE=/a\nOTHER=1\nRBDMAPFILE = \"/b c\"\n";
        assert_eq!(assigned(text, "RBDMAPFILE").as_deref(), Some("/b c"));
        assert_eq!(assigned(text, "RBDMAP"), None);
    }

    #[test]
    fn an_argument_without_its_value_is_an_error() {
        let environment = Environment {
            arguments: Some("--id".into()),
            ..Environment::default()
        };
        let error = environment
            .complete(&mut EntryOptions::default())
            .unwrap_err();
        assert_eq!(format!("{error:#}"), "CEPH_ARGS: --id needs a value");
    }
}
