//! Writes what was decided into systemd's folders. A file that cannot be written is said and passed over; only when
//! none could be is it an error.

use std::collections::VecDeque;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::{iter, mem, thread};

use anyhow::{Context, Result};
use nix::errno::Errno;
use nix::fcntl::{OFlag, openat, readlinkat};
use nix::sys::stat::{Mode, mkdirat};
use nix::unistd::symlinkat;

use super::Directories;
use super::unit_file::{Content, Folder, GeneratedFile};
use super::unit_set::Part;
use crate::sys::kmsg_writer::{KmsgWriter, Message};

/// How many parts a thread takes at a time.
const PORTION: usize = 64;

/// Writes every file. The kernel's part of it is most of what a generator takes, so two threads share it: one from the
/// front and one from the back, for there they seldom wait for each other in the same folder.
pub fn all(parts: Vec<Part<'_>>, directories: &Directories, log: &KmsgWriter) -> Result<()> {
    let queue = Queue(Mutex::new(parts.into()));
    let results = thread::scope(|scope| {
        let other =
            thread::Builder::new().spawn_scoped(scope, || each(|| queue.back(), directories));
        let mut results = each(|| queue.front(), directories);
        // No thread to be had is no reason not to write.
        results.extend(
            other
                .ok()
                .and_then(|thread| thread.join().ok())
                .unwrap_or_default(),
        );
        results
    });
    let nothing_written = results.iter().all(Result::is_err);
    for error in results.into_iter().filter_map(Result::err) {
        if nothing_written {
            return Err(error);
        }
        log.write(&Message::warning(format!("{error:#}")));
    }
    Ok(())
}

/// What is left to write.
struct Queue<'a>(Mutex<VecDeque<Part<'a>>>);

impl<'a> Queue<'a> {
    fn front(&self) -> VecDeque<Part<'a>> {
        let mut parts = self.parts();
        let end = PORTION.min(parts.len());
        let rest = parts.split_off(end);
        mem::replace(&mut *parts, rest)
    }

    fn back(&self) -> VecDeque<Part<'a>> {
        let mut parts = self.parts();
        let start = parts.len().saturating_sub(PORTION);
        parts.split_off(start)
    }

    fn parts(&self) -> MutexGuard<'_, VecDeque<Part<'a>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Writes portions until there is none.
fn each<'a>(
    portion: impl Fn() -> VecDeque<Part<'a>>,
    directories: &Directories,
) -> Vec<Result<()>> {
    let (mut normal, mut early) = (
        OutputDirectory::of(&directories.normal),
        OutputDirectory::of(&directories.early),
    );
    let mut write = |file: GeneratedFile| match file.folder {
        Folder::Normal => normal.write(&file),
        Folder::Early => early.write(&file),
    };
    let portions = iter::repeat_with(portion).take_while(|portion| !portion.is_empty());
    portions
        .flatten()
        .flat_map(Part::files)
        .map(&mut write)
        .collect()
}

/// One of systemd's folders, opened for the first of its files: a thousand names are looked up from there, not from /.
struct OutputDirectory<'a> {
    path: &'a Path,
    opened: Option<File>,
    /// The folder in it that was made last.
    made: String,
}

impl<'a> OutputDirectory<'a> {
    fn of(path: &'a Path) -> Self {
        Self {
            path,
            opened: None,
            made: String::new(),
        }
    }

    fn write(&mut self, file: &GeneratedFile) -> Result<()> {
        self.put(file)
            .with_context(|| format!("writing {}", self.path.join(&file.path).display()))
    }

    /// Never overwrites: systemd hands out empty folders, so what is there is another generator's.
    fn put(&mut self, file: &GeneratedFile) -> io::Result<()> {
        let place = match &self.opened {
            Some(place) => place,
            None => self.opened.insert(open(self.path)?),
        };
        let path = file.path.as_str();
        if let Some((folder, _)) = path.split_once('/')
            && folder != self.made
        {
            match mkdirat(place, folder, Mode::from_bits_truncate(0o777)) {
                Ok(()) | Err(Errno::EEXIST) => folder.clone_into(&mut self.made),
                Err(error) => return Err(error.into()),
            }
        }
        match &file.content {
            Content::Text(text) => {
                let new = OFlag::O_WRONLY | OFlag::O_CREAT | OFlag::O_EXCL | OFlag::O_CLOEXEC;
                File::from(openat(place, path, new, Mode::from_bits_truncate(0o666))?)
                    .write_all(text.as_bytes())
            }
            Content::Link(target) => match symlinkat(target.as_str(), place, path) {
                Err(Errno::EEXIST) if readlinkat(place, path)?.as_os_str() == target.as_str() => {
                    Ok(())
                }
                result => Ok(result?),
            },
        }
    }
}

fn open(folder: &Path) -> io::Result<File> {
    fs::create_dir_all(folder)?;
    File::open(folder)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::runtime::root::Root;

    fn write(folder: &Path, files: &[GeneratedFile]) -> Result<()> {
        let directories = Directories {
            normal: folder.join("normal"),
            early: folder.join("early"),
        };
        let parts = files.iter().cloned().map(Part::File).collect();
        all(parts, &directories, &KmsgWriter::open(&Root::new(folder)))
    }

    #[test]
    fn a_file_that_is_there_is_kept_and_the_others_are_written() {
        let folder = tempfile::tempdir().unwrap();
        let files = [
            GeneratedFile::drop_in("a.mount", "ours"),
            GeneratedFile::hook("b.wants", "a.mount"),
        ];
        write(folder.path(), &files[..1]).unwrap();
        fs::write(
            folder.path().join("normal/a.mount.d/40-rbdmap.conf"),
            "another's",
        )
        .unwrap();
        write(folder.path(), &files).unwrap();
        assert_eq!(
            fs::read_to_string(folder.path().join("normal/a.mount.d/40-rbdmap.conf")).unwrap(),
            "another's"
        );
        assert_eq!(
            fs::read_link(folder.path().join("normal/b.wants/a.mount")).unwrap(),
            Path::new("../a.mount")
        );
    }

    #[test]
    fn nothing_written_at_all_is_an_error_that_names_the_file() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("normal"), "not a folder").unwrap();
        let error = write(folder.path(), &[GeneratedFile::drop_in("a.mount", "")]).unwrap_err();
        assert!(
            format!("{error:#}").contains("normal/a.mount.d/40-rbdmap.conf"),
            "{error:#}"
        );
        write(folder.path(), &[]).unwrap();
    }
}
