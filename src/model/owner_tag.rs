//! The mark by which the kernel itself remembers that a mapping is ours: `rbdmap:table:NONCE` or `rbdmap:hand:NONCE`.
//!
//! It is the sixth word of the line that is written to the rbd bus. The kernel reads five, ignores the rest, and keeps
//! the whole line in `config_info` (tried on 6.1; linux `drivers/block/rbd.c`, rbd_add_parse_args and
//! rbd_config_info_show). So there is no state file that could go stale, and the nonce tells which device a
//! write made. The surprise: config_info ends where the page does, so a tag is looked for as the last word only.

use std::fmt;

/// Who asked for a mapping.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// A line of the table: unmapped with the table.
    Table,
    /// A command line that named everything itself: unmapped by name, or at shutdown.
    Hand,
}

/// The mark of one mapping.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OwnerTag {
    /// Who asked for it.
    pub origin: Origin,
    nonce: String,
}

impl OwnerTag {
    /// A new mark with sixteen random bytes' worth of nonce.
    pub fn new(origin: Origin, random: [u8; 8]) -> Self {
        Self {
            origin,
            nonce: format!("{:016x}", u64::from_be_bytes(random)),
        }
    }

    /// The mark at the end of a `config_info`, if there is one.
    pub fn from_config_info(config_info: &str) -> Option<Self> {
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
    fn a_tag_is_found_where_it_was_put() {
        let tag = OwnerTag::new(Origin::Table, [0, 1, 2, 3, 4, 5, 6, 7]);
        assert_eq!(tag.to_string(), "rbdmap:table:0001020304050607");
        let line = format!("1.2.3.4:6789 name=boot,key=client.boot rbd image - {tag}\n");
        assert_eq!(OwnerTag::from_config_info(&line), Some(tag));
    }

    #[test]
    fn what_others_wrote_is_not_ours() {
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
