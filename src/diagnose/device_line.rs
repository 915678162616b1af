//! A line of the kernel log about a device, `rbd: rbdN: TEXT` (linux `drivers/block/rbd.c`, rbd_warn).

/// The parts of a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DeviceLine<'a> {
    /// N of /dev/rbdN.
    pub number: u32,
    /// What the driver reports about the device.
    pub text: &'a str,
}

impl<'a> DeviceLine<'a> {
    /// `None` if the line is not about a device.
    pub fn parse(line: &'a str) -> Option<Self> {
        let (number, text) = line.strip_prefix("rbd: rbd")?.split_once(": ")?;
        let number = number.parse().ok()?;
        Some(Self { number, text })
    }

    /// Whether the device has been created by this line's event: its history begins here.
    pub fn is_creation(&self) -> bool {
        self.text.starts_with("capacity ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_line_about_a_device_has_a_number() {
        let line = DeviceLine::parse("rbd: rbd12: capacity 1024 features 0x1").unwrap();
        assert!(line.number == 12 && line.is_creation());
        let line = DeviceLine::parse("rbd: rbd0: write result -5").unwrap();
        assert!(line.number == 0 && line.text == "write result -5" && !line.is_creation());
        for line in [
            "rbd: image rbd0: write result -5",
            "rbd: rbd: x",
            "rbd: rbd1 x",
            "libceph: rbd1: x",
        ] {
            assert_eq!(DeviceLine::parse(line), None, "{line}");
        }
    }
}
