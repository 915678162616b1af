//! What goes into the early folder is, line for line, what the installed systemd-fstab-generator writes for the same
//! entries with `_netdev`, and it is all that this changes; but for the name of the generator, the path of fstab, and
//! the differences that src/generator/as_netdev.rs argues for. Held against systemd 252 and 257.

use std::collections::BTreeMap;

use super::{Case, FSTAB_GENERATOR, cases};

#[test]
fn the_early_folder_is_what_netdev_would_change() {
    let compared = cases().iter().map(compare).sum::<usize>();
    assert!(compared > 10, "only {compared} files were compared");
}

/// Compares one case; the answer is how many files that were.
fn compare(case: &Case) -> usize {
    let (masks, ours) = early(case);
    let targets: Vec<String> = ours.values().flat_map(|text| text.lines()).filter_map(as_fstab_says).collect();
    let before = units(case.generate_as_systemd(str::to_owned).files("normal"));
    let with_netdev = case.generate_as_systemd(|fstab| with_netdev(fstab, &targets));
    let mut after = units(with_netdev.files("normal"));
    assert!(!after.is_empty() || ours.is_empty(), "{FSTAB_GENERATOR} made nothing: {}", with_netdev.messages);
    for path in before.keys().filter(|path| !after.contains_key(*path)) {
        assert!(masks.contains_key(path), "{}: {path} is not taken away", case.name);
    }
    after.retain(|path, text| before.get(path) != Some(text) && !is_order_of_growfs(path));
    let whole_growfs = after.keys().any(|path| path.starts_with("systemd-growfs@"));
    let ours = ours.into_iter().filter(|(path, _)| whole_growfs || !path.starts_with("systemd-growfs@"));
    // What is for all devices may be said by systemd for one of them already.
    let ours: BTreeMap<_, _> = ours.filter(|(path, text)| before.get(path) != Some(text)).collect();
    assert_eq!(ours.keys().collect::<Vec<_>>(), after.keys().collect::<Vec<_>>(), "{}", case.name);
    for (path, text) in &ours {
        assert_eq!(text, &after[path], "{}: {path}", case.name);
    }
    ours.len()
}

/// systemd 254 and later orders the target after its template in the place of writing a unit: ours says the same.
fn is_order_of_growfs(path: &str) -> bool {
    path.starts_with("remote-fs.target.d/50-order-systemd-growfs@")
}

/// What we put into the early folder, the links that take a file away and the texts apart; with the links that give to
/// remote-fs.target what is taken from local-fs.target, which are in the other folder.
fn early(case: &Case) -> (BTreeMap<String, String>, BTreeMap<String, String>) {
    let generated = case.generate();
    let mut files = generated.files("early");
    files.extend(generated.files("normal").into_iter().filter(|(path, _)| path.starts_with("remote-fs.target.")));
    units(files).into_iter().partition(|(_, text)| text == "-> /dev/null")
}

/// A mount point as fstab has it.
fn as_fstab_says(line: &str) -> Option<String> {
    Some(line.strip_prefix("Where=")?.replace("%%", "%").replace(' ', "\\040"))
}

/// fstab with `_netdev` on the lines that are served as if they had it.
fn with_netdev(fstab: &str, targets: &[String]) -> String {
    let add = |line: &str| {
        let mut words: Vec<&str> = line.split_whitespace().collect();
        let served = words.get(1).is_some_and(|target| targets.iter().any(|served| served == target));
        let options = words.get(3).map(|options| format!("{options},_netdev")).filter(|_| served);
        options.iter().for_each(|options| words[3] = options);
        words.join(" ")
    };
    fstab.lines().map(|line| add(line) + "\n").collect()
}

/// Said by systemd 257 of some entries, by 252 of others, and by our drop-in of all.
const IN_DROP_IN: &[&str] =
    &["DefaultDependencies=no", "Conflicts=umount.target", "Before=umount.target", "Before=remote-fs.target"];

/// Files as their lines in alphabetical order, for systemd takes them in any, without what must differ: who made them
/// of which file, and where `_netdev` stands among the options.
fn units(files: BTreeMap<String, String>) -> BTreeMap<String, String> {
    files.into_iter().map(|(path, text)| (as_one_for_all_devices(path), directives(&text))).collect()
}

/// Ours has one drop-in for all devices below /dev/rbd, of the same text.
fn as_one_for_all_devices(path: String) -> String {
    match path.split_once(".device.d/") {
        Some((device, file)) if device.starts_with("dev-rbd-") => format!("dev-rbd-.device.d/{file}"),
        _ => path,
    }
}

fn directives(text: &str) -> String {
    let line = |line: &str| match line.split_once('=') {
        Some(("SourcePath", _)) => "SourcePath=fstab".to_owned(),
        Some(("Options", options)) => format!("Options={}", sorted(options)),
        Some(("ExecStart", growfs)) if growfs.contains("systemd-growfs ") => "ExecStart=growfs".to_owned(),
        Some(("TimeoutSec", time)) => format!("TimeoutSec={}", time.trim_end_matches('s')),
        _ => line.to_owned(),
    };
    let compared = |line: &&str| !line.is_empty() && !line.starts_with('#') && !IN_DROP_IN.contains(line);
    let mut lines: Vec<String> = text.lines().filter(compared).map(line).collect();
    lines.sort_unstable();
    lines.join("\n")
}

fn sorted(options: &str) -> String {
    let mut options: Vec<&str> = options.split(',').collect();
    options.sort_unstable();
    options.join(",")
}
