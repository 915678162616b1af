//! A directory that stands for `/` in unit tests, with the files that a test writes. It is removed when it is dropped.

use std::fs;
use std::ops::Deref;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::process::Command;

use tempfile::TempDir;

use super::root::Root;

/// The directory. It dereferences to its [`Root`].
pub struct FakeRoot {
    directory: TempDir,
    root: Root,
}

impl FakeRoot {
    /// An empty root.
    pub fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let root = Root::new(directory.path());
        Self { directory, root }
    }

    /// The directory itself.
    pub fn path(&self) -> &Path {
        self.directory.path()
    }

    /// Writes a file, and makes its parent directories.
    pub fn write(&self, path: impl AsRef<Path>, text: impl AsRef<[u8]>) {
        let path = self.root.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    /// Makes a symbolic link, and the directories above it.
    pub fn link(&self, path: impl AsRef<Path>, target: impl AsRef<Path>) {
        let path = self.root.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        symlink(target, path).unwrap();
    }

    /// Writes a program with mode 0755.
    pub fn write_program(&self, path: impl AsRef<Path>, text: &str) {
        self.write("program", text);
        let program = self.root.join(&path);
        fs::create_dir_all(program.parent().unwrap()).unwrap();
        // A child that another test forks meanwhile inherits each file that is open for writing here, and until it executes
        // its own program the kernel refuses to execute this one (ETXTBSY). So only cp(1) has the program open for writing.
        let copied = Command::new("cp")
            .arg(self.root.join("program"))
            .arg(&program)
            .status();
        assert!(copied.unwrap().success());
        fs::remove_file(self.root.join("program")).unwrap();
        self.set_mode(path, 0o755);
    }

    /// Sets the permissions of a file or directory.
    pub fn set_mode(&self, path: impl AsRef<Path>, mode: u32) {
        let permissions = fs::Permissions::from_mode(mode);
        fs::set_permissions(self.root.join(path), permissions).unwrap();
    }

    /// Maps `POOL/IMAGE` as /dev/rbdID, as the kernel shows it in sysfs: major number 252, 16 minor numbers each.
    pub fn map_image(&self, id: u32, spec: &str) {
        let (pool, image) = spec.split_once('/').unwrap();
        let minor = (id * 16).to_string();
        let attributes = [
            ("pool", pool),
            ("name", image),
            ("current_snap", "-"),
            ("major", "252"),
            ("minor", &minor),
        ];
        for (name, text) in attributes {
            self.write(format!("sys/bus/rbd/devices/{id}/{name}"), text);
        }
        self.write(format!("sys/block/rbd{id}/dev"), format!("252:{minor}"));
        self.write(format!("dev/rbd{id}"), "");
    }
}

impl Deref for FakeRoot {
    type Target = Root;

    fn deref(&self) -> &Root {
        &self.root
    }
}
