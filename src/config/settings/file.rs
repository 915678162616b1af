//! The settings files: which there are, and their text. Settings name programs that run as root, so a file that a user other
//! than root can change is refused.

use std::fs::{self, OpenOptions};
use std::io::{self, ErrorKind, Read};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use nix::libc::O_NONBLOCK;

use crate::model::fault::{Fault, Position};
use crate::runtime::root::Root;
use crate::sys::file_trust;

/// `rbdmap.toml`, then `rbdmap.toml.d/*.toml` by name. Hidden files are skipped: editors make them.
pub fn list(root: &Root) -> (Vec<PathBuf>, Vec<Fault>) {
    let directory = root.settings_fragments();
    let mut paths = vec![root.settings()];
    let mut faults = Vec::new();
    match fragments(&directory) {
        Ok(fragments) => paths.extend(fragments),
        Err(error) if error.kind() == ErrorKind::NotFound => {}
        Err(error) => {
            let message = format!("cannot be listed: {error}");
            faults.push(Fault::new(&directory, Position::FILE, message));
        }
    }
    (paths, faults)
}

fn fragments(directory: &Path) -> io::Result<Vec<PathBuf>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(directory)? {
        let name = entry?.file_name();
        let bytes = name.as_encoded_bytes();
        if !bytes.starts_with(b".") && bytes.ends_with(b".toml") {
            names.push(name);
        }
    }
    // A later file overrides an earlier one, so the order must not depend on the file system.
    names.sort();
    Ok(names.iter().map(|name| directory.join(name)).collect())
}

/// A file's text; `None` if the file does not exist.
pub fn text(path: &Path) -> Result<Option<String>, Fault> {
    let bytes = match read(path) {
        Ok(Some(bytes)) => bytes,
        Ok(None) => return Ok(None),
        Err(error) => return Err(Fault::new(path, Position::FILE, format!("{error:#}"))),
    };
    String::from_utf8(bytes).map(Some).map_err(|error| {
        let valid_length = error.utf8_error().valid_up_to();
        let valid = String::from_utf8_lossy(&error.as_bytes()[..valid_length]);
        let position = Position::from_offset(&valid, valid.len());
        Fault::new(path, position, "not UTF-8, expected a TOML file")
    })
}

fn read(path: &Path) -> Result<Option<Vec<u8>>> {
    // Without O_NONBLOCK, opening a pipe would block until somebody writes to it.
    let opened = OpenOptions::new()
        .read(true)
        .custom_flags(O_NONBLOCK)
        .open(path);
    let mut file = match opened {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error).context("cannot be read"),
    };
    file_trust::check_file(&file, path)?;
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes).context("cannot be read")?;
    Ok(Some(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::runtime::fake_root::FakeRoot;

    fn fault(path: &Path) -> String {
        let fault = text(path).unwrap_err().to_string();
        fault.replace(&*path.to_string_lossy(), "FILE")
    }

    #[test]
    fn fragments_are_listed_by_name_without_hidden_and_other_files() {
        let root = FakeRoot::new();
        for name in [
            "20-b.toml",
            "10-a.toml",
            ".10-a.toml.swp",
            ".hidden.toml",
            "README",
        ] {
            root.write(Path::new("etc/rbdmap.toml.d").join(name), "");
        }
        let (paths, faults) = list(&root);
        let names: Vec<_> = paths
            .iter()
            .map(|path| path.file_name().unwrap().to_str().unwrap())
            .collect();
        assert_eq!(names, ["rbdmap.toml", "10-a.toml", "20-b.toml"]);
        assert_eq!(faults, []);
    }

    #[test]
    fn a_missing_file_is_not_a_fault() {
        let root = FakeRoot::new();
        assert_eq!(text(&root.settings()), Ok(None));
    }

    #[test]
    fn a_file_that_others_can_write_is_a_fault() {
        let root = FakeRoot::new();
        root.write("etc/rbdmap.toml", "hook = 1");
        root.set_mode("etc/rbdmap.toml", 0o662);
        assert_eq!(
            fault(&root.settings()),
            "FILE: writable by other users, who could run programs as root (mode 0662); run chmod go-w FILE"
        );
    }

    #[test]
    fn a_file_that_is_not_utf8_is_a_fault_at_the_first_wrong_byte() {
        let root = FakeRoot::new();
        root.write("etc/rbdmap.toml", b"# fine\n# \xff");
        root.set_mode("etc/rbdmap.toml", 0o644);
        assert_eq!(
            fault(&root.settings()),
            "FILE:2:3: not UTF-8, expected a TOML file"
        );
    }

    #[test]
    fn a_pipe_or_a_directory_is_a_fault_and_does_not_block() {
        let root = FakeRoot::new();
        fs::create_dir_all(root.settings_fragments()).unwrap();
        nix::unistd::mkfifo(&root.settings(), nix::sys::stat::Mode::S_IRUSR).unwrap();
        for path in [root.settings(), root.settings_fragments()] {
            assert_eq!(fault(&path), "FILE: not a regular file");
        }
    }
}
