//! The generator as systemd calls it, on the machines of tests/cases: what it writes (`golden`), what systemd makes of
//! that (`verify`), and whether systemd's own generator would have written the same (`oracle`).

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod golden;
mod oracle;
mod verify;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use tempfile::TempDir;

/// systemd's own; a path of systemd's build, the same wherever /lib is /usr/lib.
const FSTAB_GENERATOR: &str = "/usr/lib/systemd/system-generators/systemd-fstab-generator";

/// A folder of tests/cases: a machine's files, and what is expected of the generator on it.
struct Case {
    name: String,
    root: PathBuf,
}

/// What a generator left behind.
struct Generated {
    folder: TempDir,
    messages: String,
}

/// Every case there is.
fn cases() -> Vec<Case> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases");
    let folders = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.is_dir());
    let mut cases: Vec<Case> = folders
        .map(|root| Case {
            name: root.file_name().unwrap().to_string_lossy().into_owned(),
            root,
        })
        .collect();
    cases.sort_by(|a, b| a.name.cmp(&b.name));
    assert!(cases.len() > 10, "tests/cases is not where it was");
    cases
}

impl Case {
    /// Runs rbdmap's generator on the case.
    fn generate(&self) -> Generated {
        self.generate_on(&self.root)
    }

    /// The same with the case's fstab as `rewrite` leaves it.
    fn generate_with(&self, rewrite: impl Fn(&str) -> String) -> Generated {
        let machine = tempfile::tempdir().unwrap();
        let copied = run(Command::new("cp")
            .arg("-a")
            .arg(self.root.join("."))
            .arg(machine.path()));
        assert!(copied.status.success(), "{}: {copied:?}", self.name);
        if let Some(fstab) = self.fstab() {
            fs::write(machine.path().join("etc/fstab"), rewrite(&fstab)).unwrap();
        }
        self.generate_on(machine.path())
    }

    fn generate_on(&self, root: &Path) -> Generated {
        let folder = tempfile::tempdir().unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_rbdmap"));
        command.arg("--root").arg(root).arg("generator");
        let output =
            run(command.args(["normal", "early", "late"].map(|name| folder.path().join(name))));
        assert!(output.status.success(), "{}: {output:?}", self.name);
        let messages = String::from_utf8(output.stderr)
            .unwrap()
            .replace(root.to_str().unwrap(), "");
        Generated { folder, messages }
    }

    fn fstab(&self) -> Option<String> {
        fs::read_to_string(self.root.join("etc/fstab")).ok()
    }

    /// Runs systemd's generator on the case's fstab as `rewrite` leaves it.
    fn generate_as_systemd(&self, rewrite: impl Fn(&str) -> String) -> Generated {
        let folder = tempfile::tempdir().unwrap();
        let fstab = folder.path().join("fstab");
        fs::write(&fstab, rewrite(&self.fstab().unwrap_or_default())).unwrap();
        let folders = ["normal", "early", "late"].map(|name| folder.path().join(name));
        folders
            .iter()
            .for_each(|folder| fs::create_dir(folder).unwrap());
        // Said to the console so that the answer is ours and not the kernel log's.
        let environment = [
            ("SYSTEMD_FSTAB", fstab.as_os_str()),
            ("SYSTEMD_LOG_TARGET", "console".as_ref()),
        ];
        let output = run(Command::new(FSTAB_GENERATOR)
            .args(folders)
            .envs(environment));
        Generated {
            folder,
            messages: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }
}

impl Generated {
    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Files with their text, links with an arrow and where they lead, by their paths below `name`.
    fn files(&self, name: &str) -> BTreeMap<String, String> {
        files_below(&self.path(name))
    }
}

/// As [`Generated::files`], for any folder; none where there is no folder.
fn files_below(folder: &Path) -> BTreeMap<String, String> {
    let mut files = BTreeMap::new();
    for entry in fs::read_dir(folder).into_iter().flatten() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        if path.is_symlink() {
            files.insert(name, format!("-> {}", path.read_link().unwrap().display()));
        } else if path.is_dir() {
            files.extend(
                files_below(&path)
                    .into_iter()
                    .map(|(below, text)| (format!("{name}/{below}"), text)),
            );
        } else {
            files.insert(name, fs::read_to_string(&path).unwrap());
        }
    }
    files
}

/// A command that must be there: a test that cannot run has not passed.
fn run(command: &mut Command) -> Output {
    let name = command.get_program().to_owned();
    command.output().unwrap_or_else(|error| {
        panic!(
            "{}: {error}; the Debian packages systemd and diffutils have it",
            name.display()
        )
    })
}
