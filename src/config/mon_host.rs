//! The addresses of monitors: what `mon_host` and `mon addr` can contain, and which of it each messenger version uses.
//!
//! Source: ceph `src/mon/MonMap.cc` (`build_initial`, `init_with_ips`, `init_with_hosts`) and
//! `src/msg/msg_types.cc` (`entity_addr_t::parse`). An address without a port stands for two addresses, msgr2 on port 3300 and
//! msgr1 on port 6789. Port 3300 means msgr2 only, 6789 msgr1 only, any other port both. If any item is not an address,
//! all items are host names, which the caller resolves.

use std::net::{IpAddr, SocketAddr};

use crate::model::messenger::Messenger;

/// One address of a monitor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Monitor {
    /// The version of the protocol.
    pub messenger: Messenger,
    /// The IP address and the port.
    pub address: SocketAddr,
}

/// The content of `mon_host`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MonHost {
    /// Addresses in their order.
    Addresses(Vec<Monitor>),
    /// Host names to resolve, with their ports.
    Names(Vec<(String, Option<u16>)>),
}

/// Parses `mon_host`, whose items are separated by commas, semicolons and blanks.
pub fn mon_host(text: &str) -> MonHost {
    let items = split(text);
    let parsed: Option<Vec<Vec<Monitor>>> =
        items.iter().map(|item| address_or_vector(item)).collect();
    match parsed {
        Some(found) => MonHost::Addresses(unique(found.into_iter().flatten())),
        // Ceph decides for the whole list, too.
        None => MonHost::Names(items.iter().map(|item| name_and_port(item)).collect()),
    }
}

/// Parses `mon addr` of a monitor's section: one address, of msgr1 unless it has a prefix. Text after the address is ignored.
pub fn mon_addr(text: &str) -> Option<Monitor> {
    split(text)
        .first()
        .and_then(|address| typed(address, Messenger::V1))
}

/// The addresses that an IP address with an optional port stands for.
pub fn by_port(ip: IpAddr, port: Option<u16>) -> Vec<Monitor> {
    // For Ceph, port 0 means no port.
    let port = port.filter(|port| *port != 0);
    let messengers: &[Messenger] = match port {
        Some(3300) => &[Messenger::V2],
        Some(6789) => &[Messenger::V1],
        _ => &[Messenger::V2, Messenger::V1],
    };
    let mut monitors = Vec::new();
    for messenger in messengers {
        monitors.push(Monitor {
            messenger: *messenger,
            address: SocketAddr::new(ip, port.unwrap_or(messenger.default_port())),
        });
    }
    monitors
}

/// Parses one address without regard to its messenger: `[v1:|v2:|any:]IP[:PORT]`.
pub fn endpoint(text: &str) -> Option<(IpAddr, Option<u16>)> {
    let prefix = ["v1:", "v2:", "any:"]
        .into_iter()
        .find(|prefix| text.starts_with(prefix))
        .unwrap_or_default();
    ip_and_port(&text[prefix.len()..])
}

/// The addresses in their order, each of them once.
pub fn unique(monitors: impl IntoIterator<Item = Monitor>) -> Vec<Monitor> {
    let mut seen = Vec::new();
    for monitor in monitors {
        if !seen.contains(&monitor) {
            seen.push(monitor);
        }
    }
    seen
}

/// Splits at commas, semicolons and blanks outside brackets.
fn split(text: &str) -> Vec<String> {
    let mut items = Vec::new();
    let mut item = String::new();
    let mut depth = 0_usize;
    for c in text.chars() {
        if depth == 0 && (matches!(c, ',' | ';') || c.is_whitespace()) {
            items.push(std::mem::take(&mut item));
            continue;
        }
        match c {
            '[' => depth += 1,
            ']' => depth = depth.saturating_sub(1),
            _ => {}
        }
        item.push(c);
    }
    items.push(item);
    items.retain(|item| !item.is_empty());
    items
}

/// A single address, or `[v2:IP:PORT,v1:IP:PORT]`. Brackets around one address have no meaning.
fn address_or_vector(item: &str) -> Option<Vec<Monitor>> {
    let vector = item
        .strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'))
        .map(split);
    match vector.as_deref() {
        None => single(item),
        Some([]) => None,
        // These can also be the brackets of an IPv6 address.
        Some([address]) => single(address),
        Some(addresses) => addresses
            .iter()
            // Inside brackets, an address without a prefix is for msgr2.
            .map(|address| typed(address, Messenger::V2))
            .collect(),
    }
}

fn single(address: &str) -> Option<Vec<Monitor>> {
    if address.starts_with("v1:") || address.starts_with("v2:") {
        return typed(address, Messenger::V1).map(|monitor| vec![monitor]);
    }
    endpoint(address).map(|(ip, port)| by_port(ip, port))
}

/// One address, of the messenger in its prefix or else of `untyped`.
fn typed(address: &str, untyped: Messenger) -> Option<Monitor> {
    let messenger = match address.get(..3) {
        Some("v1:") => Messenger::V1,
        Some("v2:") => Messenger::V2,
        _ => untyped,
    };
    let (ip, port) = endpoint(address)?;
    let port = port
        .filter(|port| *port != 0)
        .unwrap_or(messenger.default_port());
    Some(Monitor {
        messenger,
        address: SocketAddr::new(ip, port),
    })
}

