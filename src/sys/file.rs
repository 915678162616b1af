//! Reads files that may not exist, and attributes of sysfs.

use std::fs::{self, File};
use std::io::{self, ErrorKind, Read};
use std::path::Path;

use anyhow::{Context, Result};

/// A file's text; `None` only if the file does not exist. Bytes that are not UTF-8 become U+FFFD.
pub fn read_if_there(path: &Path) -> Result<Option<String>> {
    match fs::read(path) {
        Ok(bytes) => Ok(Some(lossy_text(bytes))),
        Err(error) if is_missing(&error) => Ok(None),
        Err(error) => Err(error).with_context(|| format!("reading {}", path.display())),
    }
}

fn is_missing(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory)
}

/// The size of a read from sysfs, which shows at most a page (linux `Documentation/filesystems/sysfs.rst`).
const PAGE_SIZE: usize = 4096;

/// An attribute of sysfs without the newline at its end; `None` if it does not exist or cannot be read.
pub fn attribute(path: &Path) -> Option<String> {
    let mut file = File::open(path).ok()?;
    let mut bytes = Vec::new();
    let mut page = [0; PAGE_SIZE];
    // `fs::read` takes three system calls more for each file: it asks for the size and reads until it gets nothing. A mapping
    // has eight attributes, and a host has hundreds of mappings.
    loop {
        let length = file.read(&mut page).ok()?;
        bytes.extend_from_slice(&page[..length]);
        if length < PAGE_SIZE {
            break;
        }
    }
    Some(lossy_text(bytes).trim_end_matches('\n').to_owned())
}

/// Copies the text only if it is not UTF-8.
fn lossy_text(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes)
        .unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::runtime::fake_root::FakeRoot;

    #[test]
    fn an_attribute_is_read_whole_without_its_newline() {
        let root = FakeRoot::new();
        let path = root.join("sys/name");
        assert_eq!(attribute(&path), None);
        for text in [
            "",
            "-",
            &"x".repeat(PAGE_SIZE - 1),
            &"x".repeat(PAGE_SIZE),
            &"x".repeat(3 * PAGE_SIZE + 1),
        ] {
            root.write("sys/name", format!("{text}\n"));
            assert_eq!(attribute(&path).as_deref(), Some(text));
        }
    }
}
