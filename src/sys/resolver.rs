//! Host names of monitors to addresses, by the machine's resolver (getaddrinfo(3)): the kernel takes addresses only.
//!
//! The surprise: where no name server answers, it takes half a minute and more for each name (resolv.conf(5): two attempts of
//! 5 s for each server). So all are looked up at once, and no longer than is said; what is not back by then is left behind.

use std::collections::BTreeMap;
use std::fmt;
use std::net::IpAddr;
use std::time::Duration;

use dns_lookup::{AddrInfoHints, LookupErrorKind, SockType, getaddrinfo};

use crate::runtime::background::spawn;
use crate::runtime::deadline::Deadline;

/// How long it may take at a time, where nobody says.
pub const LIMIT: Duration = Duration::from_secs(5);

/// Every address of a host, in the resolver's order, or why there is none.
pub type Answer = Result<Vec<IpAddr>, Reason>;

/// Why a name has no address.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reason {
    /// No name server has answered, so it may have one a moment later.
    NoServer,
    /// There is no such name.
    NoName,
    /// The resolver's own word.
    Other(String),
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoServer => {
                "no name server answers; is the network there, is /etc/resolv.conf right?"
            }
            Self::NoName => "there is no such name; is mon_host right?",
            Self::Other(why) => why,
        })
    }
}

/// Names without addresses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotFound(BTreeMap<Reason, Vec<String>>);

impl NotFound {
    /// Those of the hosts that have none, if there are any.
    pub fn among(hosts: &[String], answers: &[Answer]) -> Option<Self> {
        let mut lost = BTreeMap::<Reason, Vec<String>>::new();
        for (host, answer) in hosts.iter().zip(answers) {
            if let Err(reason) = answer {
                lost.entry(reason.clone()).or_default().push(host.clone());
            }
        }
        (!lost.is_empty()).then_some(Self(lost))
    }

    /// Whether one of them may have one a moment later.
    pub fn may_pass(&self) -> bool {
        self.0.contains_key(&Reason::NoServer)
    }
}

impl fmt::Display for NotFound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let part = |(reason, hosts): (&Reason, &Vec<String>)| {
            format!("{} cannot be looked up: {reason}", hosts.join(", "))
        };
        f.write_str(&self.0.iter().map(part).collect::<Vec<_>>().join("; "))
    }
}

impl std::error::Error for NotFound {}

/// Looks all of them up; the answers are in the same order.
pub fn look_up(hosts: &[String], limit: Duration) -> Vec<Answer> {
    let deadline = Deadline::after(limit);
    let asked: Vec<_> = hosts
        .iter()
        .cloned()
        .map(|host| spawn(move || one(&host)))
        .collect();
    asked
        .iter()
        .map(|answer| deadline.receive(answer).unwrap_or(Err(Reason::NoServer)))
        .collect()
}

fn one(host: &str) -> Answer {
    // One kind of socket, or each address comes once for each kind.
    let hints = AddrInfoHints {
        socktype: SockType::Stream.into(),
        ..AddrInfoHints::default()
    };
    let found = getaddrinfo(Some(host), None, Some(hints)).map_err(|error| match error.kind() {
        LookupErrorKind::Again => Reason::NoServer,
        LookupErrorKind::NoName | LookupErrorKind::NoData => Reason::NoName,
        _ => Reason::Other(error.to_string()),
    })?;
    Ok(found.flatten().map(|found| found.sockaddr.ip()).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every machine knows itself, and no name has a blank in it (RFC 952).
    #[test]
    fn a_name_is_found_or_not_and_one_does_not_keep_the_other() {
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
    fn what_has_the_same_reason_is_told_together() {
        let hosts = ["a", "b", "c", "d"].map(str::to_owned);
        let answers = [
            Err(Reason::NoName),
            Ok(vec![]),
            Err(Reason::NoName),
            Err(Reason::NoServer),
        ];
        let lost = NotFound::among(&hosts, &answers).unwrap();
        assert_eq!(
            lost.to_string(),
            "d cannot be looked up: no name server answers; is the network there, is /etc/resolv.conf right?; \
             a, c cannot be looked up: there is no such name; is mon_host right?"
        );
        assert!(lost.may_pass() && !NotFound::among(&hosts, &answers[..3]).unwrap().may_pass());
        assert_eq!(NotFound::among(&hosts[1..2], &answers[1..2]), None);
    }
}
