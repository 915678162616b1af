//! The two versions of Ceph's messenger protocol.

/// Which messenger protocol an address speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Messenger {
    /// msgr1, port 6789.
    V1,
    /// msgr2, port 3300.
    V2,
}

impl Messenger {
    /// The port that monitors listen on where nobody says otherwise.
    pub fn default_port(self) -> u16 {
        match self {
            Self::V1 => 6789,
            Self::V2 => 3300,
        }
    }
}
