//! What `reload` does: it applies the changes of the table, and nothing else, to the machine.

use std::collections::HashSet;

use crate::config::table::Entry;
use crate::model::mapping::Mapping;
use crate::model::owner_tag::Origin;

/// What to do with each image.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct ReloadPlan<'a> {
    /// Listed and not mapped.
    pub new: Vec<&'a Entry>,
    /// Mapped by the table and no longer listed.
    pub gone: Vec<Mapping>,
    /// Listed and mapped: their options may have changed.
    pub kept: Vec<(&'a Entry, Mapping)>,
}

/// Plans a reload. Mappings that others made, or that were made by hand, are never unmapped here; an image that the table
/// lists and that one of them maps is mapped already.
pub fn plan<'a>(entries: &'a [Entry], mapped: &[Mapping]) -> ReloadPlan<'a> {
    let mut plan = ReloadPlan::default();
    let mut listed = HashSet::new();
    for entry in entries {
        if !listed.insert(&entry.spec) {
            continue; // The first line of an image counts.
        }
        match mapped.iter().find(|mapping| mapping.spec == entry.spec) {
            Some(mapping) => plan.kept.push((entry, mapping.clone())),
            None => plan.new.push(entry),
        }
    }
    for mapping in mapped {
        if mapping.has_origin(Origin::Table) && !listed.contains(&mapping.spec) {
            plan.gone.push(mapping.clone());
        }
    }
    plan
}

/// How the options of a mapping differ from those that are wanted now: words such as `+queue_depth=64` and `-ro`. `config_info`
/// is the mapping's, `line` is what would be written to the rbd bus; the options are the second word of both. The secret is
/// not compared.
pub fn changed_options(config_info: &str, line: &str) -> Vec<String> {
    let current = options(config_info);
    let wanted = options(line);
    let added = wanted.iter().filter(|option| !current.contains(option));
    let removed = current.iter().filter(|option| !wanted.contains(option));
    added
        .map(|option| format!("+{option}"))
        .chain(removed.map(|option| format!("-{option}")))
        .collect()
}

fn options(line: &str) -> Vec<&str> {
    let word = line.split_whitespace().nth(1).unwrap_or_default();
    let mut options: Vec<&str> = word.split(',').collect();
    // The same secret is given as key=NAME, a key in the kernel's keyring, or as secret=KEY.
    options.retain(|option| {
        let name = option.split('=').next().unwrap_or_default();
        !option.is_empty() && name != "key" && name != "secret"
    });
    options
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
    fn images_that_did_not_change_in_the_table_are_kept() {
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
    fn options_are_compared_without_monitors_secrets_and_tags() {
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
