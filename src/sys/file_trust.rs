//! Decides whether a file can be trusted by a program that runs as root: whether another user could have changed or replaced it,
//! and whether another user can read a secret in it.
//!
//! Trusted users are root and whoever runs this program, which is root except in tests.

use std::fmt;
use std::fs::{self, File, Metadata};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use nix::unistd::geteuid;

/// The permission bits by which users other than the owner can write.
const WRITABLE_BY_OTHERS: u32 = 0o022;
/// The permission bit by which all users can read.
const READABLE_BY_ALL: u32 = 0o004;
const EXECUTABLE: u32 = 0o111;

/// A file or directory that cannot be trusted. The text says why and what to do, without naming the path first.
#[derive(Debug)]
pub struct TrustError {
    path: PathBuf,
    reason: Distrust,
}

#[derive(Debug)]
enum Distrust {
    Unknown(io::Error),
    NotRegular,
    NotExecutable,
    Owner(u32),
    Writable(u32),
    Readable(u32),
}

impl TrustError {
    /// The file, or a directory above it.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl fmt::Display for TrustError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = self.path.display();
        match &self.reason {
            Distrust::Unknown(error) => write!(f, "cannot be found: {error}"),
            Distrust::NotRegular => f.write_str("not a regular file"),
            Distrust::NotExecutable => {
                write!(f, "not executable; run chmod +x {path}, or remove it")
            }
            Distrust::Owner(user) => write!(
                f,
                "owned by user {user}, who could run programs as root; run chown root {path}"
            ),
            Distrust::Writable(mode) => write!(
                f,
                "writable by other users, who could run programs as root (mode {mode:04o}); run chmod go-w {path}"
            ),
            Distrust::Readable(mode) => write!(
                f,
                "readable by all users (mode {mode:04o}); run chmod 600 {path}"
            ),
        }
    }
}

impl std::error::Error for TrustError {}

/// Whether an open configuration file can be trusted. It is checked after it is opened, so that nobody can replace it in between.
pub fn check_file(file: &File, path: &Path) -> Result<(), TrustError> {
    check(path, file.metadata(), Role::File)
}

/// Whether a program can be run as root: it and every directory above it, up to `base`. Where a symbolic link leads out of `base`,
/// every directory up to / counts.
pub fn check_program(program: &Path, base: &Path) -> Result<(), TrustError> {
    let real = fs::canonicalize(program).map_err(|error| TrustError {
        path: program.to_owned(),
        reason: Distrust::Unknown(error),
    })?;
    // Whoever can write to the directory of a symbolic link can replace the link.
    let above_link = program.ancestors().skip(1);
    for directory in above_link.take_while(|path| path.starts_with(base)) {
        check(directory, fs::metadata(directory), Role::Directory)?;
    }
    check(&real, fs::metadata(&real), Role::Program)?;
    let real_base = fs::canonicalize(base).unwrap_or_else(|_| base.to_owned());
    let is_outside = !real.starts_with(&real_base);
    let above = real.ancestors().skip(1);
    for directory in above.take_while(|path| is_outside || path.starts_with(&real_base)) {
        check(directory, fs::metadata(directory), Role::Directory)?;
    }
    Ok(())
}

/// Whether a file with a secret is hidden from other users. A file that does not exist reveals nothing.
pub fn check_secret(path: &Path) -> Result<(), TrustError> {
    let mode = fs::metadata(path).map_or(0, |metadata| metadata.mode() & 0o7777);
    if mode & READABLE_BY_ALL == 0 {
        return Ok(());
    }
    Err(TrustError {
        path: path.to_owned(),
        reason: Distrust::Readable(mode),
    })
}

/// What a path is used as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Role {
    Directory,
    File,
    Program,
}

/// What the decision depends on.
#[derive(Debug, Clone, Copy)]
struct FileFacts {
    is_regular: bool,
    /// The permission bits.
    mode: u32,
    owner: u32,
}

impl From<&Metadata> for FileFacts {
    fn from(metadata: &Metadata) -> Self {
        Self {
            is_regular: metadata.is_file(),
            mode: metadata.mode() & 0o7777,
            owner: metadata.uid(),
        }
    }
}

fn check(path: &Path, metadata: io::Result<Metadata>, role: Role) -> Result<(), TrustError> {
    let reason = match metadata {
        Ok(metadata) => distrust(FileFacts::from(&metadata), role, geteuid().as_raw()),
        Err(error) => Some(Distrust::Unknown(error)),
    };
    match reason {
        None => Ok(()),
        Some(reason) => Err(TrustError {
            path: path.to_owned(),
            reason,
        }),
    }
}

