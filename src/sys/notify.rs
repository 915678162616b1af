//! Reports the state of this process to systemd (sd_notify(3)), for example `STATUS=`, which `systemctl status` shows.
//!
//! Each message is one datagram to the socket in `$NOTIFY_SOCKET`; a leading `@` denotes an abstract socket. Without the
//! variable, as on a terminal, nothing is sent. A message that cannot be sent never makes the program fail.
//!
//! systemd looks up the sender's unit in /proc and drops the message of a process that has ended meanwhile. Therefore the program
//! waits before it ends ([`settle`]): `BARRIER=1` carries a descriptor, which systemd closes when it has processed all messages
//! before it (since systemd 246). A direct child of systemd does not need that: systemd processes its messages before its end
//! (systemd `src/core/manager.c`, manager_setup_notify), and newer versions start a process to close the descriptor.
//!
//! The crate sd-notify (0.5) does not replace this file: it has no barrier, takes the name of an abstract socket for a path, and
//! passes descriptors only through another crate.

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

/// How long systemd may take to close the descriptor of a barrier. It reads no messages while it reloads its units.
const BARRIER_MILLISECONDS: u16 = 5000;

/// Sets the unit's status text. A newline would start another assignment, so each becomes a blank.
pub fn status(text: &str) {
    send(&format!("STATUS={}", text.replace('\n', " ")));
}

/// Asks systemd to let this start or stop take at least `time` from now on (systemd.service(5), TimeoutStopSec=).
pub fn extend(time: Duration) {
    send(&format!("EXTEND_TIMEOUT_USEC={}", time.as_micros()));
}

/// Waits until systemd has processed all messages, if this process must, for a few seconds at most.
pub fn settle() {
    if getppid() == Pid::from_raw(1) {
        return;
    }
    let Some(address) = address() else { return };
    let Ok((read, write)) = io::pipe() else {
        return;
    };
    let descriptors = [write.as_raw_fd()];
    let is_sent = send_to(
        &address,
        "BARRIER=1",
        &[ControlMessage::ScmRights(&descriptors)],
    );
    // systemd has a copy of it now. The pipe is closed when the last copy is.
    drop(write);
    if is_sent {
        // Nobody writes to the pipe, so "readable" means that it is closed.
        let mut waiting = [PollFd::new(read.as_fd(), PollFlags::POLLIN)];
        let _ = poll(&mut waiting, BARRIER_MILLISECONDS);
    }
}

fn send(message: &str) {
    if let Some(address) = address() {
        // The journal has the same text, so a failure here loses nothing.
        send_to(&address, message, &[]);
    }
}

/// Whether the message was sent.
fn send_to(address: &UnixAddr, message: &str, attachments: &[ControlMessage<'_>]) -> bool {
    let Ok(socket) = UnixDatagram::unbound() else {
        return false;
    };
    let text = [IoSlice::new(message.as_bytes())];
    let flags = MsgFlags::empty();
    sendmsg(socket.as_raw_fd(), &text, attachments, flags, Some(address)).is_ok()
}

fn address() -> Option<UnixAddr> {
    let name = env::var_os("NOTIFY_SOCKET")?;
    match name.as_bytes().strip_prefix(b"@") {
        Some(abstract_name) => UnixAddr::new_abstract(abstract_name).ok(),
        None => UnixAddr::new(Path::new(&name)).ok(),
    }
}
