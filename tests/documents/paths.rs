//! Every file that a document names exists: the targets of links, and paths in code spans.

use std::fs;
use std::path::{Path, PathBuf};

const DOCUMENTS: [&str; 6] = [
    "README.md",
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    "SECURITY.md",
    "docs/architecture.md",
    "docs/benchmarks.md",
];

/// A code span that begins with one of these is a path from the top of the repository.
const DIRECTORIES: [&str; 6] = ["src/", "tests/", "docs/", "etc/", "units/", "packaging/"];

#[test]
fn every_file_that_a_document_names_exists() {
    let missing: Vec<String> = DOCUMENTS
        .iter()
        .flat_map(|document| missing_files(document))
        .collect();
    assert!(
        missing.is_empty(),
        "these files do not exist:\n{}",
        missing.join("\n")
    );
}

/// What the document names and does not exist, as `DOCUMENT: NAME`.
fn missing_files(document: &str) -> Vec<String> {
    let repository = Path::new(env!("CARGO_MANIFEST_DIR"));
    let text = fs::read_to_string(repository.join(document)).unwrap();
    // A link is relative to the document.
    let directory = repository.join(document).parent().unwrap().to_owned();
    let links = link_targets(&text).map(|target| (target, directory.join(target)));
    let spans = paths_in_code(&text).map(|path| (path, repository.join(path)));
    let mut named: Vec<(&str, PathBuf)> = links.chain(spans).collect();
    named.retain(|(_, path)| !path.exists());
    named
        .iter()
        .map(|(name, _)| format!("{document}: {name}"))
        .collect()
}

/// The targets of `[text](target)`, without those on the web.
fn link_targets(text: &str) -> impl Iterator<Item = &str> {
    let ends = text.split("](").skip(1);
    let targets = ends.filter_map(|rest| rest.split_once(')').map(|(target, _)| target));
    targets.filter(|target| !target.contains("://"))
}

/// The first word of each code span, if it is a path. The others are the arguments of a command.
fn paths_in_code(text: &str) -> impl Iterator<Item = &str> {
    let spans = text.split('`').skip(1).step_by(2);
    let words = spans.filter_map(|span| span.split_whitespace().next());
    words.filter(|word| {
        DIRECTORIES
            .iter()
            .any(|directory| word.starts_with(directory))
    })
}
