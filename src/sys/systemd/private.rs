//! PID 1's private socket as a transport for zbus.
//!
//! On it PID 1 speaks D-Bus peer to peer: no Hello, no names, no match rules, every signal unasked. Not documented, but
//! what systemctl(1) uses as root (systemd `src/core/dbus.c`), and there when dbus-daemon is not.
//!
//! The surprise: PID 1 signs every message there with the sender `org.freedesktop.systemd1` (sd_bus_set_sender(3)). That
//! is a well-known name, where the D-Bus specification wants a unique one, and zbus takes no such message (`Invalid
//! unique name`). So its first letter is turned into the colon of a unique name as the bytes come in. The rest, all
//! lengths included, stays.

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
    /// Connects; PID 1 need not be listening right now.
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

/// What PID 1 says.
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
        self.sender.mend(&mut buffer[..length]);
        Ok((length, Vec::new())) // without can_pass_unix_fd() there are no descriptors
    }
}

/// What we say to PID 1.
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

/// The first letter of the name that PID 1 signs with.
const FIRST: u8 = b'o';

/// Finds the header field SENDER (number 7, a string of the length of `org.freedesktop.systemd1`), also where it
/// arrives in pieces. No string holds such bytes, for it has zeros.
#[derive(Debug, Default)]
struct SenderField {
    matched: usize,
}

impl SenderField {
    /// What comes before the name, in the byte order of this machine, which is PID 1's too.
    fn lead() -> [u8; 8] {
        let [a, b, c, d] = 24u32.to_ne_bytes();
        [7, 1, b's', 0, a, b, c, d]
    }

    fn mend(&mut self, bytes: &mut [u8]) {
        let lead = Self::lead();
        for byte in bytes {
            self.matched = match lead.get(self.matched) {
                Some(expected) if expected == byte => self.matched + 1,
                None if *byte == FIRST => {
                    *byte = b':';
                    0
                }
                _ => usize::from(*byte == lead[0]),
            };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use zbus::Message;

    #[test]
    fn a_message_of_pid_1_becomes_valid_in_whatever_pieces_it_comes() {
        let reply = Message::signal(
            "/org/freedesktop/systemd1",
            "org.freedesktop.systemd1.Manager",
            "JobRemoved",
        );
        let reply = reply
            .sender(":rg.freedesktop.systemd1")
            .build(&"org.freedesktop.systemd1")
            .unwrap();
        let valid: Vec<u8> = reply.data().to_vec();
        let at = valid.windows(4).position(|four| four == b":rg.").unwrap();
        let mut sent = valid.clone();
        sent[at] = FIRST;
        for size in 1..=sent.len() {
            let (mut field, mut received) = (SenderField::default(), sent.clone());
            received
                .chunks_mut(size)
                .for_each(|piece| field.mend(piece));
            assert_eq!(received, valid, "in pieces of {size}");
        }
    }

    #[test]
    fn the_handshake_and_other_senders_pass_unchanged() {
        let texts = [
            &b"OK 880437f3ffbf43e39df5031e21e234cc\r\n"[..],
            b"\x07\x01s\0\x05\0\0\0:1.23\0",
            b"\x07\x07\x01s\0o",
        ];
        for text in texts {
            let mut bytes = text.to_vec();
            SenderField::default().mend(&mut bytes);
            assert_eq!(bytes, text);
        }
    }
}
