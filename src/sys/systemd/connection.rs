//! The two ways to reach PID 1, a time limit on every exchange, and D-Bus errors in plain words.
//!
//! Between two calls a thread of zbus reads the sockets, until they are closed. It only moves bytes and never runs code
//! of this program.

use std::future::Future;
use std::io;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail};
use zbus::address::transport::{Transport, Unix, UnixSocket};
use zbus::connection::Builder;
use zbus::{Connection, fdo};
use zruntime::SharedRuntime;

use super::private::PrivateSocket;
use super::timeouts::CONNECT_TIMEOUT;

/// Where PID 1 listens.
#[derive(Debug)]
pub enum Address {
    /// PID 1's own socket.
    Private(PathBuf),
    /// dbus-daemon's socket.
    Bus(PathBuf),
}

impl Address {
    /// Opens a new connection.
    pub fn open(&self) -> Result<Connection> {
        let (Self::Private(path) | Self::Bus(path)) = self;
        within(CONNECT_TIMEOUT, self.connect())
            .with_context(|| format!("connecting to systemd at {}", path.display()))
    }

    async fn connect(&self) -> zbus::Result<Connection> {
        match self {
            Self::Private(path) => {
                let socket = PrivateSocket::connect(path).await?;
                Builder::socket(socket).p2p().build().await
            }
            Self::Bus(path) => {
                let socket = Transport::Unix(Unix::new(UnixSocket::File(path.clone())));
                Builder::address(zbus::Address::new(socket)).build().await
            }
        }
    }
}

/// Runs a D-Bus exchange in this thread, for at most `limit`.
pub fn within<T>(limit: Duration, exchange: impl Future<Output = zbus::Result<T>>) -> Result<T> {
    zbus::block_on(async {
        match SharedRuntime::current()?.timeout(limit, exchange).await {
            Ok(answer) => answer.map_err(|error| anyhow!(describe(&error))),
            Err(_) => bail!(
                "systemd did not answer within {} s; it may be reloading its units: retry later",
                limit.as_secs()
            ),
        }
    })
}

/// The message of an error, for administrators.
pub fn describe(error: &zbus::Error) -> String {
    match error {
        // systemd's text is a whole sentence, which names the unit.
        zbus::Error::MethodError(_, Some(text), _) => text.clone(),
        zbus::Error::FDO(error) => describe_standard(error),
        zbus::Error::InputOutput(error) if is_lost(error) => {
            "the connection to systemd was lost".to_owned()
        }
        zbus::Error::InputOutput(error) => error.to_string(),
        zbus::Error::Connection(error, _) => error.to_string(),
        other => other.to_string(),
    }
}

/// Describes an error of the D-Bus specification.
fn describe_standard(error: &fdo::Error) -> String {
    match error {
        // Users get the second one, because these calls do not allow polkit to ask for a password.
        fdo::Error::AccessDenied(_) | fdo::Error::InteractiveAuthorizationRequired(_) => {
            "permission denied; run this as root".to_owned()
        }
        fdo::Error::ServiceUnknown(_) | fdo::Error::NameHasNoOwner(_) => {
            "systemd is not on the system bus".to_owned()
        }
        other => match zbus::DBusError::description(other) {
            Some(text) => text.to_owned(),
            None => other.to_string(),
        },
    }
}

fn is_lost(error: &io::Error) -> bool {
    use io::ErrorKind::{BrokenPipe, ConnectionReset, NotConnected, Other, UnexpectedEof};
    // Which of these zbus reports depends on what it did when the connection was lost.
    matches!(
        error.kind(),
        BrokenPipe | ConnectionReset | NotConnected | Other | UnexpectedEof
    )
}
