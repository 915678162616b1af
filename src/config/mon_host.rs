//! Monitor addresses: what `mon_host` and `mon addr` can say, and which of it a messenger version uses.
//!
//! Source: ceph `src/mon/MonMap.cc` (`build_initial`, `init_with_ips`, `init_with_hosts`) and
//! `src/msg/msg_types.cc` (`entity_addr_t::parse`). The rules that surprise: an address without a port is two monitors'
//! addresses, msgr2 on 3300 and msgr1 on 6789; port 3300 means msgr2 only, 6789 msgr1 only, any other port both. If
//! any item is not an address, all of them are taken for host names. Names are resolved by the caller.

use crate::model::messenger::Messenger;
use std::net::{IpAddr, SocketAddr};

/// One address of a monitor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Monitor {
    /// The protocol.
    pub messenger: Messenger,
    /// Where it listens.
    pub address: SocketAddr,
}

/// What `mon_host` says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MonHost {
    /// Addresses, in order.
    Addresses(Vec<Monitor>),
    /// Host names with their ports, to be resolved.
    Names(Vec<(String, Option<u16>)>),
}

/// Reads a `mon_host`: separated by commas, semicolons and blanks.
pub fn mon_host(text: &str) -> MonHost {
    let items = split(text);
    let parsed: Option<Vec<Vec<Monitor>>> =
        items.iter().map(|item| address_or_vector(item)).collect();
    match parsed {
        Some(found) => MonHost::Addresses(unique(found.into_iter().flatten())),
        None => MonHost::Names(items.iter().map(|item| name_and_port(item)).collect()),
    }
}

/// Reads the `mon addr` of a monitor's own section: one address, msgr1 unless it says otherwise. What follows it is ignored.
pub fn mon_addr(text: &str) -> Option<Monitor> {
    split(text)
        .first()
        .and_then(|address| typed(address, Messenger::V1))
}

/// The addresses that an IP means with the port that was given, if one was.
pub fn by_port(ip: IpAddr, port: Option<u16>) -> Vec<Monitor> {
    let port = port.filter(|port| *port != 0);
    let both = [Messenger::V2, Messenger::V1];
    let speaks = |messenger: &&Messenger| match port {
        Some(3300) => **messenger == Messenger::V2,
        Some(6789) => **messenger == Messenger::V1,
        _ => true,
    };
    let monitor = |messenger: &Messenger| Monitor {
        messenger: *messenger,
        address: SocketAddr::new(ip, port.unwrap_or(messenger.default_port())),
    };
    both.iter().filter(speaks).map(monitor).collect()
}

/// Reads one address whatever messenger it is for: `[v1:|v2:|any:]IP[:PORT]`.
pub fn endpoint(text: &str) -> Option<(IpAddr, Option<u16>)> {
    let prefix = ["v1:", "v2:", "any:"]
        .into_iter()
        .find(|prefix| text.starts_with(prefix))
        .unwrap_or_default();
    ip_and_port(&text[prefix.len()..])
}

/// The addresses each once, in order.
pub fn unique(monitors: impl IntoIterator<Item = Monitor>) -> Vec<Monitor> {
    let mut seen = Vec::new();
    for monitor in monitors {
        if !seen.contains(&monitor) {
            seen.push(monitor);
        }
    }
    seen
}

/// Splits at commas, semicolons and blanks that are outside brackets.
fn split(text: &str) -> Vec<String> {
    let (mut items, mut depth) = (vec![String::new()], 0_usize);
    for c in text.chars() {
        match c {
            ',' | ';' if depth == 0 => items.push(String::new()),
            c if depth == 0 && c.is_whitespace() => items.push(String::new()),
            c => {
                depth = match c {
                    '[' => depth + 1,
                    ']' => depth.saturating_sub(1),
                    _ => depth,
                };
                if let Some(item) = items.last_mut() {
                    item.push(c);
                }
            }
        }
    }
    items.retain(|item| !item.is_empty());
    items
}

/// `[v2:IP:PORT,v1:IP:PORT]`, where brackets around one address mean nothing, or a single address.
fn address_or_vector(item: &str) -> Option<Vec<Monitor>> {
    let vector = item
        .strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'))
        .map(split);
    match vector.as_deref() {
        None => single(item),
        Some([]) => None,
        Some([address]) => single(address),
        Some(addresses) => addresses
            .iter()
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

/// One address for the messenger that it names, or else for this one.
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

/// `IP`, `[IP]`, `IPv4:PORT`, `[IP]:PORT`, a `/nonce` after it ignored.
fn ip_and_port(text: &str) -> Option<(IpAddr, Option<u16>)> {
    let text = text.split_once('/').map_or(text, |(address, _)| address);
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

/// A host name with the port after its only colon.
fn name_and_port(item: &str) -> (String, Option<u16>) {
    match item
        .split_once(':')
        .map(|(name, port)| (name, port.parse()))
    {
        Some((name, Ok(port))) => (name.to_owned(), Some(port)),
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
    fn addresses_mean_what_they_mean_to_ceph() {
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
    fn one_name_makes_all_of_them_names() {
        let names = MonHost::Names(vec![
            ("mon-a".into(), None),
            ("mon-b".into(), Some(6789)),
            ("1.2.3.4".into(), None),
        ]);
        assert_eq!(mon_host("mon-a,mon-b:6789 1.2.3.4"), names);
    }

    #[test]
    fn a_monitors_own_section_means_msgr1_unless_it_says_otherwise() {
        for text in ["1.2.3.4", "any:1.2.3.4:0", "1.2.3.4:6789, 1.2.3.5"] {
            let v1 = mon_addr(text).map(|monitor| (monitor.messenger, monitor.address.port()));
            assert_eq!(v1, Some((Messenger::V1, 6789)), "{text}");
        }
        assert_eq!(mon_addr("host"), None);
    }

    proptest! {
        #[test]
        fn no_text_panics(text in ".*", addresses in "[v12:.\\[\\],/ ]{0,40}") {
            mon_host(&text);
            mon_host(&addresses);
        }
    }
}
