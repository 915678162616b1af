//! The generator writes, for each case, exactly what the case's `expected` folder says; see tests/cases/README.md.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;

use super::{Case, cases, files_below, run};

#[test]
fn every_case_generates_what_is_expected() {
    let differing: Vec<String> = cases().iter().filter_map(difference).collect();
    assert!(
        differing.is_empty(),
        "\n{}\nUPDATE=1 takes what was found for what is expected.",
        differing.join("\n")
    );
}

#[test]
fn a_second_run_writes_the_same() {
    let case = &cases()[0];
    assert_eq!(found(case), found(case));
}

/// `diff -u` of what is expected and what was found.
fn difference(case: &Case) -> Option<String> {
    let (expected_folder, found) = (case.root.join("expected"), found(case));
    if std::env::var_os("UPDATE").is_some() {
        let _ = fs::remove_dir_all(&expected_folder);
        write(&expected_folder, &found);
    }
    let expected = files_below(&expected_folder);
    if expected == found {
        return None;
    }
    let folder = tempfile::tempdir().unwrap();
    write(&folder.path().join("expected"), &expected);
    write(&folder.path().join("found"), &found);
    let output = run(Command::new("diff")
        .args(["-urN", "expected", "found"])
        .current_dir(folder.path()));
    Some(format!(
        "== {}\n{}",
        case.name,
        String::from_utf8_lossy(&output.stdout)
    ))
}

/// What the generator did, in the form of an `expected` folder.
fn found(case: &Case) -> BTreeMap<String, String> {
    let generated = case.generate();
    let (mut files, mut links) = (BTreeMap::new(), String::new());
    for folder in ["normal", "early", "late"] {
        for (path, text) in generated.files(folder) {
            let path = format!("{folder}/{path}");
            match text.strip_prefix("-> ") {
                Some(target) => links += &format!("{path} -> {target}\n"),
                None => drop(files.insert(path.replace('\\', "%"), text)),
            }
        }
    }
    files.extend([
        ("links".to_owned(), links),
        ("messages".to_owned(), generated.messages),
    ]);
    files.retain(|_, text| !text.is_empty());
    files
}

fn write(folder: &Path, files: &BTreeMap<String, String>) {
    for (path, text) in files {
        let path = folder.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
}
