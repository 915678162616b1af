//! Processes that use a device or a file system: by an open file, the working directory, the root directory, the program,
//! or a mapped file.

use std::fs;
use std::path::{Path, PathBuf};

use super::held::Held;
use super::process_info::ProcessReader;
use crate::model::holder::{Holder, Process};
use crate::runtime::root::Root;
use crate::sys::file::read_if_there;

/// All processes of the machine.
pub struct Processes<'a> {
    root: &'a Root,
    /// The numbers in ascending order, without this process.
    pids: Vec<u32>,
    reader: ProcessReader<'a>,
}

impl<'a> Processes<'a> {
    /// The processes that run now.
    pub fn list(root: &'a Root) -> Self {
        let entries = fs::read_dir(root.proc("")).into_iter().flatten().flatten();
        let mut pids: Vec<u32> = entries
            .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
            .collect();
        pids.retain(|pid| *pid != std::process::id());
        pids.sort_unstable();
        Self {
            root,
            pids,
            reader: ProcessReader::new(root),
        }
    }

    /// The numbers of the processes.
    pub fn pids(&self) -> &[u32] {
        &self.pids
    }

    /// Describes one of the processes.
    pub fn describe(&self, pid: u32) -> Process {
        self.reader.describe(pid)
    }

    /// The processes with a link in /proc for which `find` returns a path, or with a held file in memory. Each is named once,
    /// with the first such path.
    pub fn holding(&self, held: &Held, find: impl Fn(&Path) -> Option<PathBuf>) -> Vec<Holder> {
        let mut holders = Vec::new();
        for pid in &self.pids {
            let directory = self.root.proc(pid.to_string());
            // A process that ends meanwhile has no links and no maps, and so holds nothing.
            let path = links(&directory).iter().find_map(|link| find(link));
            if let Some(path) = path.or_else(|| mapped_file(&directory, held)) {
                let path = path.display().to_string();
                holders.push(Holder::Process(self.describe(*pid), path));
            }
        }
        holders
    }
}

/// The links of a process to files and directories that it uses.
fn links(process: &Path) -> Vec<PathBuf> {
    let mut links: Vec<PathBuf> = ["cwd", "root", "exe"].map(|name| process.join(name)).into();
    let files = fs::read_dir(process.join("fd")).into_iter().flatten();
    links.extend(files.flatten().map(|file| file.path()));
    links
}

/// A held file that is mapped into the memory of a process, which may have closed it since.
fn mapped_file(process: &Path, held: &Held) -> Option<PathBuf> {
    let maps = read_if_there(&process.join("maps")).ok()??;
    maps.lines().find_map(|line| held_mapping(line, held))
}

/// The path in a line of `maps`, if it is held. The format is `range mode offset device inode path`.
fn held_mapping(line: &str, held: &Held) -> Option<PathBuf> {
    let mut words = line.splitn(6, ' ');
    let (major, minor) = words.nth(3)?.split_once(':')?;
    let number = (
        u32::from_str_radix(major, 16).ok()?,
        u32::from_str_radix(minor, 16).ok()?,
    );
    let path = PathBuf::from(words.nth(1)?.trim_start());
    // The path may be one of another mount namespace. The device number of btrfs is not that of its disk.
    let is_on_node = held.nodes.iter().any(|node| node.number == number);
    (is_on_node || held.contains_path(&path)).then_some(path)
}
