//! The methods and properties of systemd's D-Bus interface that are used here, as org.freedesktop.systemd1(5) names
//! them. StartUnit, StopUnit and the signal JobRemoved are missing: `jobs` needs them as messages in one order.

use zbus::proxy::CacheProperties;
use zbus::{Connection, OwnedObjectPath, Proxy, proxy};

/// PID 1's name on the system bus.
pub const SERVICE: &str = "org.freedesktop.systemd1";

/// The manager's object.
pub const PATH: &str = "/org/freedesktop/systemd1";

/// The manager's interface.
pub const MANAGER: &str = "org.freedesktop.systemd1.Manager";

/// The interface of services.
const SERVICES: &str = "org.freedesktop.systemd1.Service";

/// The error for a unit that is neither loaded nor on disk.
pub const NO_SUCH_UNIT: &str = "org.freedesktop.systemd1.NoSuchUnit";

/// A unit in a list: name, description, load state, active state, sub state, the unit that it follows, its object, and
/// number, type and object of its job.
pub type UnitRow = (
    String,
    String,
    String,
    String,
    String,
    String,
    OwnedObjectPath,
    u32,
    String,
    OwnedObjectPath,
);

/// A job in a list: number, unit, type, state (`waiting` or `running`), its object, its unit's.
pub type JobRow = (
    u32,
    String,
    String,
    String,
    OwnedObjectPath,
    OwnedObjectPath,
);

/// The manager.
#[proxy(
    interface = "org.freedesktop.systemd1.Manager",
    default_service = "org.freedesktop.systemd1",
    default_path = "/org/freedesktop/systemd1"
)]
pub trait Manager {
    /// Answers when all units have been read again.
    async fn reload(&self) -> zbus::Result<()>;

    /// The unit's object; also for a unit that does not exist.
    async fn load_unit(&self, name: &str) -> zbus::Result<OwnedObjectPath>;

    /// What is known of units, which are loaded if they are not; those that do not exist are in the answer too.
    async fn list_units_by_names(&self, names: &[String]) -> zbus::Result<Vec<UnitRow>>;

    /// Loaded units in one of these states with names like one of these patterns.
    async fn list_units_by_patterns(
        &self,
        states: &[&str],
        patterns: &[&str],
    ) -> zbus::Result<Vec<UnitRow>>;

    /// All jobs.
    async fn list_jobs(&self) -> zbus::Result<Vec<JobRow>>;

    /// Forgets a failure and the count towards the start limit.
    async fn reset_failed_unit(&self, name: &str) -> zbus::Result<()>;

    /// What `systemctl is-system-running` prints.
    #[zbus(property)]
    fn system_state(&self) -> zbus::Result<String>;
}

/// What units of every type have.
#[proxy(
    interface = "org.freedesktop.systemd1.Unit",
    default_service = "org.freedesktop.systemd1"
)]
pub trait Unit {
    /// loaded, not-found, bad-setting, error, masked.
    #[zbus(property)]
    fn load_state(&self) -> zbus::Result<String>;

    /// active, reloading, inactive, failed, activating, deactivating, maintenance.
    #[zbus(property)]
    fn active_state(&self) -> zbus::Result<String>;

    /// The same in the words of the unit's type, such as `mounted` or `stop-post`.
    #[zbus(property)]
    fn sub_state(&self) -> zbus::Result<String>;

    /// Whether its files have changed since they were read.
    #[zbus(property)]
    fn need_daemon_reload(&self) -> zbus::Result<bool>;

    /// Units with Requires= on this one: they are stopped with it.
    #[zbus(property)]
    fn required_by(&self) -> zbus::Result<Vec<String>>;

    /// Units with BindsTo= on this one: they are stopped with it too.
    #[zbus(property)]
    fn bound_by(&self) -> zbus::Result<Vec<String>>;

    /// The job that is queued for it, with its number; number 0 for none.
    #[zbus(property)]
    fn job(&self) -> zbus::Result<(u32, OwnedObjectPath)>;

    /// Units with Wants= on this one, such as multi-user.target of what is enabled.
    #[zbus(property)]
    fn wanted_by(&self) -> zbus::Result<Vec<String>>;

    /// When it was first or last started, in microseconds since the boot; 0 if never.
    #[zbus(property)]
    fn inactive_exit_timestamp_monotonic(&self) -> zbus::Result<u64>;
}

/// A job that is queued.
#[proxy(
    interface = "org.freedesktop.systemd1.Job",
    default_service = "org.freedesktop.systemd1"
)]
pub trait Job {
    /// start, stop, restart and others.
    #[zbus(property)]
    fn job_type(&self) -> zbus::Result<String>;
}

/// The properties Result and StatusText, which belong to the interfaces of the types; empty for types that lack them.
pub async fn result_and_status(
    connection: &Connection,
    path: &OwnedObjectPath,
    name: &str,
) -> zbus::Result<(String, String)> {
    let interface = match name.rsplit_once('.').map(|(_, suffix)| suffix) {
        Some("service") => SERVICES,
        Some("mount") => "org.freedesktop.systemd1.Mount",
        Some("automount") => "org.freedesktop.systemd1.Automount",
        Some("swap") => "org.freedesktop.systemd1.Swap",
        _ => return Ok((String::new(), String::new())),
    };
    let typed = typed(connection, path, interface).await?;
    let status = if name.ends_with(".service") {
        typed.get_property("StatusText").await?
    } else {
        String::new()
    };
    Ok((typed.get_property("Result").await?, status))
}

/// The property NRestarts of a service.
pub async fn restarts(connection: &Connection, path: &OwnedObjectPath) -> zbus::Result<u32> {
    typed(connection, path, SERVICES)
        .await?
        .get_property("NRestarts")
        .await
}

/// The object of a unit with the interface of its type.
async fn typed<'a>(
    connection: &'a Connection,
    path: &'a OwnedObjectPath,
    interface: &'static str,
) -> zbus::Result<Proxy<'a>> {
    let typed = proxy::Builder::<Proxy>::new(connection)
        .destination(SERVICE)
        .path(path)
        .interface(interface);
    typed.cache_properties(CacheProperties::No).build().await
}
