//! PID 1's private socket as a transport for zbus.
//!
//! On it PID 1 speaks D-Bus peer to peer: no Hello, no names, no match rules, and it sends every signal. The socket is not
//! documented, but systemctl(1) uses it as root (systemd `src/core/dbus.c`), and it works when dbus-daemon does not.
//!
//! PID 1 sends every message there with the sender `org.freedesktop.systemd1` (sd_bus_set_sender(3)), a well-known name.
//! The D-Bus specification requires a unique name, and zbus refuses such a message (`Invalid unique name`). So this
//! transport replaces the first letter by the colon of a unique name as it reads the bytes. The rest, including all
//! lengths, stays the same.

use std::io::{self, Read, Write};
use std::net::Shutdown;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::Arc;

use zbus::connection::socket::{ReadHalf, Socket, Split, WriteHalf};
use zbus::export::async_trait::async_trait;
use zruntime::{AsyncIo, Shared, SharedRuntime};

type Stream = Arc<AsyncIo<UnixStream, Shared>>;

/// A connected socket, before the handshake.
#[derive(Debug)]
pub struct PrivateSocket(Stream);

impl PrivateSocket {
    /// Connects. It waits if PID 1 does not accept connections at this moment.
    pub async fn connect(path: &Path) -> io::Result<Self> {
        let runtime = SharedRuntime::current()?;
        let stream = zruntime::net::unix::UnixStream::connect(&runtime, path)
            .await?
            .into_std();
        Ok(Self(Arc::new(AsyncIo::new(&runtime, stream)?)))
    }
}

impl Socket for PrivateSocket {
    type ReadHalf = Reader;
    type WriteHalf = Writer;

    fn split(self) -> Split<Reader, Writer> {
        Split::new(
            Reader {
                stream: self.0.clone(),
                sender: SenderField::default(),
            },
            Writer(self.0),
        )
    }
}

/// Receives from PID 1.
#[derive(Debug)]
pub struct Reader {
    stream: Stream,
    sender: SenderField,
}

#[async_trait]
impl ReadHalf for Reader {
    async fn recvmsg(&mut self, buffer: &mut [u8]) -> io::Result<(usize, Vec<OwnedFd>)> {
        let length = self
            .stream
            .read_with(|mut stream| stream.read(buffer))
            .await?;
        self.sender.make_unique(&mut buffer[..length]);
        Ok((length, Vec::new())) // no file descriptors without can_pass_unix_fd()
    }
}

/// Sends to PID 1.
#[derive(Debug)]
pub struct Writer(Stream);

#[async_trait]
impl WriteHalf for Writer {
    async fn sendmsg(
        &mut self,
        buffer: &[u8],
        _descriptors: &[BorrowedFd<'_>],
    ) -> io::Result<usize> {
        self.0.write_with(|mut stream| stream.write(buffer)).await
    }

    async fn close(&mut self) -> io::Result<()> {
        self.0.get_ref().shutdown(Shutdown::Both)
    }
}

/// The first letter of the sender that PID 1 sends.
const FIRST_LETTER: u8 = b'o';

/// Finds the header field SENDER (number 7, a string of the length of `org.freedesktop.systemd1`), also if it arrives in
/// pieces. No string contains the bytes before the name, because some of them are zero.
#[derive(Debug, Default)]
struct SenderField {
    matched: usize,
}

impl SenderField {
    /// The bytes before the name: field number, signature and length, in the byte order of this machine and so of PID 1.
    fn prefix() -> [u8; 8] {
        let [a, b, c, d] = 24u32.to_ne_bytes();
        [7, 1, b's', 0, a, b, c, d]
    }

    /// Makes the sender a unique name in these bytes, which follow those of the call before.
    fn make_unique(&mut self, bytes: &mut [u8]) {
        // A letter that ends these bytes may follow in the next call, so the state of the search is kept.
        let prefix = Self::prefix();
        for byte in bytes {
            self.matched = match prefix.get(self.matched) {
                Some(expected) if expected == byte => self.matched + 1,
                None if *byte == FIRST_LETTER => {
                    *byte = b':';
                    0
                }
                // A mismatch may itself begin the prefix. No longer part of the prefix repeats its first byte.
                _ => usize::from(*byte == prefix[0]),
            };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use zbus::Message;

    #[test]
    fn the_sender_of_pid_1_becomes_unique_in_whatever_pieces_it_arrives() {
        let signal = Message::signal(
            "/org/freedesktop/systemd1",
            "org.freedesktop.systemd1.Manager",
            "JobRemoved",
        );
        let signal = signal
            .sender(":rg.freedesktop.systemd1")
            .build(&"org.freedesktop.systemd1")
            .unwrap();
        let valid: Vec<u8> = signal.data().to_vec();
        let at = valid.windows(4).position(|four| four == b":rg.").unwrap();
        let mut sent = valid.clone();
        sent[at] = FIRST_LETTER;
        for size in 1..=sent.len() {
            let (mut field, mut received) = (SenderField::default(), sent.clone());
            received
                .chunks_mut(size)
                .for_each(|piece| field.make_unique(piece));
            assert_eq!(received, valid, "in pieces of {size}");
        }
    }

    #[test]
    fn the_handshake_and_other_senders_stay_unchanged() {
        let texts = [
            &b"OK 880437f3ffbf43e39df5031e21e234cc\r\n"[..],
            b"\x07\x01s\0\x05\0\0\0:1.23\0",
            b"\x07\x07\x01s\0o",
        ];
        for text in texts {
            let mut bytes = text.to_vec();
            SenderField::default().make_unique(&mut bytes);
            assert_eq!(bytes, text);
        }
    }
}
