//! The directories of an overlay, from its mount options. fstab and the kernel write them alike (linux
//! `Documentation/filesystems/overlayfs.rst`).
//!
//! `lowerdir=` is a list with colons, where `\:` is a colon in a name. Since Linux 6.8 each directory may have an option
//! `lowerdir+=` instead. Relative paths are ignored: they depend on the current directory of the program that mounted.

use std::path::PathBuf;

/// Options whose value is one directory.
const SINGLE: &[&str] = &["lowerdir+", "datadir+", "upperdir", "workdir"];

/// Every directory in the options, in the order of the options.
pub fn directories<'a>(options: impl Iterator<Item = &'a str>) -> Vec<PathBuf> {
    let mut directories = Vec::new();
    for (name, value) in options.filter_map(|option| option.split_once('=')) {
        if name == "lowerdir" {
            directories.extend(split_list(value));
        } else if SINGLE.contains(&name) {
            directories.push(value.to_owned());
        }
    }
    directories
        .into_iter()
        .map(PathBuf::from)
        .filter(|directory| directory.is_absolute())
        .collect()
}

/// Splits at colons that have no backslash before them.
fn split_list(list: &str) -> Vec<String> {
    let mut parts = vec![String::new()];
    let mut characters = list.chars();
    while let Some(c) = characters.next() {
        // A backslash keeps the next character from being a separator, whichever character it is.
        match (c, parts.last_mut()) {
            (':', _) => parts.push(String::new()),
            ('\\', Some(part)) => part.extend(characters.next()),
            (_, Some(part)) => part.push(c),
            (_, None) => {}
        }
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_of_the_options_is_parsed() {
        let rows: [(&str, &[&str]); 6] = [
            (
                "rw,lowerdir=/a:/b,upperdir=/u,workdir=/w",
                &["/a", "/b", "/u", "/w"],
            ),
            (r"lowerdir=/with space/a\:b:/c", &["/with space/a:b", "/c"]),
            ("lowerdir=/a::/data", &["/a", "/data"]),
            ("lowerdir+=/a,lowerdir+=/b,datadir+=/d", &["/a", "/b", "/d"]),
            ("lowerdir=here:/b", &["/b"]),
            ("rw,redirect_dir=on,lowerdir", &[]),
        ];
        for (options, expected) in rows {
            let expected: Vec<PathBuf> = expected.iter().map(PathBuf::from).collect();
            assert_eq!(directories(options.split(',')), expected, "{options}");
        }
    }
}
