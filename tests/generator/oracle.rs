//! What goes into the early folder is, line for line, what the installed systemd-fstab-generator writes for the same
//! entries with `_netdev`, a mount's together with the drop-in that we write then, and it is all that this changes; but for
//! the name of the generator, the path of fstab, and the differences that src/generator/as_netdev.rs argues for. Held
//! against systemd 252 and 257.

use std::collections::{BTreeMap, BTreeSet};

use super::{Case, FSTAB_GENERATOR, cases};

/// Files by their paths, each as what it says.
type Files = BTreeMap<String, BTreeSet<String>>;

#[test]
fn the_early_folder_is_what_netdev_would_change() {
    let compared = cases().iter().map(compare).sum::<usize>();
    assert!(compared > 10, "only {compared} files were compared");
}

/// Compares one case; the answer is how many files that were.
fn compare(case: &Case) -> usize {
    let (masks, ours): (Files, Files) = early(case)
        .into_iter()
        .partition(|(_, said)| said.contains("-> /dev/null"));
    let targets: Vec<String> = ours
        .values()
        .flatten()
        .filter_map(|line| as_fstab_says(line))
        .collect();
    let before = said(case.generate_as_systemd(str::to_owned).files("normal"));
    let systemds = case.generate_as_systemd(|fstab| with_netdev(fstab, &targets));
    let mut after = said(systemds.files("normal"));
    assert!(
        !after.is_empty() || ours.is_empty(),
        "{FSTAB_GENERATOR} made nothing: {}",
        systemds.messages
    );
    for path in before.keys().filter(|path| !after.contains_key(*path)) {
        assert!(
            masks.contains_key(path),
            "{}: {path} is not taken away",
            case.name
        );
    }
    after.retain(|path, said| before.get(path) != Some(said) && !is_order_of_growfs(path));
    let whole_growfs = after.keys().any(|path| path.starts_with("systemd-growfs@"));
    let ours = ours
        .into_iter()
        .filter(|(path, _)| whole_growfs || !path.starts_with("systemd-growfs@"));
    // What is for all devices may be said by systemd for one of them already.
    let ours: Files = ours
        .filter(|(path, said)| before.get(path) != Some(said))
        .collect();
    assert_eq!(
        ours.keys().collect::<Vec<_>>(),
        after.keys().collect::<Vec<_>>(),
        "{}",
        case.name
    );
    let drop_ins = said(
        case.generate_with(|fstab| with_netdev(fstab, &targets))
            .files("normal"),
    );
    for (path, said) in &ours {
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
        assert_eq!(said, &expected, "{}: {path}", case.name);
    }
    ours.len()
}

/// systemd 254 and later orders the target after its template in the place of writing a unit: ours says the same.
fn is_order_of_growfs(path: &str) -> bool {
    path.starts_with("remote-fs.target.d/50-order-systemd-growfs@")
}

/// What we put into the early folder; with the links that give to remote-fs.target what is taken from local-fs.target,
/// which are in the other folder.
fn early(case: &Case) -> Files {
    let generated = case.generate();
    let mut files = generated.files("early");
    files.extend(
        generated
            .files("normal")
            .into_iter()
            .filter(|(path, _)| path.starts_with("remote-fs.target.")),
    );
    said(files)
}

/// A mount point as fstab has it.
fn as_fstab_says(line: &str) -> Option<String> {
    Some(
        line.strip_prefix("[Mount] Where=")?
            .replace("%%", "%")
            .replace(' ', "\\040"),
    )
}

/// fstab with `_netdev` on the lines that are served as if they had it.
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

/// What files say, without what must differ: who made them of which file, and where `_netdev` stands among the options.
fn said(files: BTreeMap<String, String>) -> Files {
    files
        .into_iter()
        .map(|(path, text)| (as_one_for_all_devices(path), directives(&text)))
        .collect()
}

/// Ours has one drop-in for all devices below /dev/rbd, of the same text.
fn as_one_for_all_devices(path: String) -> String {
    match path.split_once(".device.d/") {
        Some((device, file)) if device.starts_with("dev-rbd-") => {
            format!("dev-rbd-.device.d/{file}")
        }
        _ => path,
    }
}

/// Every line with its section before it, a list of units as a line for each: systemd takes them in any order.
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
