//! Paths without symbolic links, as the kernel shows them in mountinfo and as systemd names the units of mounts.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};

use crate::runtime::root::Root;

/// A path without symbolic links. One that does not exist is returned unchanged: nothing can be mounted there.
pub fn resolve(root: &Root, path: &Path) -> PathBuf {
    fs::canonicalize(root.join(path)).unwrap_or_else(|_| path.to_path_buf())
}

/// Resolves mount points, which may not exist yet, and looks at each directory once: many have the same parent.
pub struct MountPointResolver<'a> {
    root: &'a Root,
    /// The root without symbolic links; `None` if it does not exist.
    base: Option<PathBuf>,
    /// Paths that were looked at, without symbolic links; `None` for one that does not exist.
    known: HashMap<PathBuf, Option<PathBuf>>,
}

impl<'a> MountPointResolver<'a> {
    /// A resolver that has not looked at anything.
    pub fn new(root: &'a Root) -> Self {
        Self {
            root,
            base: root.join("/").canonicalize().ok(),
            known: HashMap::new(),
        }
    }

    /// A mount point without double or trailing slashes, and without symbolic links as far as it exists: systemd names
    /// the unit by that.
    pub fn resolve(&mut self, target: &Path) -> PathBuf {
        let plain: PathBuf = target.components().collect();
        // The mount point of swap is a word such as `none`.
        if !plain.is_absolute() {
            return plain;
        }
        let Some(base) = self.base.clone() else {
            return plain;
        };
        for existing in plain.ancestors() {
            let Some(real) = self.real(existing, existing == plain) else {
                continue;
            };
            // A link out of the root cannot be followed below the root.
            let Ok(real) = real.strip_prefix(&base) else {
                return plain;
            };
            let rest = plain.strip_prefix(existing).unwrap_or(Path::new(""));
            // Joining an empty path adds a slash, which `components` removes.
            let resolved = Path::new("/").join(real).join(rest);
            return resolved.components().collect();
        }
        plain
    }

    /// The path without symbolic links; `None` if it does not exist.
    fn real(&mut self, path: &Path, is_mount_point: bool) -> Option<PathBuf> {
        if let Some(known) = self.known.get(path) {
            return known.clone();
        }
        let real = match path.parent().filter(|_| is_mount_point) {
            Some(parent) => self.real_in(parent, path),
            None => self.root.join(path).canonicalize().ok(),
        };
        self.known.insert(path.to_owned(), real.clone());
        real
    }

    /// The same through the directory above, which most often is known. Then a mount point that is no symbolic link takes one
    /// system call instead of one for each directory on the way.
    fn real_in(&mut self, parent: &Path, path: &Path) -> Option<PathBuf> {
        let real_parent = self.real(parent, false)?;
        let place = self.root.join(path);
        if fs::symlink_metadata(&place).ok()?.is_symlink() {
            return place.canonicalize().ok();
        }
        Some(real_parent.join(path.file_name()?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::runtime::fake_root::FakeRoot;
    use std::os::unix::fs::symlink;

    #[test]
    fn a_path_that_exists_has_no_links_and_another_is_unchanged() {
        let root = FakeRoot::new();
        root.write("srv/file", "");
        symlink("srv", root.join("data")).unwrap();
        let base = root.path().canonicalize().unwrap();
        assert_eq!(
            resolve(&root, Path::new("/data/file")),
            base.join("srv/file")
        );
        assert_eq!(
            resolve(&root, Path::new("/data/new")),
            Path::new("/data/new")
        );
    }

    #[test]
    fn mount_points_are_resolved_as_far_as_they_exist() {
        let root = FakeRoot::new();
        fs::create_dir_all(root.join("srv/deep")).unwrap();
        symlink("srv", root.join("data")).unwrap();
        symlink("deep", root.join("srv/link")).unwrap();
        symlink("/", root.join("outside")).unwrap();
        let cases = [
            ("/data/deep", "/srv/deep"),
            ("/data/link", "/srv/deep"),
            ("/data/new/x", "/srv/new/x"),
            ("/mnt//x/", "/mnt/x"),
            ("/outside/x", "/outside/x"),
            ("none", "none"),
        ];
        let mut shared = MountPointResolver::new(&root);
        for (target, expected) in cases {
            for resolver in [&mut MountPointResolver::new(&root), &mut shared] {
                assert_eq!(
                    resolver.resolve(Path::new(target)),
                    Path::new(expected),
                    "{target}"
                );
            }
        }
    }
}
