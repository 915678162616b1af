//! For each case, the generator writes exactly what the case's `expected` directory has; see tests/cases/README.md.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;

use super::{Case, cases, files_below, run};

#[test]
fn every_case_generates_the_expected_files() {
    let differences: Vec<String> = cases().iter().filter_map(difference).collect();
    assert!(
        differences.is_empty(),
        "\n{}\nUPDATE=1 replaces the expected files by those that were generated.",
        differences.join("\n")
    );
}

#[test]
fn a_second_run_generates_the_same_files() {
    let case = &cases()[0];
    assert_eq!(generated_files(case), generated_files(case));
}

/// The output of `diff -u` for the expected and the generated files, if they differ.
fn difference(case: &Case) -> Option<String> {
    let expected_directory = case.root.join("expected");
    let generated = generated_files(case);
    if std::env::var_os("UPDATE").is_some() {
        let _ = fs::remove_dir_all(&expected_directory);
        write(&expected_directory, &generated);
    }
    let expected = files_below(&expected_directory);
    if expected == generated {
        return None;
    }
    let directory = tempfile::tempdir().unwrap();
    write(&directory.path().join("expected"), &expected);
    write(&directory.path().join("generated"), &generated);
    let output = run(Command::new("diff")
        .args(["-urN", "expected", "generated"])
        .current_dir(directory.path()));
    Some(format!(
        "== {}\n{}",
        case.name,
        String::from_utf8_lossy(&output.stdout)
    ))
}

/// What the generator wrote, in the form of an `expected` directory.
fn generated_files(case: &Case) -> BTreeMap<String, String> {
    let generated = case.generate();
    let mut files = BTreeMap::new();
    let mut links = String::new();
    for directory in ["normal", "early", "late"] {
        for (path, text) in generated.files(directory) {
            let path = format!("{directory}/{path}");
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

fn write(directory: &Path, files: &BTreeMap<String, String>) {
    for (path, text) in files {
        let path = directory.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
}
