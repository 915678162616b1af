//! Writes the generated files into systemd's directories.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::{thread, vec};

use anyhow::{Context, Result};
use nix::errno::Errno;
use nix::fcntl::{OFlag, openat, readlinkat};
use nix::sys::stat::{Mode, mkdirat};
use nix::unistd::symlinkat;

use super::unit_file::{Content, GeneratedFile, UnitDirectory};
use crate::sys::kmsg_writer::{KernelMessage, KmsgWriter};

/// How many files a thread takes from the queue at once.
const BATCH_SIZE: usize = 64;

/// The directories that systemd gives to a generator. The third, which everything else overrides, is not used.
#[derive(Debug, Clone)]
pub struct Directories {
    /// The administrator's files override it.
    pub normal: PathBuf,
    /// It overrides everything, the administrator's files too.
    pub early: PathBuf,
}

/// Writes every file. A file that cannot be written is reported in the log and skipped; if no file can be written, that is an
/// error.
pub fn write_all(
    files: Vec<GeneratedFile>,
    directories: &Directories,
    log: &KmsgWriter,
) -> Result<()> {
    let results = write_in_two_threads(&Queue::new(files), directories);
    // If systemd's directory cannot be written, a thousand messages would say the same.
    let nothing_is_written = results.iter().all(Result::is_err);
    for result in results {
        match result {
            Ok(()) => {}
            Err(error) if nothing_is_written => return Err(error),
            Err(error) => log.write(&KernelMessage::warning(format!("{error:#}"))),
        }
    }
    Ok(())
}

/// With a thousand images, one thread takes a quarter longer: most of the time passes in the kernel, which creates the files.
fn write_in_two_threads(queue: &Queue, directories: &Directories) -> Vec<Result<()>> {
    thread::scope(|scope| {
        // From both ends, because two threads that create files in the same directory wait for each other.
        let second = thread::Builder::new()
            .spawn_scoped(scope, || write_batches(|| queue.take_last(), directories));
        let mut results = write_batches(|| queue.take_first(), directories);
        // If no thread could be started, the first has written everything.
        if let Some(second) = second.ok().and_then(|thread| thread.join().ok()) {
            results.extend(second);
        }
        results
    })
}

/// The files that are left to write.
struct Queue(Mutex<vec::IntoIter<GeneratedFile>>);

impl Queue {
    fn new(files: Vec<GeneratedFile>) -> Self {
        Self(Mutex::new(files.into_iter()))
    }

    fn take_first(&self) -> Vec<GeneratedFile> {
        self.lock().by_ref().take(BATCH_SIZE).collect()
    }

    fn take_last(&self) -> Vec<GeneratedFile> {
        self.lock().by_ref().rev().take(BATCH_SIZE).collect()
    }

    fn lock(&self) -> MutexGuard<'_, vec::IntoIter<GeneratedFile>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Writes batches until one is empty.
fn write_batches(
    next_batch: impl Fn() -> Vec<GeneratedFile>,
    directories: &Directories,
) -> Vec<Result<()>> {
    let mut normal = OutputDirectory::new(&directories.normal);
    let mut early = OutputDirectory::new(&directories.early);
    let mut results = Vec::new();
    loop {
        let batch = next_batch();
        if batch.is_empty() {
            return results;
        }
        for file in batch {
            results.push(match file.directory {
                UnitDirectory::Normal => normal.write(&file),
                UnitDirectory::Early => early.write(&file),
            });
        }
    }
}

/// One of systemd's directories. It is opened for the first file, so that the kernel looks up each path from there and not
/// from `/`.
struct OutputDirectory<'a> {
    path: &'a Path,
    opened: Option<File>,
    /// The subdirectory that was created last.
    created: String,
}

impl<'a> OutputDirectory<'a> {
    fn new(path: &'a Path) -> Self {
        Self {
            path,
            opened: None,
            created: String::new(),
        }
    }

    fn write(&mut self, file: &GeneratedFile) -> Result<()> {
        self.create(file)
            .with_context(|| format!("writing {}", self.path.join(&file.path).display()))
    }

    /// Never overwrites: systemd gives empty directories to generators, so a file that exists is another generator's.
    fn create(&mut self, file: &GeneratedFile) -> io::Result<()> {
        let directory = match &self.opened {
            Some(directory) => directory,
            None => self.opened.insert(open(self.path)?),
        };
        let path = file.path.as_str();
        if let Some((subdirectory, _)) = path.split_once('/')
            && subdirectory != self.created
        {
            // Another generator or the other thread may have created it.
            match mkdirat(directory, subdirectory, Mode::from_bits_truncate(0o777)) {
                Ok(()) | Err(Errno::EEXIST) => subdirectory.clone_into(&mut self.created),
                Err(error) => return Err(error.into()),
            }
        }
        match &file.content {
            Content::Text(text) => create_file(directory, path, text),
            Content::Link(target) => create_link(directory, path, target),
        }
    }
}

fn open(directory: &Path) -> io::Result<File> {
    fs::create_dir_all(directory)?;
    File::open(directory)
}

fn create_file(directory: &File, path: &str, text: &str) -> io::Result<()> {
    let flags = OFlag::O_WRONLY | OFlag::O_CREAT | OFlag::O_EXCL | OFlag::O_CLOEXEC;
    let file = openat(directory, path, flags, Mode::from_bits_truncate(0o666))?;
    File::from(file).write_all(text.as_bytes())
}

fn create_link(directory: &File, path: &str, target: &str) -> io::Result<()> {
    match symlinkat(target, directory, path) {
        // Another generator may want the same dependency.
        Err(Errno::EEXIST) if readlinkat(directory, path)?.as_os_str() == target => Ok(()),
        result => Ok(result?),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::runtime::fake_root::FakeRoot;

    fn write(root: &FakeRoot, files: &[GeneratedFile]) -> Result<()> {
        let directories = Directories {
            normal: root.join("normal"),
            early: root.join("early"),
        };
        write_all(files.to_vec(), &directories, &KmsgWriter::open(root))
    }

    #[test]
    fn an_existing_file_is_kept_and_the_other_files_are_written() {
        let root = FakeRoot::new();
        let files = [
            GeneratedFile::drop_in("a.mount", "ours"),
            GeneratedFile::dependency("b.wants", "a.mount"),
        ];
        root.write("normal/a.mount.d/40-rbdmap.conf", "another's");
        write(&root, &files).unwrap();
        assert_eq!(
            fs::read_to_string(root.join("normal/a.mount.d/40-rbdmap.conf")).unwrap(),
            "another's"
        );
        assert_eq!(
            fs::read_link(root.join("normal/b.wants/a.mount")).unwrap(),
            Path::new("../a.mount")
        );
    }

    #[test]
    fn an_error_names_the_file_if_no_file_can_be_written() {
        let root = FakeRoot::new();
        root.write("normal", "not a directory");
        let error = write(&root, &[GeneratedFile::drop_in("a.mount", "")]).unwrap_err();
        assert!(
            format!("{error:#}").contains("normal/a.mount.d/40-rbdmap.conf"),
            "{error:#}"
        );
        write(&root, &[]).unwrap();
    }
}
