//! Sizes for people.

const UNITS: [&str; 7] = ["B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];

/// Bytes as `rbd` prints them: in powers of 1024, with at most one decimal.
pub fn readable(bytes: u64) -> String {
    let power = (0..UNITS.len())
        .rev()
        .find(|power| bytes >> (10 * power) > 0)
        .unwrap_or(0);
    let shift = 10 * power;
    let whole = bytes >> shift;
    let rest = bytes & ((1 << shift) - 1);
    // u128: ten times the rest of an exbibyte does not fit into 64 bits.
    let tenths = (u128::from(rest) * 10) >> shift;
    if tenths == 0 {
        format!("{whole} {}", UNITS[power])
    } else {
        format!("{whole}.{tenths} {}", UNITS[power])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_have_at_most_one_decimal() {
        let rows = [
            (0, "0 B"),
            (512, "512 B"),
            (1 << 20, "1 MiB"),
            (u64::MAX, "15.9 EiB"),
            (3 << 39, "1.5 TiB"),
        ];
        for (bytes, expected) in rows {
            assert_eq!(readable(bytes), expected);
        }
    }
}
