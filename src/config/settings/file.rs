//! The settings files themselves: which there are, and their text. They can name programs that run as root, so one that
//! others may write is refused.

use std::fs::{self, OpenOptions};
use std::io::{self, ErrorKind, Read};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use nix::libc::O_NONBLOCK;

use super::value::place;
use crate::model::fault::Fault;
use crate::runtime::root::Root;
use crate::sys::file_trust;

/// `rbdmap.toml`, then `rbdmap.toml.d/*.toml` by name. Hidden files are an editor's and no settings.
pub fn list(root: &Root) -> (Vec<PathBuf>, Vec<Fault>) {
    let folder = root.settings_fragments();
    match fragments(&folder) {
        Ok(paths) => (
            [root.settings()].into_iter().chain(paths).collect(),
            Vec::new(),
        ),
        Err(error) if error.kind() == ErrorKind::NotFound => (vec![root.settings()], Vec::new()),
        Err(error) => (
            vec![root.settings()],
            vec![Fault::new(
                &folder,
                (0, 0),
                format!("cannot be listed: {error}"),
            )],
        ),
    }
}

fn fragments(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut names = fs::read_dir(folder)?
        .map(|entry| Ok(entry?.file_name()))
        .collect::<io::Result<Vec<_>>>()?;
    names.retain(|name| {
        !name.as_encoded_bytes().starts_with(b".") && name.as_encoded_bytes().ends_with(b".toml")
    });
    names.sort();
    Ok(names.iter().map(|name| folder.join(name)).collect())
}

/// A file's text; `None` where there is no such file.
pub fn text(path: &Path) -> Result<Option<String>, Fault> {
    let whole = |message| Fault::new(path, (0, 0), message);
    let bytes = match read(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(whole(format!("cannot be read: {error}"))),
        Ok(Err(message)) => return Err(whole(message)),
        Ok(Ok(bytes)) => bytes,
    };
    String::from_utf8(bytes).map(Some).map_err(|error| {
        let good = String::from_utf8_lossy(&error.as_bytes()[..error.utf8_error().valid_up_to()]);
        Fault::new(
            path,
            place(&good, good.len()),
            "not UTF-8, expected a TOML file",
        )
    })
}

/// The bytes, or why they are not to be trusted. A pipe does not block, and is refused.
fn read(path: &Path) -> io::Result<Result<Vec<u8>, String>> {
    let mut file = OpenOptions::new()
        .read(true)
        .custom_flags(O_NONBLOCK)
        .open(path)?;
    if let Err(error) = file_trust::check_file(&file, path) {
        return Ok(Err(error.to_string()));
    }
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes)?;
    Ok(Ok(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    fn machine() -> (tempfile::TempDir, Root) {
        let folder = tempfile::tempdir().unwrap();
        let root = Root::new(folder.path());
        fs::create_dir_all(root.settings_fragments()).unwrap();
        (folder, root)
    }

    fn wrong(path: &Path) -> String {
        let fault = text(path).unwrap_err().to_string();
        fault.replace(&*path.to_string_lossy(), "FILE")
    }

    #[test]
    fn fragments_are_listed_by_name_and_only_those() {
        let (_folder, root) = machine();
        for name in [
            "20-b.toml",
            "10-a.toml",
            ".10-a.toml.swp",
            ".hidden.toml",
            "README",
        ] {
            fs::write(root.settings_fragments().join(name), "").unwrap();
        }
        let (paths, faults) = list(&root);
        let names: Vec<_> = paths
            .iter()
            .map(|path| path.file_name().unwrap().to_str().unwrap())
            .collect();
        assert_eq!(
            (names.as_slice(), faults.len()),
            (["rbdmap.toml", "10-a.toml", "20-b.toml"].as_slice(), 0)
        );
    }

    #[test]
    fn a_file_that_is_not_there_is_no_fault() {
        let (_folder, root) = machine();
        assert_eq!(text(&root.settings()), Ok(None));
    }

    #[test]
    fn a_file_that_cannot_be_trusted_or_read_is_a_fault() {
        let (_folder, root) = machine();
        let path = root.settings();
        fs::write(&path, "hook = 1").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o662)).unwrap();
        let expected = "FILE: writable by other users, who could run programs as root (mode 0662); run chmod go-w FILE";
        assert_eq!(wrong(&path), expected);
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        fs::write(&path, b"# fine\n# \xff").unwrap();
        assert_eq!(wrong(&path), "FILE:2:3: not UTF-8, expected a TOML file");
        fs::remove_file(&path).unwrap();
        nix::unistd::mkfifo(&path, nix::sys::stat::Mode::S_IRUSR).unwrap();
        assert_eq!(wrong(&path), "FILE: not a regular file");
        assert_eq!(
            wrong(&root.settings_fragments()),
            "FILE: not a regular file"
        );
    }
}
