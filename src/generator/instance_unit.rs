//! The drop-in of an image's instance of rbdmap@.service: the file that names the image, the files that mapping needs, and how
//! the instance retries if boot does not wait for it.

use std::path::{Path, PathBuf};

use super::unit_file::GeneratedFile;
use super::unit_syntax::{environment_value, path_word};
use crate::config::table::{Entry, paths};
use crate::model::image_spec::ImageSpec;
use crate::model::unit_name;
use crate::runtime::root::Root;

/// The image's device node, as fstab names it.
pub fn device(spec: &ImageSpec) -> PathBuf {
    Path::new("/dev").join(spec.link())
}

/// The settings of an instance. Most images of a table have the same, so the text is made only once all are known.
#[derive(Debug, PartialEq, Eq)]
pub struct InstanceConfig<'a> {
    /// The file that names the image, as it is named in units.
    pub source_path: &'a Path,
    /// The files that mapping the image needs.
    pub needed_files: Vec<PathBuf>,
    /// If boot does not wait for the image: the units that mount it, and the unit of its hook.
    pub nofail_dependents: Option<Vec<String>>,
}

impl InstanceConfig<'_> {
    fn drop_in(&self, unit: &str) -> GeneratedFile {
        // RequiresMountsFor= also starts the mounts: a keyring may lie on a mount that is not part of boot.
        let needed = self.needed_files.iter();
        let needed: Vec<String> = needed.filter_map(|file| path_word(file)).collect();
        let mut text = format!(
            "[Unit]\nSourcePath={}\nRequiresMountsFor={}\n",
            self.source_path.display(),
            needed.join(" ")
        );
        if let Some(dependents) = &self.nofail_dependents {
            text += &nofail_settings(dependents);
        }
        GeneratedFile::drop_in(unit, &text)
    }
}

fn nofail_settings(dependents: &[String]) -> String {
    let dependents = environment_value(unit_name::NOFAIL_DEPENDENTS_VARIABLE, dependents);
    format!(
        "
[Service]
# While the machine boots, one attempt without a wait, so that boot continues. Afterwards the unit fails once, which reports
# the reason; systemd restarts it, and it then retries for an hour. Once the image is mapped, these units are started.
Environment={dependents}
Restart=on-failure
RestartSec=10
TimeoutStartSec=2h
"
    )
}

/// The drop-ins of all instances.
#[derive(Debug, Default)]
pub struct InstanceUnits<'a>(Vec<(String, Option<InstanceConfig<'a>>)>);

impl<'a> InstanceUnits<'a> {
    /// Adds an instance by its unit's name. `config` is `None` if the administrator has written the unit.
    pub fn add(&mut self, unit: String, config: Option<InstanceConfig<'a>>) {
        self.0.push((unit, config));
    }

    /// One drop-in for each instance; if the settings of all are equal, one drop-in of their template.
    pub fn drop_ins(&self) -> Vec<GeneratedFile> {
        if let Some(config) = self.common_config() {
            return vec![config.drop_in(unit_name::TEMPLATE)];
        }
        let mut files = Vec::new();
        for (unit, config) in &self.0 {
            if let Some(config) = config {
                files.push(config.drop_in(unit));
            }
        }
        files
    }

    fn common_config(&self) -> Option<&InstanceConfig<'a>> {
        // systemd reads one file for the template, or a thousand for the instances.
        let ((_, first), rest) = self.0.split_first()?;
        let is_common = rest.iter().all(|(_, config)| config == first);
        first.as_ref().filter(|_| is_common)
    }
}

/// The files that a line names, or ceph.conf at its usual path. `targets` are the mount points on the image itself.
pub fn needed_files(image: &Entry, targets: &[&Path]) -> Vec<PathBuf> {
    let options = &image.options;
    let conf = options.conf.clone().unwrap_or_else(|| {
        let cluster = options.cluster.as_deref().unwrap_or("ceph");
        Root::ceph_conf_of(cluster)
    });
    let mut files: Vec<PathBuf> = paths(&conf).map(PathBuf::from).collect();
    if let Some(keyrings) = &options.keyring {
        files.extend(paths(keyrings).map(PathBuf::from));
    }
    files.extend(options.keyfile.clone());
    // A file on the image itself would form a cycle: the image is mapped before its file system is mounted. Mapping then
    // reports the missing file.
    files.retain(|file| {
        file.is_absolute() && !targets.iter().any(|target| file.starts_with(target))
    });
    files
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
        let config = InstanceConfig {
            source_path: Path::new(TABLE),
            needed_files: needed_files(&entries[0], &targets),
            nofail_dependents: None,
        };
        let Content::Text(text) = config.drop_in("x.service").content else {
            panic!("no text for {line}")
        };
        text.lines()
            .find_map(|line| line.strip_prefix("RequiresMountsFor="))
            .unwrap()
            .to_owned()
    }

    #[test]
    fn an_instance_requires_the_mounts_of_the_files_in_its_line() {
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
    fn an_instance_does_not_require_the_mount_of_its_own_image() {
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
