//! Writes what was decided into systemd's folders. A file that cannot be written is said and passed over; only when
//! none could be is it an error.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::Path;
use std::thread;

use anyhow::{Context, Result};
use nix::errno::Errno;
use nix::fcntl::{OFlag, openat, readlinkat};
use nix::sys::stat::{Mode, mkdirat};
use nix::unistd::symlinkat;

use super::Directories;
use super::file::{Content, Folder, GeneratedFile};
use super::kernel_log::{KernelLog, Message};

/// Writes every file. The kernel's part of it is most of what a generator takes, so two threads share it.
pub fn all(files: &[GeneratedFile], directories: &Directories, log: &KernelLog) -> Result<()> {
    let (mine, others) = files.split_at(files.len() / 2);
    let results = thread::scope(|scope| {
        let other = thread::Builder::new().spawn_scoped(scope, || each(others, directories));
        let mut results = each(mine, directories);
        results.extend(match other {
            Ok(thread) => thread.join().unwrap_or_default(),
            // No thread to be had is no reason not to write.
            Err(_) => each(others, directories),
        });
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

/// Writes files that come sorted, so that a folder is made for the first of its files.
fn each<'a>(files: &'a [GeneratedFile], directories: &'a Directories) -> Vec<Result<()>> {
    let (mut normal, mut early) = (Place::of(&directories.normal), Place::of(&directories.early));
    let write = |file: &'a GeneratedFile| match file.folder {
        Folder::Normal => normal.write(file),
        Folder::Early => early.write(file),
    };
    files.iter().map(write).collect()
}

/// One of systemd's folders, opened for the first of its files: a thousand names are looked up from there, not from /.
struct Place<'a> {
    path: &'a Path,
    opened: Option<File>,
    /// The folder in it that was made last.
    made: &'a str,
}

impl<'a> Place<'a> {
    fn of(path: &'a Path) -> Self {
        Self { path, opened: None, made: "" }
    }

    fn write(&mut self, file: &'a GeneratedFile) -> Result<()> {
        self.put(file).with_context(|| format!("writing {}", self.path.join(&file.path).display()))
    }

    /// Never overwrites: systemd hands out empty folders, so what is there is another generator's.
    fn put(&mut self, file: &'a GeneratedFile) -> io::Result<()> {
        let place = match &self.opened {
            Some(place) => place,
            None => self.opened.insert(open(self.path)?),
        };
        let path = file.path.as_str();
        if let Some((folder, _)) = path.split_once('/')
            && folder != self.made
        {
            match mkdirat(place, folder, Mode::from_bits_truncate(0o777)) {
                Ok(()) | Err(Errno::EEXIST) => self.made = folder,
                Err(error) => return Err(error.into()),
            }
        }
        match &file.content {
            Content::Text(text) => {
                let new = OFlag::O_WRONLY | OFlag::O_CREAT | OFlag::O_EXCL | OFlag::O_CLOEXEC;
                File::from(openat(place, path, new, Mode::from_bits_truncate(0o666))?).write_all(text.as_bytes())
            }
            Content::Link(target) => match symlinkat(target.as_str(), place, path) {
                Err(Errno::EEXIST) if readlinkat(place, path)?.as_os_str() == target.as_str() => Ok(()),
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
    use crate::root::Root;

    fn write(folder: &Path, files: &[GeneratedFile]) -> Result<()> {
        let directories = Directories { normal: folder.join("normal"), early: folder.join("early") };
        all(files, &directories, &KernelLog::open(&Root::new(folder)))
    }

    #[test]
    fn a_file_that_is_there_is_kept_and_the_others_are_written() {
        let folder = tempfile::tempdir().unwrap();
        let files = [GeneratedFile::drop_in("a.mount", "ours"), GeneratedFile::hook("b.wants", "a.mount")];
        write(folder.path(), &files[..1]).unwrap();
        fs::write(folder.path().join("normal/a.mount.d/40-rbdmap.conf"), "another's").unwrap();
        write(folder.path(), &files).unwrap();
        assert_eq!(fs::read_to_string(folder.path().join("normal/a.mount.d/40-rbdmap.conf")).unwrap(), "another's");
        assert_eq!(fs::read_link(folder.path().join("normal/b.wants/a.mount")).unwrap(), Path::new("../a.mount"));
    }

    #[test]
    fn nothing_written_at_all_is_an_error_that_names_the_file() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("normal"), "not a folder").unwrap();
        let error = write(folder.path(), &[GeneratedFile::drop_in("a.mount", "")]).unwrap_err();
        assert!(format!("{error:#}").contains("normal/a.mount.d/40-rbdmap.conf"), "{error:#}");
        write(folder.path(), &[]).unwrap();
    }
}
