//! The generator, called as systemd calls it, on the machines of tests/cases: what it writes (`golden`), whether systemd accepts
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

/// systemd's own generator. systemd's build sets the path; it is valid where /lib is /usr/lib.
const FSTAB_GENERATOR: &str = "/usr/lib/systemd/system-generators/systemd-fstab-generator";

/// A directory of tests/cases: a machine's files, and the files that the generator must write for it.
struct Case {
    name: String,
    root: PathBuf,
}

/// What a generator wrote.
struct Generated {
    directory: TempDir,
    messages: String,
}

/// All cases, by name.
fn cases() -> Vec<Case> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases");
    let directories = fs::read_dir(directory)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.is_dir());
    let mut cases: Vec<Case> = directories
        .map(|root| Case {
            name: root.file_name().unwrap().to_string_lossy().into_owned(),
            root,
        })
        .collect();
    cases.sort_by(|a, b| a.name.cmp(&b.name));
    assert!(cases.len() > 10, "only {} cases were found", cases.len());
    cases
}

impl Case {
    /// Runs rbdmap's generator on the case.
    fn generate(&self) -> Generated {
        self.generate_on(&self.root)
    }

    /// Runs it with the case's fstab after `rewrite`.
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
        let directory = tempfile::tempdir().unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_rbdmap"));
        command.arg("--root").arg(root).arg("generator");
        let directories = ["normal", "early", "late"].map(|name| directory.path().join(name));
        let output = run(command.args(directories));
        assert!(output.status.success(), "{}: {output:?}", self.name);
        let messages = String::from_utf8(output.stderr)
            .unwrap()
            .replace(root.to_str().unwrap(), "");
        Generated {
            directory,
            messages,
        }
    }

    fn fstab(&self) -> Option<String> {
        fs::read_to_string(self.root.join("etc/fstab")).ok()
    }

    /// Runs systemd's generator on the case's fstab after `rewrite`.
    fn generate_as_systemd(&self, rewrite: impl Fn(&str) -> String) -> Generated {
        let directory = tempfile::tempdir().unwrap();
        let fstab = directory.path().join("fstab");
        fs::write(&fstab, rewrite(&self.fstab().unwrap_or_default())).unwrap();
        let directories = ["normal", "early", "late"].map(|name| directory.path().join(name));
        for directory in &directories {
            fs::create_dir(directory).unwrap();
        }
        // It logs to standard error, which this function returns, instead of the kernel log.
        let environment = [
            ("SYSTEMD_FSTAB", fstab.as_os_str()),
            ("SYSTEMD_LOG_TARGET", "console".as_ref()),
        ];
        let output = run(Command::new(FSTAB_GENERATOR)
            .args(directories)
            .envs(environment));
        Generated {
            directory,
            messages: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }
}

impl Generated {
    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// The text of each file, and for each link an arrow and its target, by the path below `name`.
    fn files(&self, name: &str) -> BTreeMap<String, String> {
        files_below(&self.path(name))
    }
}

/// Like [`Generated::files`], for any directory. One that does not exist has no files.
fn files_below(directory: &Path) -> BTreeMap<String, String> {
    let mut files = BTreeMap::new();
    for entry in fs::read_dir(directory).into_iter().flatten() {
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

/// Runs a program. If it is not installed, the test fails: a test that cannot run has not passed.
fn run(command: &mut Command) -> Output {
    let name = command.get_program().to_owned();
    command.output().unwrap_or_else(|error| {
        panic!(
            "{}: {error}; install it from the Debian package systemd or diffutils",
            name.display()
        )
    })
}