/// `IP`, `[IP]`, `IPv4:PORT` or `[IP]:PORT`; a `/nonce` after it is ignored.
fn ip_and_port(text: &str) -> Option<(IpAddr, Option<u16>)> {
    let text = text.split_once('/').map_or(text, |(address, _)| address);
    // Before any split at a colon: an IPv6 address contains colons and no port.
    if let Ok(ip) = text.parse() {
        return Some((ip, None));
    }
    if let Some((ip, rest)) = text.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        let ip = ip.parse().ok()?;
        return match rest.strip_prefix(':') {
            Some(port) => Some((ip, Some(port.parse().ok()?))),
            None => rest.is_empty().then_some((ip, None)),
        };
    }
    let (ip, port) = text.rsplit_once(':')?;
    Some((IpAddr::V4(ip.parse().ok()?), Some(port.parse().ok()?)))
}

/// A host name, and the port after its colon.
fn name_and_port(item: &str) -> (String, Option<u16>) {
    match item
        .split_once(':')
        .map(|(name, port)| (name, port.parse()))
    {
        Some((name, Ok(port))) => (name.to_owned(), Some(port)),
        // With an invalid port, the whole item is the name; resolving it fails, and the error shows it.
        _ => (item.to_owned(), None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn addresses(text: &str) -> Vec<String> {
        let MonHost::Addresses(monitors) = mon_host(text) else {
            return vec!["names".to_owned()];
        };
        let version = |monitor: &Monitor| {
            if monitor.messenger == Messenger::V1 {
                "v1"
            } else {
                "v2"
            }
        };
        monitors
            .iter()
            .map(|monitor| format!("{}:{}", version(monitor), monitor.address))
            .collect()
    }

    /// The expected addresses are those of Ceph 16.2.15's monitor map for the same text.
    #[test]
    fn addresses_are_read_as_ceph_reads_them() {
        let rows: [(&str, &[&str]); 16] = [
            ("1.2.3.4", &["v2:1.2.3.4:3300", "v1:1.2.3.4:6789"]),
            ("any:1.2.3.4", &["v2:1.2.3.4:3300", "v1:1.2.3.4:6789"]),
            ("1.2.3.4:6789", &["v1:1.2.3.4:6789"]),
            ("1.2.3.4:3300", &["v2:1.2.3.4:3300"]),
            ("1.2.3.4:7000", &["v2:1.2.3.4:7000", "v1:1.2.3.4:7000"]),
            ("1.2.3.4:0", &["v2:1.2.3.4:3300", "v1:1.2.3.4:6789"]),
            ("[1.2.3.4]:6789", &["v1:1.2.3.4:6789"]),
            ("[any:1.2.3.4]", &["v2:1.2.3.4:3300", "v1:1.2.3.4:6789"]),
            (
                "[1.2.3.4:9,v1:1.2.3.4:0]",
                &["v2:1.2.3.4:9", "v1:1.2.3.4:6789"],
            ),
            (
                "v1:1.2.3.4,v2:1.2.3.4:9",
                &["v1:1.2.3.4:6789", "v2:1.2.3.4:9"],
            ),
            (
                "[v2:1.2.3.4:3300/0,v1:1.2.3.4:6789/0]",
                &["v2:1.2.3.4:3300", "v1:1.2.3.4:6789"],
            ),
            (
                "1.2.3.4:6789, 1.2.3.5:6789 ;1.2.3.4:6789",
                &["v1:1.2.3.4:6789", "v1:1.2.3.5:6789"],
            ),
            ("::1", &["v2:[::1]:3300", "v1:[::1]:6789"]),
            ("[::1]:6789", &["v1:[::1]:6789"]),
            (
                "[v2:[::1]:3300,v1:[::1]:6789]",
                &["v2:[::1]:3300", "v1:[::1]:6789"],
            ),
            ("", &[]),
        ];
        for (text, expected) in rows {
            assert_eq!(addresses(text), expected, "{text:?}");
        }
    }

    #[test]
    fn one_host_name_makes_all_items_host_names() {
        let names = MonHost::Names(vec![
            ("mon-a".into(), None),
            ("mon-b".into(), Some(6789)),
            ("1.2.3.4".into(), None),
        ]);
        assert_eq!(mon_host("mon-a,mon-b:6789 1.2.3.4"), names);
    }

    #[test]
    fn the_address_in_a_monitors_section_is_msgr1_without_a_prefix() {
        for text in ["1.2.3.4", "any:1.2.3.4:0", "1.2.3.4:6789, 1.2.3.5"] {
            let v1 = mon_addr(text).map(|monitor| (monitor.messenger, monitor.address.port()));
            assert_eq!(v1, Some((Messenger::V1, 6789)), "{text}");
        }
        assert_eq!(mon_addr("host"), None);
    }

    proptest! {
        #[test]
        fn parsing_never_panics(text in ".*", addresses in "[v12:.\\[\\],/ ]{0,40}") {
            mon_host(&text);
            mon_host(&addresses);
        }
    }
}
