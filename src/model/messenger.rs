//! The two versions of Ceph's messenger protocol.

/// The protocol of an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Messenger {
    /// msgr1, port 6789.
    V1,
    /// msgr2, port 3300.
    V2,
}

impl Messenger {
    /// The port of monitors that have no port in the configuration.
    pub fn default_port(self) -> u16 {
        match self {
            Self::V1 => 6789,
            Self::V2 => 3300,
        }
    }
}
