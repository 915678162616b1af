//! Host names of monitors to addresses, by the machine's resolver (getaddrinfo(3)): the kernel takes addresses only.
//!
//! The surprise: where no name server answers, it takes half a minute and more for each name (resolv.conf(5): two attempts of
//! 5 s for each server). So all are looked up at once, and no longer than is said; what is not back by then is left behind.

use std::fmt;
use std::net::IpAddr;
use std::time::Duration;

use dns_lookup::{AddrInfoHints, LookupErrorKind, SockType, getaddrinfo};

use crate::deadline::{Deadline, begin};

/// Every address of a host, in the resolver's order, or why there is none.
pub type Answer = Result<Vec<IpAddr>, NotFound>;

/// Why a name has no address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotFound {
    /// A sentence, with the name.
    pub why: String,
    /// Whether it may have one a moment later: no name server has answered.
    pub may_pass: bool,
}

impl NotFound {
    /// Of both.
    pub fn and(self, other: Self) -> Self {
        Self { why: format!("{self}; {other}"), may_pass: self.may_pass || other.may_pass }
    }
}

impl fmt::Display for NotFound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.why)
    }
}

impl std::error::Error for NotFound {}

/// Looks all of them up; the answers are in the same order.
pub fn look_up(hosts: &[String], limit: Duration) -> Vec<Answer> {
    let deadline = Deadline::after(limit);
    let asked: Vec<_> = hosts.iter().cloned().map(|host| begin(move || one(&host))).collect();
    let asked = hosts.iter().zip(&asked);
    asked.map(|(host, answer)| deadline.receive(answer).unwrap_or_else(|| Err(no_answer(host)))).collect()
}

fn one(host: &str) -> Answer {
    // One kind of socket, or each address comes once for each kind.
    let hints = AddrInfoHints { socktype: SockType::Stream.into(), ..AddrInfoHints::default() };
    let found = getaddrinfo(Some(host), None, Some(hints)).map_err(|error| NotFound {
        why: format!("{host} cannot be looked up: {}", reason(&error)),
        may_pass: matches!(error.kind(), LookupErrorKind::Again),
    })?;
    Ok(found.flatten().map(|found| found.sockaddr.ip()).collect())
}

fn reason(error: &dns_lookup::LookupError) -> String {
    match error.kind() {
        LookupErrorKind::Again => "no name server answers; is the network there, is /etc/resolv.conf right?".to_owned(),
        LookupErrorKind::NoName | LookupErrorKind::NoData => "there is no such name; is mon_host right?".to_owned(),
        _ => error.to_string(),
    }
}

fn no_answer(host: &str) -> NotFound {
    let why = format!(
        "{host} cannot be looked up: no name server has answered in time; is the network there, is /etc/resolv.conf right?"
    );
    NotFound { why, may_pass: true }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every machine knows itself, and no name has a blank in it (RFC 952).
    #[test]
    fn a_name_is_found_or_named_and_one_does_not_keep_the_other() {
        let answers = look_up(&["no such".to_owned(), "localhost".to_owned()], Duration::from_secs(60));
        assert!(answers[1].as_ref().is_ok_and(|found| found.iter().all(IpAddr::is_loopback)), "{answers:?}");
        let error = answers[0].as_ref().unwrap_err();
        assert!(error.why.starts_with("no such cannot be looked up: "), "{error}");
    }

    #[test]
    fn who_does_not_answer_in_time_may_do_so_later() {
        let answers = look_up(&["localhost".to_owned()], Duration::ZERO);
        assert!(answers[0].as_ref().map_or_else(|error| error.may_pass, |found| !found.is_empty()), "{answers:?}");
    }
}
