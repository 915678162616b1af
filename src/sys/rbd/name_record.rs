//! Names of mapped images, as earlier runs have read them: each of hundreds of images has a unit, which would read the names of
//! all to find its own.
//!
//! `/run/rbdmap/names` has a line for each mapping that a run was about: `NAME INODE NUMBER BOOT`, the inode of the entry N in
//! `/sys/bus/rbd/devices` and the boot's id, for neither is given to anything else as long as the kernel runs (linux
//! `fs/kernfs/dir.c`, __kernfs_new_node). So a line that is old says nothing about what is there now, a line that was cut off
//! says nothing at all, and of what no line tells the name is read. Nobody waits for anybody.

use std::collections::BTreeMap;
use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;

use crate::runtime::root::Root;
use crate::sys::file;

/// A device by its number and the inode of its entry on the bus.
pub type Key = (u32, u64);

/// How long the file gets before a new one is begun, in bytes: some four thousand lines.
const LONGEST: u64 = 1 << 18;

/// What was written down in this boot. Nothing, where there is no such file or it is not for us.
pub fn read(root: &Root) -> BTreeMap<Key, String> {
    let Some(boot) = boot(root) else {
        return BTreeMap::new();
    };
    let text = fs::read_to_string(root.names()).unwrap_or_default();
    text.lines().filter_map(|line| parse(line, &boot)).collect()
}

/// Writes a name down, if it is one that fits into a line.
pub fn add(root: &Root, (number, inode): Key, name: &str) -> io::Result<()> {
    let Some(boot) = boot(root).filter(|_| !name.contains(char::is_whitespace)) else {
        return Ok(());
    };
    let (path, mut options) = (root.names(), OpenOptions::new());
    options.append(true).create(true).mode(0o600);
    let mut file = options.open(&path)?;
    if file.metadata()?.len() > LONGEST {
        fs::remove_file(&path)?;
        file = options.open(&path)?;
    }
    // In one write, which is not mixed with another's.
    file.write_all(format!("{name} {inode} {number} {boot}\n").as_bytes())
}

fn parse(line: &str, boot: &str) -> Option<(Key, String)> {
    let mut words = line.split(' ');
    let (name, inode, number) = (
        words.next()?,
        words.next()?.parse().ok()?,
        words.next()?.parse().ok()?,
    );
    (words.next() == Some(boot) && words.next().is_none())
        .then(|| ((number, inode), name.to_owned()))
}

fn boot(root: &Root) -> Option<String> {
    file::attribute(&root.boot_id()).filter(|boot| !boot.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A machine in its boot `one`.
    fn booted() -> (tempfile::TempDir, Root) {
        let folder = tempfile::tempdir().unwrap();
        let root = Root::new(folder.path());
        fs::create_dir_all(root.boot_id().parent().unwrap()).unwrap();
        fs::create_dir_all(root.locks()).unwrap();
        fs::write(root.boot_id(), "one\n").unwrap();
        (folder, root)
    }

    #[test]
    fn a_name_is_known_by_number_and_inode_in_its_boot_only() {
        let (_folder, root) = booted();
        add(&root, (0, 70), "a").unwrap();
        add(&root, (1, 71), "b").unwrap();
        assert_eq!(
            read(&root),
            BTreeMap::from([((0, 70), "a".to_owned()), ((1, 71), "b".to_owned())])
        );
        fs::write(root.boot_id(), "two\n").unwrap();
        assert_eq!(read(&root), BTreeMap::new());
    }

    #[test]
    fn what_does_not_fit_into_a_line_or_was_cut_off_is_no_name() {
        let (_folder, root) = booted();
        add(&root, (0, 70), "a 70 0 one").unwrap();
        add(&root, (0, 70), "a\nb").unwrap();
        assert!(!root.names().exists());
        for line in [
            "",
            "a",
            "a 70",
            "a 70 0",
            "a 70 0 on",
            "a 70 0 one ",
            "a 70 0 onea 70 0 one",
            "a x 0 one",
            "a 70 -1 one",
        ] {
            fs::write(root.names(), line).unwrap();
            assert_eq!(read(&root), BTreeMap::new(), "{line:?}");
        }
    }

    #[test]
    fn a_file_that_is_too_long_is_begun_anew() {
        let (_folder, root) = booted();
        fs::write(
            root.names(),
            "x".repeat(usize::try_from(LONGEST).unwrap() + 1),
        )
        .unwrap();
        add(&root, (0, 70), "a").unwrap();
        assert_eq!(fs::read_to_string(root.names()).unwrap(), "a 70 0 one\n");
    }
}
