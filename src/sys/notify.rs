//! Tells systemd how it stands: `STATUS=` shows in `systemctl status` (sd_notify(3)).
//!
//! One datagram to the socket that `$NOTIFY_SOCKET` names; a leading `@` is an abstract one. Without the
//! variable, as on a terminal, nothing is sent; and nobody's work fails because a status was not heard.
//!
//! The surprise: systemd asks /proc for the unit of who sent it, and does not find one that has ended meanwhile. So before
//! the end it is waited for ([`settle`]): `BARRIER=1` brings a descriptor along, which systemd closes when it has read
//! everything before (sd_notify(3), since systemd 246). Its own children it takes notice of only after what they sent (systemd
//! `src/core/manager.c`, manager_setup_notify), so they need no such wait, for which newer ones start a process to close it.

use std::env;
use std::io::{self, IoSlice};
use std::os::fd::{AsFd, AsRawFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::time::Duration;

use nix::poll::{PollFd, PollFlags, poll};
use nix::sys::socket::{ControlMessage, MsgFlags, UnixAddr, sendmsg};
use nix::unistd::{Pid, getppid};

/// Sets the unit's status text. Newlines would start another assignment, so they become blanks.
pub fn status(text: &str) {
    send(&format!("STATUS={}", text.replace('\n', " ")));
}

/// Asks that this start or stop may take at least so much longer, from now on (systemd.service(5), TimeoutStopSec=).
pub fn extend(time: Duration) {
    send(&format!("EXTEND_TIMEOUT_USEC={}", time.as_micros()));
}

/// Waits until systemd has read what was sent, for a few seconds at most, if it would not hear it otherwise.
pub fn settle() {
    if getppid() == Pid::from_raw(1) {
        return;
    }
    let Some(address) = address() else { return };
    let (Ok((read, write)), Ok(socket)) = (io::pipe(), UnixDatagram::unbound()) else {
        return;
    };
    let (text, files) = ([IoSlice::new(b"BARRIER=1")], [write.as_raw_fd()]);
    let sent = sendmsg(
        socket.as_raw_fd(),
        &text,
        &[ControlMessage::ScmRights(&files)],
        MsgFlags::empty(),
        Some(&address),
    );
    drop(write);
    if sent.is_ok() {
        // Readable means closed, for nobody writes to it.
        let _ = poll(
            &mut [PollFd::new(read.as_fd(), PollFlags::POLLIN)],
            SETTLE_MILLISECONDS,
        );
    }
}

/// How long systemd may take; it does not read while it reloads.
const SETTLE_MILLISECONDS: u16 = 5000;

fn send(message: &str) {
    let Some(address) = address() else { return };
    let Ok(socket) = UnixDatagram::unbound() else {
        return;
    };
    // Not heard is not failed: the same text goes to the journal.
    let _ = sendmsg(
        socket.as_raw_fd(),
        &[IoSlice::new(message.as_bytes())],
        &[],
        MsgFlags::empty(),
        Some(&address),
    );
}

fn address() -> Option<UnixAddr> {
    let name = env::var_os("NOTIFY_SOCKET")?;
    match name.as_bytes().strip_prefix(b"@") {
        Some(abstract_name) => UnixAddr::new_abstract(abstract_name).ok(),
        None => UnixAddr::new(Path::new(&name)).ok(),
    }
}
