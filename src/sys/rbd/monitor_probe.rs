//! Checks whether monitors answer, before the kernel is asked to connect to them.
//!
//! The kernel holds one lock for all of rbd while it opens a session with a new cluster: a write for monitors that do not
//! answer blocks every other mapping on the host for up to a minute, and SIGKILL does not end those that wait (tried on 6.1).
//! A monitor greets every client: with `ceph v027` for msgr1 and `ceph v2\n` for msgr2 (ceph `src/msg/async/ProtocolV1.cc`
//! and `ProtocolV2.cc`), so a connection and a few bytes suffice. Whether the monitor is in a quorum they do not show.

use std::fmt;
use std::io::{self, ErrorKind, Read};
use std::net::{SocketAddr, TcpStream};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use crate::model::messenger::Messenger;
use crate::runtime::deadline::Deadline;

/// How long one monitor may take to greet.
const GREETING_TIMEOUT: Duration = Duration::from_secs(3);

/// How long the others may take after the first has greeted. On one network they greet at almost the same time.
const OTHERS_TIMEOUT: Duration = Duration::from_millis(50);

/// No monitor greeted; what is wrong with each of them.
#[derive(Debug, PartialEq, Eq)]
pub struct NoGreeting(Vec<(SocketAddr, GreetingError)>);

impl fmt::Display for NoGreeting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let errors = self.0.iter();
        let sentences: Vec<String> = errors
            .map(|(address, error)| format!("{address}: {error}"))
            .collect();
        f.write_str(&sentences.join(", "))
    }
}

impl std::error::Error for NoGreeting {}

/// Why an address is not that of a usable monitor.
#[derive(Debug, PartialEq, Eq)]
pub enum GreetingError {
    /// The connection or the greeting exceeded the time limit.
    NoAnswer,
    /// The connection was refused.
    Refused,
    /// The connection was closed before a greeting.
    Closed,
    /// Another error of the connection.
    Connection(String),
    /// The greeting is not a monitor's.
    NotAMonitor,
    /// The monitor uses this messenger protocol, and the other one is required.
    WrongMessenger(Messenger),
}

impl fmt::Display for GreetingError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoAnswer => "no answer",
            Self::Refused => "connection refused",
            Self::Closed => "connection closed",
            Self::Connection(message) => message,
            Self::NotAMonitor => "not a monitor",
            Self::WrongMessenger(Messenger::V1) => {
                "speaks msgr1, msgr2 is required (or set ms_mode=legacy)"
            }
            Self::WrongMessenger(Messenger::V2) => {
                "speaks msgr2, msgr1 is required (or set ms_mode=prefer-crc)"
            }
        })
    }
}

impl From<io::Error> for GreetingError {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            ErrorKind::TimedOut | ErrorKind::WouldBlock => Self::NoAnswer,
            ErrorKind::UnexpectedEof => Self::Closed,
            ErrorKind::ConnectionRefused => Self::Refused,
            _ => Self::Connection(error.to_string()),
        }
    }
}

/// Connects to all monitors at once and returns, sorted, those that greet with the required messenger protocol. The kernel gets
/// only these: it tries addresses one by one in random order, and loses seconds with each that does not answer.
pub fn greeters(
    monitors: &[SocketAddr],
    messenger: Messenger,
    deadline: &Deadline,
) -> Result<Vec<SocketAddr>, NoGreeting> {
    // A time-out of zero is an error for TcpStream.
    let limit = GREETING_TIMEOUT
        .min(deadline.remaining())
        .max(Duration::from_millis(1));
    let (sender, receiver) = mpsc::channel();
    for address in monitors.iter().copied() {
        let sender = sender.clone();
        // Nobody receives any more after the first greeting and OTHERS_TIMEOUT; a thread that still connects ends within the limit.
        thread::spawn(move || sender.send((address, probe(address, messenger, limit))));
    }
    drop(sender);
    let mut greeters = Vec::new();
    let mut errors = Vec::new();
    // Until one has greeted there is no need for a time-out, because each thread sends within its limit.
    let mut timeout = Duration::MAX;
    while let Ok((address, result)) = receiver.recv_timeout(timeout) {
        match result {
            Ok(()) => {
                greeters.push(address);
                timeout = OTHERS_TIMEOUT;
            }
            Err(error) => errors.push((address, error)),
        }
    }
    if greeters.is_empty() {
        errors.sort_by_cached_key(|(address, _)| address.to_string());
        return Err(NoGreeting(errors));
    }
    greeters.sort_unstable();
    Ok(greeters)
}

fn probe(address: SocketAddr, required: Messenger, limit: Duration) -> Result<(), GreetingError> {
    let mut stream = TcpStream::connect_timeout(&address, limit)?;
    stream.set_read_timeout(Some(limit))?;
    let mut greeting = [0; 8];
    stream.read_exact(&mut greeting)?;
    check(&greeting, required)
}

fn check(greeting: &[u8; 8], required: Messenger) -> Result<(), GreetingError> {
    let messenger = match greeting {
        b"ceph v2\n" => Messenger::V2,
        greeting if greeting.starts_with(b"ceph v") => Messenger::V1,
        _ => return Err(GreetingError::NotAMonitor),
    };
    if messenger == required {
        Ok(())
    } else {
        Err(GreetingError::WrongMessenger(messenger))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;
    use std::net::TcpListener;

    /// A monitor that greets each client with these bytes.
    fn monitor(greeting: &'static [u8]) -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        thread::spawn(move || {
            for stream in listener.incoming() {
                stream.unwrap().write_all(greeting).unwrap();
            }
        });
        address
    }

    /// An address where nothing listens.
    fn refused() -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        listener.local_addr().unwrap()
    }

    fn probe_all(
        monitors: &[SocketAddr],
        messenger: Messenger,
    ) -> Result<Vec<SocketAddr>, NoGreeting> {
        let deadline = Deadline::after(Duration::from_secs(5));
        greeters(monitors, messenger, &deadline)
    }

    #[test]
    fn one_monitor_that_greets_is_enough_and_is_the_only_one_returned() {
        let v2 = monitor(b"ceph v2\n\x10\0");
        assert_eq!(probe_all(&[refused(), v2], Messenger::V2), Ok(vec![v2]));
        let v1 = monitor(b"ceph v027____");
        assert_eq!(probe_all(&[v1, v2], Messenger::V1), Ok(vec![v1]));
    }

    #[test]
    fn each_monitor_that_does_not_greet_is_named_with_the_reason() {
        let cases: [(&'static [u8], Messenger, &str); 4] = [
            (b"ceph v027____", Messenger::V2, "speaks msgr1"),
            (b"ceph v2\n\x10\0", Messenger::V1, "speaks msgr2"),
            (b"SSH-2.0-OpenSSH", Messenger::V1, "not a monitor"),
            (b"ceph", Messenger::V1, "connection closed"),
        ];
        for (greeting, required, expected) in cases {
            let address = monitor(greeting);
            let error = probe_all(&[address], required).unwrap_err().to_string();
            assert!(
                error.starts_with(&format!("{address}: {expected}")),
                "{error}"
            );
        }
        let address = refused();
        let error = probe_all(&[address], Messenger::V1).unwrap_err();
        assert_eq!(error.to_string(), format!("{address}: connection refused"));
    }
}
