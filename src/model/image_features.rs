//! The features of an image, which the kernel prints as a mask (ceph `src/include/rbd/features.h`).

/// The bits of the mask.
const FEATURES: [(u64, &str); 11] = [
    (0, "layering"),
    (1, "striping"),
    (2, "exclusive-lock"),
    (3, "object-map"),
    (4, "fast-diff"),
    (5, "deep-flatten"),
    (6, "journaling"),
    (7, "data-pool"),
    (8, "operations"),
    (9, "migrating"),
    (10, "non-primary"),
];

/// The names of the features in a mask such as `0x3d`, separated by blanks as `rbd feature disable` expects them. Unknown bits
/// have no name. `None` if the text is not a mask.
pub fn names(mask: &str) -> Option<String> {
    let mask = u64::from_str_radix(mask.trim().strip_prefix("0x")?, 16).ok()?;
    let names: Vec<&str> = FEATURES
        .iter()
        .filter(|(bit, _)| mask >> bit & 1 == 1)
        .map(|(_, name)| *name)
        .collect();
    Some(names.join(" "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_known_bit_has_its_name() {
        assert_eq!(
            names("0x3d\n").unwrap(),
            "layering exclusive-lock object-map fast-diff deep-flatten"
        );
        assert_eq!(names("0x1000").unwrap(), "");
        assert_eq!(names("61"), None);
    }
}
