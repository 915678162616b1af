//! Asks monitors whether they answer at all, before the kernel is asked to talk to them.
//!
//! The kernel holds one lock for all of rbd while it opens a session with a new cluster: a write for monitors that do not
//! answer blocks every other mapping on the host for up to a minute, deaf to SIGKILL for those that wait (tried on 6.1). A
//! monitor greets whoever connects: msgr1 with `ceph v027`, msgr2 with `ceph v2\n` (ceph `src/msg/async/ProtocolV1.cc`
//! and `ProtocolV2.cc`), so a connect and a few bytes tell. That it has a quorum, they do not.

use std::io::{self, Read};
use std::net::{SocketAddr, TcpStream};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use crate::model::messenger::Messenger;
use crate::runtime::deadline::Deadline;

/// How long one monitor may take to greet.
const GREETING_LIMIT: Duration = Duration::from_secs(3);

/// When one has greeted, how long the others may take to be counted too.
const GRACE: Duration = Duration::from_millis(50);

/// Asks all at once. Those that greet in the messenger that is wanted, when one has; the error says of each what is wrong with it.
/// The kernel asks one after the other, by chance, and takes seconds for one that is dead; so it is told of the living.
pub fn greeters(
    monitors: &[SocketAddr],
    messenger: Messenger,
    deadline: &Deadline,
) -> Result<Vec<SocketAddr>, String> {
    let limit = GREETING_LIMIT
        .min(deadline.remaining())
        .max(Duration::from_millis(1));
    let (sender, receiver) = mpsc::channel();
    for address in monitors.iter().copied() {
        let sender = sender.clone();
        // Nobody listens any more once one has greeted; a thread that is still connecting ends within the limit.
        thread::spawn(move || sender.send((address, greeting(address, limit))));
    }
    drop(sender);
    let (mut greeters, mut complaints) = (Vec::new(), Vec::new());
    // Each of them answers within the limit.
    let mut patience = Duration::MAX;
    while let Ok((address, greeting)) = receiver.recv_timeout(patience) {
        match greeting
            .map_err(|error| in_words(&error))
            .and_then(|bytes| check(&bytes, messenger))
        {
            Ok(()) => {
                greeters.push(address);
                patience = GRACE;
            }
            Err(complaint) => complaints.push(format!("{address}: {complaint}")),
        }
    }
    greeters.sort_unstable();
    complaints.sort_unstable();
    if greeters.is_empty() {
        Err(complaints.join(", "))
    } else {
        Ok(greeters)
    }
}

/// The first bytes that a monitor sends.
fn greeting(address: SocketAddr, limit: Duration) -> io::Result<[u8; 8]> {
    let mut stream = TcpStream::connect_timeout(&address, limit)?;
    stream.set_read_timeout(Some(limit))?;
    let mut bytes = [0; 8];
    stream.read_exact(&mut bytes).map(|()| bytes)
}

fn check(bytes: &[u8; 8], wanted: Messenger) -> Result<(), String> {
    let spoken = match bytes {
        b"ceph v2\n" => Messenger::V2,
        bytes if bytes.starts_with(b"ceph v") => Messenger::V1,
        _ => return Err("something else than a monitor listens there".to_owned()),
    };
    match (spoken == wanted, spoken) {
        (true, _) => Ok(()),
        (false, Messenger::V1) => {
            Err("speaks msgr1, wanted msgr2 (ms_mode=legacy would do)".to_owned())
        }
        (false, Messenger::V2) => {
            Err("speaks msgr2, wanted msgr1 (ms_mode=prefer-crc would do)".to_owned())
        }
    }
}

fn in_words(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::TimedOut | io::ErrorKind::WouldBlock => "no answer".to_owned(),
        io::ErrorKind::UnexpectedEof => "closes the connection".to_owned(),
        io::ErrorKind::ConnectionRefused => "refuses the connection".to_owned(),
        _ => error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;
    use std::net::TcpListener;

    /// A monitor that greets everybody with these bytes.
    fn monitor(greeting: &'static [u8]) -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        thread::spawn(move || {
            listener
                .incoming()
                .for_each(|stream| stream.unwrap().write_all(greeting).unwrap())
        });
        address
    }

    fn refused() -> SocketAddr {
        TcpListener::bind("127.0.0.1:0")
            .unwrap()
            .local_addr()
            .unwrap()
    }

    fn ask(monitors: &[SocketAddr], messenger: Messenger) -> Result<Vec<SocketAddr>, String> {
        greeters(
            monitors,
            messenger,
            &Deadline::after(Duration::from_secs(5)),
        )
    }

    #[test]
    fn one_that_greets_is_enough_and_told_from_the_others() {
        let living = monitor(b"ceph v2\n\x10\0");
        assert_eq!(ask(&[refused(), living], Messenger::V2), Ok(vec![living]));
        let living = monitor(b"ceph v027____");
        assert_eq!(
            ask(&[living, monitor(b"ceph v2\n\x10\0")], Messenger::V1),
            Ok(vec![living])
        );
    }

    #[test]
    fn each_that_does_not_is_named_with_its_fault() {
        let rows: [(&'static [u8], Messenger, &str); 4] = [
            (b"ceph v027____", Messenger::V2, "speaks msgr1"),
            (b"ceph v2\n\x10\0", Messenger::V1, "speaks msgr2"),
            (b"SSH-2.0-OpenSSH", Messenger::V1, "something else"),
            (b"ceph", Messenger::V1, "closes the connection"),
        ];
        for (greeting, wanted, expected) in rows {
            let address = monitor(greeting);
            let error = ask(&[address], wanted).unwrap_err();
            assert!(
                error.starts_with(&address.to_string()) && error.contains(expected),
                "{error}"
            );
        }
        assert!(
            ask(&[refused()], Messenger::V1)
                .unwrap_err()
                .contains("refuses")
        );
    }
}
