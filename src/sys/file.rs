//! Reads files that may not be there, and attributes of sysfs.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::Path;

use anyhow::{Context, Result};

/// A file's text; `None` where there is no such file, and only then. What is not UTF-8 becomes U+FFFD.
pub fn read_if_there(path: &Path) -> Result<Option<String>> {
    match fs::read(path) {
        Ok(bytes) => {
            Ok(Some(String::from_utf8(bytes).unwrap_or_else(|e| {
                String::from_utf8_lossy(e.as_bytes()).into_owned()
            })))
        }
        Err(error)
            if matches!(
                error.kind(),
                io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
            ) =>
        {
            Ok(None)
        }
        Err(error) => Err(error).with_context(|| format!("reading {}", path.display())),
    }
}

/// How much of an attribute is read at a time: sysfs hands out a page at most (linux `Documentation/filesystems/sysfs.rst`).
const PAGE: usize = 4096;

/// An attribute of sysfs without its last newline; `None` where it is not there or not for us. One read where a file takes
/// three calls: there are eight for each of many mappings.
pub fn attribute(path: &Path) -> Option<String> {
    let (mut file, mut bytes, mut page) = (File::open(path).ok()?, Vec::new(), [0; PAGE]);
    loop {
        let length = file.read(&mut page).ok()?;
        bytes.extend_from_slice(&page[..length]);
        if length < PAGE {
            break;
        }
    }
    let text = String::from_utf8(bytes)
        .unwrap_or_else(|e| String::from_utf8_lossy(e.as_bytes()).into_owned());
    Some(text.trim_end_matches('\n').to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_attribute_is_read_whole_without_its_newline() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("name");
        assert_eq!(attribute(&path), None);
        for text in [
            "",
            "-",
            &"x".repeat(PAGE - 1),
            &"x".repeat(PAGE),
            &"x".repeat(3 * PAGE + 1),
        ] {
            fs::write(&path, format!("{text}\n")).unwrap();
            assert_eq!(attribute(&path).as_deref(), Some(text));
        }
    }
}
