//! Resolves host names of monitors with the C library's resolver (getaddrinfo(3)): the kernel takes addresses only.
//!
//! Without a name server that answers, each name takes half a minute and more (resolv.conf(5): two attempts of 5 s for each
//! server). Therefore all names are resolved at once, each in a thread, and a name that exceeds the time limit is given up.

use std::collections::BTreeMap;
use std::fmt;
use std::net::IpAddr;
use std::time::Duration;

use dns_lookup::{AddrInfoHints, LookupErrorKind, SockType, getaddrinfo};

use crate::runtime::background::spawn;
use crate::runtime::deadline::Deadline;

/// How long resolving may take, unless the caller has less time.
pub const LOOKUP_TIMEOUT: Duration = Duration::from_secs(5);

/// Every address of a host, in the resolver's order, or why it has none.
pub type Answer = Result<Vec<IpAddr>, LookupError>;

/// Why a name has no address.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum LookupError {
    /// No name server answered; one may answer later.
    NoServer,
    /// The name does not exist.
    NoName,
    /// The resolver's own message.
    Other(String),
}

impl fmt::Display for LookupError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoServer => "no name server answers; check the network and /etc/resolv.conf",
            Self::NoName => "no such name; check mon_host",
            Self::Other(message) => message,
        })
    }
}

/// Names that could not be resolved, by the reason.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotFound(BTreeMap<LookupError, Vec<String>>);

impl NotFound {
    /// The hosts whose answer is an error; `None` if there is none.
    pub fn among(hosts: &[String], answers: &[Answer]) -> Option<Self> {
        let mut unresolved = BTreeMap::<LookupError, Vec<String>>::new();
        for (host, answer) in hosts.iter().zip(answers) {
            if let Err(error) = answer {
                unresolved
                    .entry(error.clone())
                    .or_default()
                    .push(host.clone());
            }
        }
        (!unresolved.is_empty()).then_some(Self(unresolved))
    }

    /// Whether a later attempt may resolve one of them.
    pub fn may_pass(&self) -> bool {
        self.0.contains_key(&LookupError::NoServer)
    }
}

impl fmt::Display for NotFound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sentences: Vec<String> = self
            .0
            .iter()
            .map(|(error, hosts)| format!("{} cannot be resolved: {error}", hosts.join(", ")))
            .collect();
        f.write_str(&sentences.join("; "))
    }
}

impl std::error::Error for NotFound {}

/// Resolves all names at once. The answers have the order of the hosts.
pub fn look_up(hosts: &[String], limit: Duration) -> Vec<Answer> {
    let deadline = Deadline::after(limit);
    let mut pending = Vec::new();
    for host in hosts {
        let host = host.clone();
        pending.push(spawn(move || resolve(&host)));
    }
    // A lookup that is still running has not heard from any server. Its thread is left behind.
    pending
        .iter()
        .map(|answer| deadline.receive(answer))
        .map(|answer| answer.unwrap_or(Err(LookupError::NoServer)))
        .collect()
}

fn resolve(host: &str) -> Answer {
    // Without a socket type, getaddrinfo returns each address once for each type.
    let hints = AddrInfoHints {
        socktype: SockType::Stream.into(),
        ..AddrInfoHints::default()
    };
    match getaddrinfo(Some(host), None, Some(hints)) {
        Ok(found) => Ok(found.flatten().map(|found| found.sockaddr.ip()).collect()),
        Err(error) => Err(match error.kind() {
            LookupErrorKind::Again => LookupError::NoServer,
            LookupErrorKind::NoName | LookupErrorKind::NoData => LookupError::NoName,
            _ => LookupError::Other(error.to_string()),
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every machine can resolve `localhost`, and no name contains a blank (RFC 952).
    #[test]
    fn a_name_that_cannot_be_resolved_does_not_affect_another() {
        let answers = look_up(
            &["no such".to_owned(), "localhost".to_owned()],
            Duration::from_secs(60),
        );
        assert!(
            answers[1]
                .as_ref()
                .is_ok_and(|found| found.iter().all(IpAddr::is_loopback)),
            "{answers:?}"
        );
        assert!(answers[0].is_err(), "{answers:?}");
    }

    #[test]
    fn names_with_the_same_reason_are_reported_together() {
        let hosts = ["a", "b", "c", "d"].map(str::to_owned);
        let answers = [
            Err(LookupError::NoName),
            Ok(vec![]),
            Err(LookupError::NoName),
            Err(LookupError::NoServer),
        ];
        let unresolved = NotFound::among(&hosts, &answers).unwrap();
        assert_eq!(
            unresolved.to_string(),
            "d cannot be resolved: no name server answers; check the network and /etc/resolv.conf; \
             a, c cannot be resolved: no such name; check mon_host"
        );
        assert!(unresolved.may_pass());
        assert!(!NotFound::among(&hosts, &answers[..3]).unwrap().may_pass());
        assert_eq!(NotFound::among(&hosts[1..2], &answers[1..2]), None);
    }
}
