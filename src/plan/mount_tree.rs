//! The mounts of a namespace as a tree: which mount a path lies in.
//!
//! Mount points alone do not answer that. Of two mounts at one mount point only the upper can be reached, and a mount over a
//! parent directory hides all that was mounted inside it before. mountinfo has each mount's parent (proc(5)). With these,
//! the kernel's own walk along a path is repeated here without access to a file system, which might not answer.

use std::collections::HashMap;
use std::path::Path;

use libmount::Mounted;

/// A list of mounts and how they are nested. Mounts are named by their index in the list.
pub struct MountTree<'a> {
    /// The list, in the kernel's order.
    pub mounts: &'a [Mounted],
    parent: Vec<Option<usize>>,
    /// By the mount and the mount point in it. A second mount at one mount point has the first as its parent.
    children: HashMap<(Option<usize>, &'a Path), usize>,
}

impl<'a> MountTree<'a> {
    /// The tree of all mounts of one mountinfo.
    pub fn new(mounts: &'a [Mounted]) -> Self {
        let mut index_of: HashMap<i32, usize> = HashMap::new();
        for (at, mount) in mounts.iter().enumerate() {
            index_of.insert(mount.id, at);
        }
        let mut parent = Vec::with_capacity(mounts.len());
        let mut children = HashMap::new();
        for (at, mount) in mounts.iter().enumerate() {
            // The root of the namespace names a parent outside it, or itself.
            let above = (mount.parent != mount.id)
                .then(|| index_of.get(&mount.parent).copied())
                .flatten();
            parent.push(above);
            children.insert((above, mount.target.as_path()), at);
        }
        Self {
            mounts,
            parent,
            children,
        }
    }

    /// The mount that a mount's mount point lies in.
    pub fn parent(&self, at: usize) -> Option<usize> {
        self.parent[at]
    }

    /// The mount that a path leads into, as if `except` and all that is mounted inside it did not exist.
    pub fn lookup(&self, path: &Path, except: Option<usize>) -> Option<usize> {
        let mut prefixes: Vec<&Path> = path.ancestors().collect();
        prefixes.reverse();
        let mut here = None;
        // Each round enters a child. The number of rounds is limited because mountinfo is read while mounts change: it may
        // show a mount as its own ancestor.
        for _ in 0..=self.mounts.len() {
            // The shortest path counts: a mount over a parent directory hides those below it.
            let entered = prefixes
                .iter()
                .filter_map(|prefix| self.children.get(&(here, *prefix)).copied())
                .find(|child| Some(*child) != except);
            match entered {
                Some(child) => here = Some(child),
                None => break,
            }
        }
        here
    }

    /// The mount point of the mount that hides a mount: its own path leads into that other mount. Mounts for which
    /// `is_removed` holds do not hide it, because they are unmounted first.
    pub fn hidden_below(&self, at: usize, is_removed: impl Fn(usize) -> bool) -> Option<&'a Path> {
        let mut step = at;
        // As many rounds as there can be ancestors.
        for _ in 0..self.mounts.len() {
            let parent = self.parent[step];
            let hiding = self.mounts[step]
                .target
                .ancestors()
                .skip(1)
                .filter_map(|prefix| self.children.get(&(parent, prefix)).copied())
                .find(|other| !is_removed(*other));
            if let Some(other) = hiding {
                return Some(&self.mounts[other].target);
            }
            step = parent?;
        }
        None
    }
}

#[cfg(test)]
pub mod tests {
    use super::*;

    /// One mount per line: `id parent major:minor target [type [fs-options [source [root]]]]`; `_` stands for a space.
    pub fn mounts(text: &str) -> Vec<Mounted> {
        text.lines()
            .map(|line| {
                let words: Vec<String> = line
                    .split_whitespace()
                    .map(|word| word.replace('_', " "))
                    .collect();
                let word = |at: usize, default: &str| {
                    words.get(at).cloned().unwrap_or_else(|| default.to_owned())
                };
                let (major, minor) = words[2].split_once(':').unwrap();
                Mounted {
                    id: words[0].parse().unwrap(),
                    parent: words[1].parse().unwrap(),
                    device: (major.parse().unwrap(), minor.parse().unwrap()),
                    target: word(3, "").into(),
                    fstype: word(4, "xfs"),
                    fs_options: word(5, "rw"),
                    source: word(6, "none"),
                    root: word(7, "/").into(),
                    groups: String::new(),
                }
            })
            .collect()
    }

    #[test]
    fn a_path_leads_into_the_mount_that_the_kernel_would_find() {
        let list = mounts(
            "20 1 8:1 /\n21 20 0:5 /s\n22 21 8:2 /s/x\n23 20 8:3 /t/u\n24 20 8:4 /t\n25 24 8:5 /t/u/v\n26 22 8:6 /s/x",
        );
        let tree = MountTree::new(&list);
        let rows = [
            ("/", 20),
            ("/sx", 20),
            ("/s/y", 21),
            ("/s/x/deep", 26),
            ("/t/u", 24),
            ("/t/u/v/w", 25),
        ];
        for (path, id) in rows {
            assert_eq!(
                tree.lookup(Path::new(path), None).map(|at| list[at].id),
                Some(id),
                "{path}"
            );
        }
        assert_eq!(
            tree.lookup(Path::new("/s/x/deep"), Some(6))
                .map(|at| list[at].id),
            Some(22)
        );
    }

    #[test]
    fn a_mount_below_a_later_mount_is_hidden_until_that_is_removed() {
        let list =
            mounts("20 1 8:1 /\n23 20 8:3 /t/u\n24 20 8:4 /t\n25 24 8:5 /t/u\n26 23 8:6 /t/u/w");
        let tree = MountTree::new(&list);
        let hidden = |at: usize| tree.hidden_below(at, |_| false);
        assert_eq!(
            (hidden(1), hidden(4)),
            (Some(Path::new("/t")), Some(Path::new("/t")))
        );
        assert_eq!((hidden(0), hidden(2), hidden(3)), (None, None, None));
        assert_eq!(tree.hidden_below(1, |at| at == 2), None);
    }

    #[test]
    fn a_mountinfo_with_a_circle_does_not_hang() {
        let list = mounts("1 2 8:1 /a\n2 1 8:2 /a\n3 3 8:3 /a");
        let tree = MountTree::new(&list);
        assert_eq!(tree.lookup(Path::new("/a/b"), None), Some(2));
        assert_eq!(tree.hidden_below(0, |_| false), None);
    }
}
