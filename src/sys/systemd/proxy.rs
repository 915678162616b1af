//! The methods and properties of systemd's D-Bus interfaces that this program uses, with their names from
//! org.freedesktop.systemd1(5). StartUnit, StopUnit and the signal JobRemoved are missing: `follower` needs them as
//! messages in one order.

use serde::Deserialize;
use zbus::proxy::CacheProperties;
use zbus::{Connection, OwnedObjectPath, Proxy, Type, proxy};

/// PID 1's name on the system bus.
pub const SERVICE: &str = "org.freedesktop.systemd1";

/// The manager's object.
pub const PATH: &str = "/org/freedesktop/systemd1";

/// The manager's interface.
pub const MANAGER: &str = "org.freedesktop.systemd1.Manager";

/// The interface of services.
const SERVICE_INTERFACE: &str = "org.freedesktop.systemd1.Service";

/// The error for a unit that is neither loaded nor on disk.
pub const NO_SUCH_UNIT: &str = "org.freedesktop.systemd1.NoSuchUnit";

/// A unit in a list.
#[derive(Debug, Deserialize, Type)]
#[expect(dead_code, reason = "D-Bus fixes the fields and their order")]
pub struct ListedUnit {
    /// The name.
    pub name: String,
    description: String,
    /// LoadState.
    pub load: String,
    /// ActiveState.
    pub active: String,
    sub: String,
    following: String,
    path: OwnedObjectPath,
    job_id: u32,
    job_kind: String,
    job_path: OwnedObjectPath,
}

/// A job in a list.
#[derive(Debug, Deserialize, Type)]
#[expect(dead_code, reason = "D-Bus fixes the fields and their order")]
pub struct ListedJob {
    id: u32,
    /// The unit's name.
    pub unit: String,
    /// `start`, `stop`, `restart` and others.
    pub kind: String,
    state: String,
    path: OwnedObjectPath,
    unit_path: OwnedObjectPath,
}

impl ListedJob {
    /// Whether systemd has begun the job. Until then it waits for others.
    pub fn is_running(&self) -> bool {
        self.state == "running"
    }
}

/// The manager.
#[proxy(
    interface = "org.freedesktop.systemd1.Manager",
    default_service = "org.freedesktop.systemd1",
    default_path = "/org/freedesktop/systemd1",
    async_name = "ManagerProxy"
)]
pub trait ManagerInterface {
    /// Returns when systemd has read all units again.
    async fn reload(&self) -> zbus::Result<()>;

    /// The unit's object, even if the unit does not exist.
    async fn load_unit(&self, name: &str) -> zbus::Result<OwnedObjectPath>;

    /// Loads these units if necessary. The answer includes those that do not exist.
    async fn list_units_by_names(&self, names: &[String]) -> zbus::Result<Vec<ListedUnit>>;

    /// Loaded units in one of these states whose names match one of these patterns.
    async fn list_units_by_patterns(
        &self,
        states: &[&str],
        patterns: &[&str],
    ) -> zbus::Result<Vec<ListedUnit>>;

    /// All jobs.
    async fn list_jobs(&self) -> zbus::Result<Vec<ListedJob>>;

    /// Clears the failed state and the count towards the start limit.
    async fn reset_failed_unit(&self, name: &str) -> zbus::Result<()>;

    /// What `systemctl is-system-running` prints.
    #[zbus(property)]
    fn system_state(&self) -> zbus::Result<String>;
}

/// What units of every type have.
#[proxy(
    interface = "org.freedesktop.systemd1.Unit",
    default_service = "org.freedesktop.systemd1",
    async_name = "UnitProxy"
)]
pub trait UnitInterface {
    /// loaded, not-found, bad-setting, error, masked.
    #[zbus(property)]
    fn load_state(&self) -> zbus::Result<String>;

    /// active, reloading, inactive, failed, activating, deactivating, maintenance.
    #[zbus(property)]
    fn active_state(&self) -> zbus::Result<String>;

    /// The state in terms of the unit's type, such as `mounted` or `stop-post`.
    #[zbus(property)]
    fn sub_state(&self) -> zbus::Result<String>;

    /// Units with Requires= on this one. systemd stops them with it.
    #[zbus(property)]
    fn required_by(&self) -> zbus::Result<Vec<String>>;

    /// Units with BindsTo= on this one. systemd stops them with it too.
    #[zbus(property)]
    fn bound_by(&self) -> zbus::Result<Vec<String>>;

    /// The number and object of its job; number 0 for none.
    #[zbus(property)]
    fn job(&self) -> zbus::Result<(u32, OwnedObjectPath)>;

    /// Units with Wants= on this one, such as multi-user.target if it is enabled there.
    #[zbus(property)]
    fn wanted_by(&self) -> zbus::Result<Vec<String>>;

    /// When it last left the inactive state, in microseconds since boot; 0 if never.
    #[zbus(property)]
    fn inactive_exit_timestamp_monotonic(&self) -> zbus::Result<u64>;
}

/// A queued job.
#[proxy(
    interface = "org.freedesktop.systemd1.Job",
    default_service = "org.freedesktop.systemd1",
    async_name = "JobProxy"
)]
pub trait JobInterface {
    /// start, stop, restart and others.
    #[zbus(property)]
    fn job_type(&self) -> zbus::Result<String>;
}

/// The properties Result and StatusText, which belong to the interface of the unit's type; empty for types without them.
pub async fn result_and_status(
    connection: &Connection,
    path: &OwnedObjectPath,
    name: &str,
) -> zbus::Result<(String, String)> {
    let interface = match name.rsplit_once('.').map(|(_, suffix)| suffix) {
        Some("service") => SERVICE_INTERFACE,
        Some("mount") => "org.freedesktop.systemd1.Mount",
        Some("automount") => "org.freedesktop.systemd1.Automount",
        Some("swap") => "org.freedesktop.systemd1.Swap",
        _ => return Ok((String::new(), String::new())),
    };
    let unit = typed_proxy(connection, path, interface).await?;
    // Only services can send a status.
    let status = if interface == SERVICE_INTERFACE {
        unit.get_property("StatusText").await?
    } else {
        String::new()
    };
    Ok((unit.get_property("Result").await?, status))
}

/// The property NRestarts of a service.
pub async fn restart_count(connection: &Connection, path: &OwnedObjectPath) -> zbus::Result<u32> {
    typed_proxy(connection, path, SERVICE_INTERFACE)
        .await?
        .get_property("NRestarts")
        .await
}

/// The object of a unit with the interface of its type.
async fn typed_proxy<'a>(
    connection: &'a Connection,
    path: &'a OwnedObjectPath,
    interface: &'static str,
) -> zbus::Result<Proxy<'a>> {
    proxy::Builder::<Proxy>::new(connection)
        .destination(SERVICE)
        .path(path)
        .interface(interface)
        .cache_properties(CacheProperties::No)
        .build()
        .await
}
