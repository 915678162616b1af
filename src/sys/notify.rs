//! Tells systemd how it stands: `STATUS=` shows in `systemctl status` (sd_notify(3)).
//!
//! One datagram to the socket that `$NOTIFY_SOCKET` names; a leading `@` is an abstract one. Without the
//! variable, as on a terminal, nothing is sent; and nobody's work fails because a status was not heard.

use std::env;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::time::Duration;

/// Sets the unit's status text. Newlines would start another assignment, so they become blanks.
pub fn status(text: &str) {
    send(&format!("STATUS={}", text.replace('\n', " ")));
}

/// Asks that this start or stop may take at least so much longer, from now on (systemd.service(5), TimeoutStopSec=).
pub fn extend(time: Duration) {
    send(&format!("EXTEND_TIMEOUT_USEC={}", time.as_micros()));
}

fn send(message: &str) {
    let Some(name) = env::var_os("NOTIFY_SOCKET") else { return };
    let name = name.to_string_lossy();
    let address = match name.strip_prefix('@') {
        Some(abstract_name) => SocketAddr::from_abstract_name(abstract_name),
        None => SocketAddr::from_pathname(&*name),
    };
    if let (Ok(address), Ok(socket)) = (address, UnixDatagram::unbound()) {
        // Not heard is not failed: the same text goes to the journal.
        let _ = socket.send_to_addr(message.as_bytes(), &address);
    }
}
