//! The client itself: its connection, and the D-Bus objects that the queries and commands call.

use std::future::Future;

use anyhow::{Context, Result};
use zbus::Connection;
use zbus::proxy::CacheProperties;

use super::connection::{Address, within};
use super::proxy::{ManagerProxy, UnitProxy};
use super::timeouts::CALL_TIMEOUT;
use crate::runtime::root::Root;

/// A connection to the system's manager.
#[derive(Debug)]
pub struct Manager {
    pub(super) connection: Connection,
    pub(super) address: Address,
}

impl Manager {
    /// Connects to PID 1 through its private socket, which works without dbus-daemon but only for root. Otherwise
    /// connects through the system bus.
    pub fn connect(root: &Root) -> Result<Self> {
        let private = Address::Private(root.systemd_socket());
        match private.open() {
            Ok(connection) => Ok(Self {
                connection,
                address: private,
            }),
            Err(reason) => {
                // Users may not open the private socket, and during boot and shutdown there may be no bus. If neither works,
                // the error has both reasons.
                tracing::debug!("{reason:#}");
                let bus = Address::Bus(root.join("run/dbus/system_bus_socket"));
                let connection = bus.open().with_context(|| format!("{reason:#}; then"))?;
                Ok(Self {
                    connection,
                    address: bus,
                })
            }
        }
    }

    /// Runs an exchange of a few calls.
    pub(super) fn call<T>(&self, exchange: impl Future<Output = zbus::Result<T>>) -> Result<T> {
        within(CALL_TIMEOUT, exchange)
    }

    pub(super) async fn manager_proxy(&self) -> zbus::Result<ManagerProxy<'_>> {
        // With a cache zbus would read all properties, and follow their changes, for the sake of one value.
        ManagerProxy::builder(&self.connection)
            .cache_properties(CacheProperties::No)
            .build()
            .await
    }

    /// The object of a unit, which systemd loads if necessary.
    pub(super) async fn unit_proxy(&self, name: &str) -> zbus::Result<UnitProxy<'_>> {
        let path = self.manager_proxy().await?.load_unit(name).await?;
        UnitProxy::builder(&self.connection)
            .path(path)
            .cache_properties(CacheProperties::No)
            .build()
            .await
    }
}

/// Names the first units of a list and counts the others.
pub(super) fn summarize(units: &[String]) -> String {
    match units {
        [first, second, third, _, ..] => {
            format!("{first}, {second}, {third} and {} more", units.len() - 3)
        }
        few => few.join(", "),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::runtime::fake_root::FakeRoot;

    #[test]
    fn without_systemd_the_error_names_both_sockets() {
        let error = format!("{:#}", Manager::connect(&FakeRoot::new()).unwrap_err());
        assert!(
            error.contains("run/systemd/private: No such file"),
            "{error}"
        );
        assert!(
            error.contains("run/dbus/system_bus_socket: No such file"),
            "{error}"
        );
    }

    #[test]
    fn a_long_list_of_units_is_shortened() {
        let names = ["a", "b", "c", "d", "e"].map(str::to_owned);
        assert_eq!(summarize(&names[..2]), "a, b");
        assert_eq!(summarize(&names), "a, b, c and 2 more");
    }
}
