//! Writes what was decided into systemd's folders. A file that cannot be written is said and passed over; only when
//! none could be is it an error.

use std::fs::{self, File};
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use super::Directories;
use super::file::{Content, Folder, GeneratedFile};
use super::kernel_log::{KernelLog, Message};

/// Writes every file. They come sorted, so that a folder is made for the first of its files.
pub fn all(files: &[GeneratedFile], directories: &Directories, log: &KernelLog) -> Result<()> {
    let mut made = PathBuf::new();
    let results: Vec<Result<()>> = files.iter().map(|file| one(file, directories, &mut made)).collect();
    let nothing_written = results.iter().all(Result::is_err);
    for error in results.into_iter().filter_map(Result::err) {
        if nothing_written {
            return Err(error);
        }
        log.write(&Message::warning(format!("{error:#}")));
    }
    Ok(())
}

fn one(file: &GeneratedFile, directories: &Directories, made: &mut PathBuf) -> Result<()> {
    let folder = match file.folder {
        Folder::Normal => &directories.normal,
        Folder::Early => &directories.early,
    };
    let path = folder.join(&file.path);
    let folder = path.parent().filter(|folder| folder != made);
    let written = folder.map_or(Ok(()), fs::create_dir_all).and_then(|()| put(&path, &file.content));
    written.with_context(|| format!("writing {}", path.display()))?;
    folder.map(Path::to_owned).into_iter().for_each(|folder| *made = folder);
    Ok(())
}

/// Never overwrites: systemd hands out empty folders, so what is there is another generator's.
fn put(path: &Path, content: &Content) -> io::Result<()> {
    match content {
        Content::Text(text) => File::create_new(path)?.write_all(text.as_bytes()),
        Content::Link(target) => match std::os::unix::fs::symlink(target, path) {
            Err(error) if error.kind() == ErrorKind::AlreadyExists && fs::read_link(path)? == Path::new(target) => {
                Ok(())
            }
            result => result,
        },
    }
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
