//! The two ways to PID 1, a bound on every wait, and D-Bus errors in plain words.
//!
//! The surprise: between two calls here a thread of zbus's takes over its sockets, and ends when they are closed. It
//! only moves bytes, and never runs code of ours.

use std::future::Future;
use std::io;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result, anyhow};
use zbus::address::transport::{Transport, Unix, UnixSocket};
use zbus::connection::Builder;
use zbus::{Connection, fdo};
use zruntime::SharedRuntime;

use super::private::PrivateSocket;

/// How long it may take to connect and shake hands; PID 1 does not while it reloads.
const CONNECT_LIMIT: Duration = super::CALL_LIMIT;

/// Where PID 1 listens.
#[derive(Debug)]
pub enum Address {
    /// PID 1's own socket.
    Private(PathBuf),
    /// dbus-daemon's socket.
    Bus(PathBuf),
}

impl Address {
    /// A new connection.
    pub fn open(&self) -> Result<Connection> {
        let (Self::Private(path) | Self::Bus(path)) = self;
        let connect = async {
            match self {
                Self::Private(path) => {
                    Builder::socket(PrivateSocket::connect(path).await?)
                        .p2p()
                        .build()
                        .await
                }
                Self::Bus(path) => {
                    let socket = Transport::Unix(Unix::new(UnixSocket::File(path.clone())));
                    Builder::address(zbus::Address::new(socket)).build().await
                }
            }
        };
        within(CONNECT_LIMIT, connect)
            .with_context(|| format!("connecting to systemd at {}", path.display()))
    }
}

/// Runs a D-Bus exchange in this thread, for at most `limit`.
pub fn within<T>(limit: Duration, exchange: impl Future<Output = zbus::Result<T>>) -> Result<T> {
    zbus::block_on(async {
        match SharedRuntime::current()?.timeout(limit, exchange).await {
            Ok(answer) => answer.map_err(|error| anyhow!(plain(&error))),
            Err(_) => Err(anyhow!(
                "systemd did not answer within {} s",
                limit.as_secs()
            )),
        }
    })
}

/// What an error means for who reads it.
pub fn plain(error: &zbus::Error) -> String {
    match error {
        zbus::Error::MethodError(_, Some(text), _) => text.clone(),
        zbus::Error::FDO(error) => match error.as_ref() {
            fdo::Error::AccessDenied(_) | fdo::Error::InteractiveAuthorizationRequired(_) => {
                "permission denied, this needs root".to_owned()
            }
            fdo::Error::ServiceUnknown(_) | fdo::Error::NameHasNoOwner(_) => {
                "systemd is not on the system bus".to_owned()
            }
            other => {
                zbus::DBusError::description(other).map_or_else(|| other.to_string(), str::to_owned)
            }
        },
        zbus::Error::InputOutput(error) if is_lost(error) => {
            "the connection to systemd was lost".to_owned()
        }
        zbus::Error::InputOutput(error) => error.to_string(),
        zbus::Error::Connection(error, _) => error.to_string(),
        other => other.to_string(),
    }
}

fn is_lost(error: &io::Error) -> bool {
    use io::ErrorKind::{BrokenPipe, ConnectionReset, NotConnected, Other, UnexpectedEof};
    matches!(
        error.kind(),
        BrokenPipe | ConnectionReset | NotConnected | Other | UnexpectedEof
    )
}