fn distrust(facts: FileFacts, role: Role, own_user: u32) -> Option<Distrust> {
    if role != Role::Directory && !facts.is_regular {
        Some(Distrust::NotRegular)
    } else if role == Role::Program && facts.mode & EXECUTABLE == 0 {
        Some(Distrust::NotExecutable)
    } else if facts.owner != 0 && facts.owner != own_user {
        Some(Distrust::Owner(facts.owner))
    } else if facts.mode & WRITABLE_BY_OTHERS != 0 {
        Some(Distrust::Writable(facts.mode))
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::runtime::fake_root::FakeRoot;
    use std::os::unix::fs::symlink;

    /// The reason as `Debug` prints it, empty if there is none.
    fn reason(role: Role, mode: u32, owner: u32) -> String {
        let facts = FileFacts {
            is_regular: role != Role::Directory,
            mode,
            owner,
        };
        distrust(facts, role, 1000).map_or_else(String::new, |reason| format!("{reason:?}"))
    }

    #[test]
    fn root_and_the_own_user_are_trusted_and_no_one_else() {
        for role in [Role::Directory, Role::File, Role::Program] {
            assert_eq!(reason(role, 0o755, 0), "");
            assert_eq!(reason(role, 0o755, 1000), "");
            assert_eq!(reason(role, 0o755, 1001), "Owner(1001)");
            assert_eq!(reason(role, 0o775, 0), "Writable(509)");
            assert_eq!(reason(role, 0o757, 0), "Writable(495)");
        }
    }

    #[test]
    fn a_program_is_executable_and_only_a_directory_is_not_regular() {
        assert_eq!(reason(Role::Program, 0o644, 0), "NotExecutable");
        assert_eq!(reason(Role::File, 0o644, 0), "");
        for role in [Role::File, Role::Program] {
            let facts = FileFacts {
                is_regular: false,
                mode: 0o755,
                owner: 0,
            };
            let reason = distrust(facts, role, 1000);
            assert!(matches!(reason, Some(Distrust::NotRegular)), "{role:?}");
        }
    }

    /// A program `base/directory/program`, and its check.
    fn machine() -> FakeRoot {
        let root = FakeRoot::new();
        root.write_program("base/directory/program", "");
        for directory in ["base", "base/directory"] {
            root.set_mode(directory, 0o755);
        }
        root
    }

    fn check_in(root: &FakeRoot) -> Option<(PathBuf, String)> {
        let program = root.join("base/directory/program");
        let error = check_program(&program, &root.join("base")).err()?;
        let path = error.path().strip_prefix(root.path()).unwrap();
        Some((path.to_owned(), error.to_string()))
    }

    #[test]
    fn every_directory_up_to_the_base_counts() {
        let root = machine();
        root.set_mode("", 0o777);
        assert_eq!(check_in(&root), None);
        for path in ["base", "base/directory", "base/directory/program"] {
            root.set_mode(path, 0o775);
            let (found, sentence) = check_in(&root).unwrap();
            assert_eq!(found, Path::new(path));
            let remedy = format!("run chmod go-w {}", root.join(path).display());
            assert!(sentence.ends_with(&remedy), "{sentence}");
            root.set_mode(path, 0o755);
        }
    }

    #[test]
    fn a_link_is_followed_and_all_directories_of_its_target_count() {
        let root = machine();
        fs::rename(
            root.join("base/directory/program"),
            root.join("base/program"),
        )
        .unwrap();
        symlink("../program", root.join("base/directory/program")).unwrap();
        assert_eq!(check_in(&root), None);
        root.write_program("open/program", "");
        root.set_mode("open", 0o777);
        fs::remove_file(root.join("base/directory/program")).unwrap();
        symlink(
            root.join("open/program"),
            root.join("base/directory/program"),
        )
        .unwrap();
        assert_eq!(check_in(&root).unwrap().0, Path::new("open"));
        fs::remove_file(root.join("open/program")).unwrap();
        assert!(check_in(&root).unwrap().1.starts_with("cannot be found"));
    }

    #[test]
    fn a_secret_that_all_users_can_read_is_reported() {
        let root = FakeRoot::new();
        let path = root.join("keyring");
        assert!(check_secret(&path).is_ok());
        root.write("keyring", "");
        root.set_mode("keyring", 0o640);
        assert!(check_secret(&path).is_ok());
        root.set_mode("keyring", 0o644);
        assert_eq!(
            check_secret(&path).unwrap_err().to_string(),
            format!(
                "readable by all users (mode 0644); run chmod 600 {}",
                path.display()
            )
        );
    }
}
