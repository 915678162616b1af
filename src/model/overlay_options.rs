//! The folders that an overlay is made of, from its options: those of fstab and those that the kernel tells back are
//! written alike (linux `Documentation/filesystems/overlayfs.rst`).
//!
//! `lowerdir=` is a list between colons, a colon of a name being `\:`; since 6.8 it may also come one folder at a time
//! as `lowerdir+=`. A folder that was given relative to where somebody stood cannot be found again and is left out.

use std::path::PathBuf;

/// Options whose value is one folder.
const SINGLE: &[&str] = &["lowerdir+", "datadir+", "upperdir", "workdir"];

/// Every folder that the options name, in their order.
pub fn directories<'a>(options: impl Iterator<Item = &'a str>) -> Vec<PathBuf> {
    let mut folders = Vec::new();
    for (name, value) in options.filter_map(|option| option.split_once('=')) {
        if name == "lowerdir" {
            folders.extend(split_list(value));
        } else if SINGLE.contains(&name) {
            folders.push(value.to_owned());
        }
    }
    folders
        .into_iter()
        .map(PathBuf::from)
        .filter(|folder| folder.is_absolute())
        .collect()
}

/// The parts between colons that no backslash takes the meaning from.
fn split_list(list: &str) -> Vec<String> {
    let mut parts = vec![String::new()];
    let mut characters = list.chars();
    while let Some(c) = characters.next() {
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
    fn folders_are_found_in_every_way_of_writing_them() {
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
