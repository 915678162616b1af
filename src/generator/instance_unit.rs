//! What is written for an image: its instance's drop-in. What its devices are told is `device`'s, and that rbdmap.service
//! wants it is `service`'s.

use std::borrow::Borrow;
use std::path::{Path, PathBuf};

use super::unit_file::GeneratedFile;
use crate::config::table::{Entry, paths};
use crate::model::image_spec::ImageSpec;
use crate::model::unit_name::{self, escape_specifiers};
use crate::runtime::root::Root;

/// The image's device node, where fstab has it.
pub fn device(spec: &ImageSpec) -> PathBuf {
    Path::new("/dev").join(spec.link())
}

/// What an image's instance is told. The images of one table are mostly told the same, so the text is made when it is known
/// how many there are of it.
#[derive(Debug, PartialEq, Eq)]
pub struct InstanceConfig<'a> {
    /// The file that names the image, as units say it.
    pub path: &'a Path,
    /// The files that mapping it needs.
    pub files: Vec<PathBuf>,
    /// Of an image that boot does not wait for: the units that have it mounted, and that of its hook.
    pub starts: Option<Vec<String>>,
}

impl InstanceConfig<'_> {
    fn drop_in(&self, unit: &str) -> GeneratedFile {
        let files: Vec<String> = self
            .files
            .iter()
            .filter_map(|file| quoted(&file.to_string_lossy()))
            .collect();
        let mut text = format!(
            "[Unit]\nSourcePath={}\nRequiresMountsFor={}\n",
            self.path.display(),
            files.join(" ")
        );
        if let Some(starts) = &self.starts {
            let starts = assignment(unit_name::NOFAIL_DEPENDENTS_VARIABLE, starts);
            text += &format!(
                "
[Service]
# Short tries while the machine boots, so that boot goes on. Then it fails once, for whoever asked to hear why; started again
# by itself it goes on trying, for an hour at a time. When it is there at last, these are started.
Environment={starts}
Restart=on-failure
RestartSec=10
TimeoutStartSec=2h
"
            );
        }
        GeneratedFile::drop_in(unit, &text)
    }
}

/// What all images' units are told.
#[derive(Debug, Default)]
pub struct Instances<'a>(Vec<(String, Option<InstanceConfig<'a>>)>);

impl<'a> Instances<'a> {
    /// A unit by its name and what it is told; nothing where it is the administrator's own.
    pub fn add(&mut self, name: String, told: Option<InstanceConfig<'a>>) {
        self.0.push((name, told));
    }

    /// The files. What all are told is told to their template, in one file for all.
    pub fn drop_ins(&self) -> Vec<GeneratedFile> {
        match self.0.split_first() {
            Some(((_, Some(told)), rest))
                if rest.iter().all(|(_, other)| other.as_ref() == Some(told)) =>
            {
                vec![told.drop_in(unit_name::TEMPLATE)]
            }
            _ => self
                .0
                .iter()
                .filter_map(|(name, told)| Some(told.as_ref()?.drop_in(name)))
                .collect(),
        }
    }
}

/// The files that a line names, or ceph.conf where it should be. `targets` are the mount points on the image itself: what is
/// there cannot be waited for; mapping it will say that it is not there.
pub fn needed_files(image: &Entry, targets: &[&Path]) -> Vec<PathBuf> {
    let options = &image.options;
    let conf = options
        .conf
        .clone()
        .unwrap_or_else(|| Root::ceph_conf_of(options.cluster.as_deref().unwrap_or("ceph")));
    let named = [Some(&conf), options.keyring.as_ref()]
        .into_iter()
        .flatten()
        .flat_map(|list| paths(list));
    let mut files: Vec<PathBuf> = named
        .map(PathBuf::from)
        .chain(options.keyfile.clone())
        .collect();
    files.retain(|file| {
        file.is_absolute() && !targets.iter().any(|target| file.starts_with(target))
    });
    files
}

/// A variable and its words, as `Environment=` takes them; in quotes a backslash begins an escape.
pub fn assignment<S: Borrow<str>>(name: &str, words: &[S]) -> String {
    format!(
        "\"{name}={}\"",
        escape_specifiers(&words.join(" ")).replace('\\', r"\\")
    )
}

/// A path as a word of a list. One with quotes or control characters in it is left out: systemd has no way to write
/// it there.
pub fn quoted(path: &str) -> Option<String> {
    let path = escape_specifiers(path);
    match path {
        path if path.contains(|c: char| c == '"' || c == '\'' || c.is_control()) => None,
        path if path.contains(char::is_whitespace) => Some(format!("\"{path}\"")),
        path => Some(path),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::table;
    use crate::generator::unit_file::Content;

    const TABLE: &str = "/etc/ceph/rbdmap";

    fn needed(line: &str, targets: &[&str]) -> String {
        let entries = table::parse(Path::new(TABLE), line).0;
        let targets: Vec<&Path> = targets.iter().map(Path::new).collect();
        let told = InstanceConfig {
            path: Path::new(TABLE),
            files: needed_files(&entries[0], &targets),
            starts: None,
        };
        let Content::Text(text) = told.drop_in("x.service").content else {
            panic!("no text for {line}")
        };
        text.lines()
            .find_map(|line| line.strip_prefix("RequiresMountsFor="))
            .unwrap()
            .to_owned()
    }

    #[test]
    fn the_files_of_a_line_are_waited_for() {
        let rows = [
            ("rbd/a", "/etc/ceph/ceph.conf"),
            ("rbd/a cluster=backup", "/etc/ceph/backup.conf"),
            (
                "rbd/a conf=/srv/c.conf,keyring='/k/a,/k/b'",
                "/srv/c.conf /k/a /k/b",
            ),
            (
                "rbd/a keyfile='/k/my key'",
                "/etc/ceph/ceph.conf \"/k/my key\"",
            ),
            ("rbd/a keyfile=/k/100%", "/etc/ceph/ceph.conf /k/100%%"),
            ("rbd/a keyfile=relative", "/etc/ceph/ceph.conf"),
        ];
        for (line, expected) in rows {
            assert_eq!(needed(line, &[]), expected, "{line}");
        }
    }

    #[test]
    fn a_key_on_the_image_that_it_opens_is_not_waited_for() {
        assert_eq!(
            needed("rbd/a keyring=/mnt/a/key", &["/mnt/a"]),
            "/etc/ceph/ceph.conf"
        );
        assert_eq!(
            needed("rbd/a keyring=/mnt/ab/key", &["/mnt/a"]),
            "/etc/ceph/ceph.conf /mnt/ab/key"
        );
    }
}
