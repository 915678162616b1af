//! The tag that marks a mapping as ours: `rbdmap:table:NONCE` or `rbdmap:hand:NONCE`.
//!
//! The tag is the sixth word of the line that is written to the rbd bus. The kernel parses five words, ignores the rest, and
//! keeps the whole line in `config_info` (linux `drivers/block/rbd.c`, rbd_add_parse_args and rbd_config_info_show; tested on
//! 6.1). So no state file is needed that could become stale. The nonce shows which device was created by which write.

use std::fmt;

/// How a mapping was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// By an entry of the table. The image is unmapped with the table.
    Table,
    /// By a command line with all options. The image is unmapped by name, or at shutdown.
    Hand,
}

/// The tag of one mapping.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OwnerTag {
    /// How the mapping was asked for.
    pub origin: Origin,
    nonce: String,
}

impl OwnerTag {
    /// A new tag. The random bytes become the nonce.
    pub fn new(origin: Origin, random: [u8; 8]) -> Self {
        Self {
            origin,
            nonce: format!("{:016x}", u64::from_be_bytes(random)),
        }
    }

    /// The tag in a `config_info`, if it has one.
    pub fn from_config_info(config_info: &str) -> Option<Self> {
        // The sixth word only: a name of a pool or an image may look like a tag.
        let mut parts = config_info.split_whitespace().nth(5)?.split(':');
        let ("rbdmap", origin, nonce) = (parts.next()?, parts.next()?, parts.next()?) else {
            return None;
        };
        let origin = match origin {
            "table" => Origin::Table,
            "hand" => Origin::Hand,
            _ => return None,
        };
        Some(Self {
            origin,
            nonce: nonce.to_owned(),
        })
    }
}

impl fmt::Display for OwnerTag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let origin = match self.origin {
            Origin::Table => "table",
            Origin::Hand => "hand",
        };
        write!(f, "rbdmap:{origin}:{}", self.nonce)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_is_read_back_from_the_line() {
        let tag = OwnerTag::new(Origin::Table, [0, 1, 2, 3, 4, 5, 6, 7]);
        assert_eq!(tag.to_string(), "rbdmap:table:0001020304050607");
        let line = format!("1.2.3.4:6789 name=boot,key=client.boot rbd image - {tag}\n");
        assert_eq!(OwnerTag::from_config_info(&line), Some(tag));
    }

    #[test]
    fn a_line_of_another_program_has_no_tag() {
        for line in [
            "1.2.3.4:6789 name=boot rbd image -",
            "m o p i - tag=abc",
            "m o p rbdmap:table:1 -",
            "m o p i - rbdmap:x:1",
            "",
        ] {
            assert_eq!(OwnerTag::from_config_info(line), None, "{line:?}");
        }
    }
}
