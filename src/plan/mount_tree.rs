//! The mounts of a namespace as the tree that they are: which mount a path lies in.
//!
//! Mount points alone do not tell: of two mounts at one place only the upper can be reached, and a mount over a parent
//! folder hides all that was mounted inside it before. mountinfo has each mount's parent (proc(5)), and with these the
//! kernel's own walk along a path can be repeated without touching any file system, which might not answer.

use std::collections::HashMap;
use std::path::Path;

use libmount::Mounted;

/// A list of mounts with their relations. Mounts are meant by their place in the list.
pub struct MountTree<'a> {
    /// The list, in the kernel's order.
    pub mounts: &'a [Mounted],
    parent: Vec<Option<usize>>,
    /// By the mount and the mount point in it. A second mount at one place has the first as its parent.
    children: HashMap<(Option<usize>, &'a Path), usize>,
}

impl<'a> MountTree<'a> {
    /// The tree of all the mounts of one mountinfo.
    pub fn new(mounts: &'a [Mounted]) -> Self {
        let places: HashMap<i32, usize> = mounts
            .iter()
            .enumerate()
            .map(|(at, mount)| (mount.id, at))
            .collect();
        let parent = |mount: &Mounted| {
            places
                .get(&mount.parent)
                .copied()
                .filter(|at| mounts[*at].id != mount.id)
        };
        let parent: Vec<Option<usize>> = mounts.iter().map(parent).collect();
        let place =
            |(at, parent): (usize, &Option<usize>)| ((*parent, mounts[at].target.as_path()), at);
        let children = parent.iter().enumerate().map(place).collect();
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

    /// The mount that a path leads into; `but` is taken as not there, with all that is mounted inside it.
    pub fn lookup(&self, path: &Path, but: Option<usize>) -> Option<usize> {
        let mut prefixes: Vec<&Path> = path.ancestors().collect();
        prefixes.reverse();
        let mut here = None;
        // Each round enters a child, and a child is never its own ancestor unless mountinfo lies.
        for _ in 0..=self.mounts.len() {
            let child = |prefix: &&Path| {
                self.children
                    .get(&(here, *prefix))
                    .copied()
                    .filter(|at| Some(*at) != but)
            };
            match prefixes.iter().find_map(child) {
                Some(child) => here = Some(child),
                None => break,
            }
        }
        here
    }

    /// The mount point below which a mount is hidden: its own path leads into another mount then. What `goes` is not
    /// counted, for it will be gone first.
    pub fn hidden_below(&self, at: usize, goes: impl Fn(usize) -> bool) -> Option<&'a Path> {
        let mut step = at;
        // As many rounds as there can be ancestors.
        for _ in 0..self.mounts.len() {
            let parent = self.parent[step];
            let mut prefixes = self.mounts[step].target.ancestors().skip(1);
            let hides = |prefix: &Path| {
                self.children
                    .get(&(parent, prefix))
                    .copied()
                    .filter(|other| !goes(*other))
            };
            if let Some(other) = prefixes.find_map(hides) {
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

    /// `id parent major:minor target [type [fs-options [source [root]]]]` a line, `_` being a space.
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
    fn a_mount_below_a_later_one_is_hidden_until_that_goes() {
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
    fn a_mountinfo_that_lies_does_not_hang() {
        let list = mounts("1 2 8:1 /a\n2 1 8:2 /a\n3 3 8:3 /a");
        let tree = MountTree::new(&list);
        assert_eq!(tree.lookup(Path::new("/a/b"), None), Some(2));
        assert_eq!(tree.hidden_below(0, |_| false), None);
    }
}
