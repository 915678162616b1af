//! The early directory has, line by line, what the installed systemd-fstab-generator writes for the same entries with
//! `_netdev`, and nothing that this does not change. A mount unit has our drop-in's lines as well. Not compared are the name of
//! the generator, the path of fstab, and the differences that src/generator/netdev_units.rs explains. Compared with systemd 252
//! and 257.

use std::collections::{BTreeMap, BTreeSet};

use super::{Case, FSTAB_GENERATOR, cases};

/// The lines of files, by their paths.
type Files = BTreeMap<String, BTreeSet<String>>;

#[test]
fn the_early_directory_has_what_netdev_would_change() {
    let compared = cases().iter().map(compare).sum::<usize>();
    assert!(compared > 10, "only {compared} files were compared");
}

/// Compares one case. Returns the number of files.
fn compare(case: &Case) -> usize {
    let (masks, ours): (Files, Files) = early(case)
        .into_iter()
        .partition(|(_, lines)| lines.contains("-> /dev/null"));
    let targets: Vec<String> = ours
        .values()
        .flatten()
        .filter_map(|line| mount_point_in_fstab(line))
        .collect();
    let before = lines_of(case.generate_as_systemd(str::to_owned).files("normal"));
    let with_netdev_by_systemd = case.generate_as_systemd(|fstab| with_netdev(fstab, &targets));
    let mut after = lines_of(with_netdev_by_systemd.files("normal"));
    assert!(
        !after.is_empty() || ours.is_empty(),
        "{FSTAB_GENERATOR} wrote nothing: {}",
        with_netdev_by_systemd.messages
    );
    for path in before.keys().filter(|path| !after.contains_key(*path)) {
        assert!(
            masks.contains_key(path),
            "{}: {path} is not masked",
            case.name
        );
    }
    after.retain(|path, lines| before.get(path) != Some(lines) && !is_ordering_of_growfs(path));
    let whole_growfs = after.keys().any(|path| path.starts_with("systemd-growfs@"));
    let ours = ours
        .into_iter()
        .filter(|(path, _)| whole_growfs || !path.starts_with("systemd-growfs@"));
    // Our file for all devices may equal one that systemd writes for a device without _netdev.
    let ours: Files = ours
        .filter(|(path, lines)| before.get(path) != Some(lines))
        .collect();
    assert_eq!(
        ours.keys().collect::<Vec<_>>(),
        after.keys().collect::<Vec<_>>(),
        "{}",
        case.name
    );
    let drop_ins = lines_of(
        case.generate_with(|fstab| with_netdev(fstab, &targets))
            .files("normal"),
    );
    for (path, lines) in &ours {
        let drop_in = drop_ins.get(&format!("{path}.d/40-rbdmap.conf"));
        assert_eq!(
            drop_in.is_some(),
            path.ends_with(".mount") && !path.contains('/'),
            "{}: {path}",
            case.name
        );
        let expected: BTreeSet<String> = after[path]
            .iter()
            .chain(drop_in.into_iter().flatten())
            .cloned()
            .collect();
        assert_eq!(lines, &expected, "{}: {path}", case.name);
    }
    ours.len()
}

/// systemd 254 and later orders the target after an instance of its template instead of writing a unit. Our unit has the same
/// ordering.
fn is_ordering_of_growfs(path: &str) -> bool {
    path.starts_with("remote-fs.target.d/50-order-systemd-growfs@")
}

/// What we write into the early directory, and the links that move units from local-fs.target to remote-fs.target, which are in
/// the normal directory.
fn early(case: &Case) -> Files {
    let generated = case.generate();
    let mut files = generated.files("early");
    files.extend(
        generated
            .files("normal")
            .into_iter()
            .filter(|(path, _)| path.starts_with("remote-fs.target.")),
    );
    lines_of(files)
}

/// The mount point of a unit's line, as it is written in fstab.
fn mount_point_in_fstab(line: &str) -> Option<String> {
    Some(
        line.strip_prefix("[Mount] Where=")?
            .replace("%%", "%")
            .replace(' ', "\\040"),
    )
}

/// fstab with `_netdev` on the lines of these mount points.
fn with_netdev(fstab: &str, targets: &[String]) -> String {
    let add = |line: &str| {
        let mut words: Vec<&str> = line.split_whitespace().collect();
        let served = words
            .get(1)
            .is_some_and(|target| targets.iter().any(|served| served == target));
        let options = words
            .get(3)
            .map(|options| format!("{options},_netdev"))
            .filter(|_| served);
        options.iter().for_each(|options| words[3] = options);
        words.join(" ")
    };
    fstab.lines().map(|line| add(line) + "\n").collect()
}

/// The lines of files without what must differ: the generator's name, the path of fstab, and the position of `_netdev` among
/// the options.
fn lines_of(files: BTreeMap<String, String>) -> Files {
    files
        .into_iter()
        .map(|(path, text)| (path_for_all_devices(path), directives(&text)))
        .collect()
}

/// We write one drop-in for all devices below /dev/rbd, with the same text as systemd's for each device.
fn path_for_all_devices(path: String) -> String {
    match path.split_once(".device.d/") {
        Some((device, file)) if device.starts_with("dev-rbd-") => {
            format!("dev-rbd-.device.d/{file}")
        }
        _ => path,
    }
}

/// Every line after its section. A list of units becomes a line for each unit, because their order does not matter.
fn directives(text: &str) -> BTreeSet<String> {
    let mut section = "";
    let mut directives = BTreeSet::new();
    for line in text
        .lines()
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
    {
        match line.split_once('=') {
            None if line.starts_with('[') => section = line,
            None => drop(directives.insert(line.to_owned())),
            Some((name, value)) => {
                directives.extend(
                    values(name, value)
                        .into_iter()
                        .map(|value| format!("{section} {name}={value}")),
                );
            }
        }
    }
    directives
}

fn values(name: &str, value: &str) -> Vec<String> {
    match name {
        "SourcePath" => vec!["fstab".to_owned()],
        "Options" => vec![sorted(value)],
        "ExecStart" if value.contains("systemd-growfs ") => vec!["growfs".to_owned()],
        "TimeoutSec" => vec![value.trim_end_matches('s').to_owned()],
        "After" | "Before" | "Conflicts" | "Requires" | "Wants" => {
            value.split(' ').map(str::to_owned).collect()
        }
        _ => vec![value.to_owned()],
    }
}

fn sorted(options: &str) -> String {
    let mut options: Vec<&str> = options.split(',').collect();
    options.sort_unstable();
    options.join(",")
}
