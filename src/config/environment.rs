//! What Ceph's environment variables say: `CEPH_CONF`, `CEPH_ARGS`, `CEPH_KEYRING` (ceph(8); ceph `src/common/ceph_argparse.cc`).
//!
//! They rank below a line of the table, or a command line, and above ceph.conf; of the two that can name a keyring
//! CEPH_ARGS wins. The surprise: CEPH_ARGS is split at blanks, and there is no quoting in it.

use anyhow::{Context, Result, anyhow};

use super::table::{EntryOptions, client_id};

/// The variables that were set.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Environment {
    /// `$CEPH_CONF`: ceph.conf, or a list of which the first that is there counts.
    pub conf: Option<String>,
    /// `$CEPH_ARGS`: options as on a command line.
    pub arguments: Option<String>,
    /// `$CEPH_KEYRING`.
    pub keyring: Option<String>,
}

impl Environment {
    /// Those of this process.
    pub fn of_process() -> Self {
        let variable = |name| std::env::var(name).ok().filter(|value| !value.is_empty());
        Self {
            conf: variable("CEPH_CONF"),
            arguments: variable("CEPH_ARGS"),
            keyring: variable("CEPH_KEYRING"),
        }
    }

    /// Fills in what an entry does not say.
    pub fn complete(&self, options: &mut EntryOptions) -> Result<()> {
        let said = from_arguments(self.arguments.as_deref().unwrap_or_default())?;
        let fill = |own: &mut Option<String>, others: [Option<String>; 2]| {
            *own = own.take().or_else(|| others.into_iter().flatten().next());
        };
        fill(&mut options.user, [said.user, None]);
        fill(&mut options.cluster, [said.cluster, None]);
        fill(&mut options.mon_host, [said.mon_host, None]);
        fill(&mut options.conf, [said.conf, self.conf.clone()]);
        fill(&mut options.keyring, [said.keyring, self.keyring.clone()]);
        options.keyfile = options.keyfile.take().or(said.keyfile);
        Ok(())
    }
}

/// The last value that a file of assignments gives a variable (systemd.exec(5), EnvironmentFile=), less its quotes.
pub fn assigned(text: &str, name: &str) -> Option<String> {
    let lines = text
        .lines()
        .map(str::trim)
        .filter(|line| !line.starts_with(['#', ';']));
    let mut values =
        lines.filter_map(|line| line.strip_prefix(name)?.trim_start().strip_prefix('='));
    values.next_back().map(|value| {
        let value = value.trim();
        let quoted = |quote: char| value.strip_prefix(quote)?.strip_suffix(quote);
        quoted('"')
            .or_else(|| quoted('\''))
            .unwrap_or(value)
            .to_owned()
    })
}

/// The options that concern a mapping; Ceph has hundreds of others, which do not.
fn from_arguments(text: &str) -> Result<EntryOptions> {
    let mut options = EntryOptions::default();
    let mut words = text.split_whitespace();
    while let Some(word) = words.next() {
        let (name, inline) = word
            .split_once('=')
            .map_or((word, None), |(name, value)| (name, Some(value)));
        let name = name.replace('_', "-");
        if !TAKES_VALUE.contains(&name.as_str()) {
            continue;
        }
        let value = inline
            .or_else(|| words.next())
            .with_context(|| format!("CEPH_ARGS: {name} needs a value"))?
            .to_owned();
        match name.as_str() {
            "--id" | "--user" => options.user = Some(value),
            "-n" | "--name" => {
                options.user =
                    Some(client_id(&value).map_err(|error| anyhow!("CEPH_ARGS: {error}"))?)
            }
            "-c" | "--conf" => options.conf = Some(value),
            "-m" | "--mon-host" => options.mon_host = Some(value),
            "-k" | "--keyring" => options.keyring = Some(value),
            "-K" | "--keyfile" => options.keyfile = Some(value.into()),
            _ => options.cluster = Some(value),
        }
    }
    Ok(options)
}

const TAKES_VALUE: &[&str] = &[
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

    fn completed(environment: &Environment, mut options: EntryOptions) -> EntryOptions {
        environment.complete(&mut options).unwrap();
        options
    }

    #[test]
    fn arguments_fill_in_what_a_line_does_not_say() {
        let environment = Environment {
            arguments: Some("--id a --mon_host=1.2.3.4 --debug-ms 1 -k /args".into()),
            keyring: Some("/variable".into()),
            conf: Some("/c.conf".into()),
        };
        let line = EntryOptions {
            user: Some("line".into()),
            ..EntryOptions::default()
        };
        let options = completed(&environment, line);
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
    fn an_argument_without_its_value_is_told() {
        let environment = Environment {
            arguments: Some("--id".into()),
            ..Environment::default()
        };
        assert_eq!(
            environment
                .complete(&mut EntryOptions::default())
                .unwrap_err()
                .to_string(),
            "CEPH_ARGS: --id needs a value"
        );
    }
}
