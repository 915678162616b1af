//! What `reload` does: the table has changed, and only what has changed in it is to change on the machine.

use std::collections::HashSet;

use crate::config::table::Entry;
use crate::model::mapping::Mapping;
use crate::model::owner_tag::Origin;

/// What is to be done, each image once.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct ReloadPlan<'a> {
    /// Listed and not mapped.
    pub new: Vec<&'a Entry>,
    /// Mapped by the table and no longer listed.
    pub gone: Vec<Mapping>,
    /// Listed and mapped, to be looked at for options that have changed.
    pub kept: Vec<(&'a Entry, Mapping)>,
}

/// Plans a reload. What others have mapped, and what was mapped by hand, is nobody's business here; if the table lists such
/// an image, it is there already.
pub fn plan<'a>(entries: &'a [Entry], mapped: &[Mapping]) -> ReloadPlan<'a> {
    let mut plan = ReloadPlan::default();
    let mut listed = HashSet::new();
    for entry in entries {
        if !listed.insert(&entry.spec) {
            continue;
        }
        match mapped.iter().find(|mapping| mapping.spec == entry.spec) {
            Some(mapping) => plan.kept.push((entry, mapping.clone())),
            None => plan.new.push(entry),
        }
    }
    let gone = mapped
        .iter()
        .filter(|mapping| mapping.has_origin(Origin::Table) && !listed.contains(&mapping.spec));
    plan.gone = gone.cloned().collect();
    plan
}

/// In what the options of a mapping (the second word of its `config_info`) differ from those that are wanted now (of a line
/// for the kernel): words as `+queue_depth=64` and `-ro`. How the secret is given is no difference.
pub fn changed_options(config_info: &str, line: &str) -> Vec<String> {
    let options = |line: &str| -> Vec<String> {
        let word = line.split_whitespace().nth(1).unwrap_or_default();
        let is_secret = |option: &&str| {
            ["key", "secret"].contains(&option.split('=').next().unwrap_or_default())
        };
        word.split(',')
            .filter(|option| !option.is_empty() && !is_secret(option))
            .map(str::to_owned)
            .collect()
    };
    let (has, wants) = (options(config_info), options(line));
    let added = wants
        .iter()
        .filter(|option| !has.contains(option))
        .map(|option| format!("+{option}"));
    let removed = has
        .iter()
        .filter(|option| !wants.contains(option))
        .map(|option| format!("-{option}"));
    added.chain(removed).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::table;
    use crate::model::owner_tag::OwnerTag;
    use std::path::Path;

    fn mapping(id: u32, spec: &str, origin: Option<Origin>) -> Mapping {
        let tag = origin.map(|origin| OwnerTag::new(origin, [0; 8]));
        Mapping {
            id,
            spec: spec.parse().unwrap(),
            fsid: String::new(),
            read_only: false,
            tag,
            number: (252, id * 16),
        }
    }

    #[test]
    fn only_what_changed_in_the_table_changes() {
        let entries = table::parse(Path::new("t"), "rbd/kept\nrbd/new\nrbd/by-hand\nrbd/new\n").0;
        let mapped = [
            mapping(0, "rbd/kept", Some(Origin::Table)),
            mapping(1, "rbd/gone", Some(Origin::Table)),
            mapping(2, "rbd/by-hand", Some(Origin::Hand)),
            mapping(3, "rbd/elsewhere", Some(Origin::Hand)),
            mapping(4, "rbd/foreign", None),
        ];
        let plan = plan(&entries, &mapped);
        assert_eq!(plan.new, [&entries[1]]);
        assert_eq!(plan.gone, mapped[1..2]);
        assert_eq!(
            plan.kept
                .iter()
                .map(|(_, mapping)| mapping.id)
                .collect::<Vec<_>>(),
            [0, 2]
        );
    }

    #[test]
    fn options_are_compared_without_monitors_secrets_and_marks() {
        let line = |options: &str| format!("1.2.3.4:6789 {options} rbd a - rbdmap:table:00");
        let rows = [
            (
                "name=boot,key=client.boot,queue_depth=64",
                "name=boot,secret=x,queue_depth=64",
                vec![],
            ),
            (
                "name=boot,ro",
                "name=boot,queue_depth=64",
                vec!["+queue_depth=64", "-ro"],
            ),
            ("name=boot", "name=other", vec!["+name=other", "-name=boot"]),
        ];
        for (has, wants, expected) in rows {
            assert_eq!(
                changed_options(&line(has), &line(wants).replace("1.2", "5.6")),
                expected
            );
        }
    }
}
