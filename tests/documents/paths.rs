//! Every file that a document names is there: the targets of links, and paths from the top of the repository in code spans.

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

/// A code span that begins with one of these is a path.
const DIRECTORIES: [&str; 6] = ["src/", "tests/", "docs/", "etc/", "units/", "packaging/"];

#[test]
fn every_file_that_a_document_names_exists() {
    let missing: Vec<String> = DOCUMENTS
        .iter()
        .flat_map(|document| missing_in(document))
        .collect();
    assert!(
        missing.is_empty(),
        "named, but not there:\n{}",
        missing.join("\n")
    );
}

fn missing_in(document: &str) -> Vec<String> {
    let repository = Path::new(env!("CARGO_MANIFEST_DIR"));
    let text = fs::read_to_string(repository.join(document)).unwrap();
    let folder = repository.join(document).parent().unwrap().to_owned();
    let links = link_targets(&text).map(|target| (target, folder.join(target)));
    let spans = paths_in_code(&text).map(|path| (path, repository.join(path)));
    let mut named: Vec<(&str, PathBuf)> = links.chain(spans).collect();
    named.retain(|(_, path)| !path.exists());
    named
        .iter()
        .map(|(name, _)| format!("{document}: {name}"))
        .collect()
}

/// What `](TARGET)` leads to, unless it is on another site.
fn link_targets(text: &str) -> impl Iterator<Item = &str> {
    let ends = text.split("](").skip(1);
    let targets = ends.filter_map(|rest| rest.split_once(')').map(|(target, _)| target));
    targets.filter(|target| !target.contains("://"))
}

/// The first word of each code span, if it is a path: a command may have arguments.
fn paths_in_code(text: &str) -> impl Iterator<Item = &str> {
    let spans = text.split('`').skip(1).step_by(2);
    let words = spans.filter_map(|span| span.split_whitespace().next());
    words.filter(|word| {
        DIRECTORIES
            .iter()
            .any(|directory| word.starts_with(directory))
    })
}
