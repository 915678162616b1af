//! A fake manager in this process: PID 1's end of the private socket. The name of a unit decides what its job does;
//! `units` has units that require each other.

mod units;

use std::os::unix::net::{UnixListener, UnixStream};
use std::thread;
use std::time::Duration;

use zbus::connection::Builder;
use zbus::message::{Header, Message};
use zbus::names::ErrorName;
use zbus::{Connection, DBusError, Guid, OwnedObjectPath, interface};

use self::units::{FAILED_UNIT, FakeService, UNITS, unit_path};
use super::manager::Manager;
use super::proxy;
use crate::runtime::fake_root::FakeRoot;

/// A client that is connected to a fake PID 1 on the private socket of a fake root.
pub fn fake_manager() -> (FakeRoot, Manager) {
    let root = FakeRoot::new();
    std::fs::create_dir_all(root.systemd_socket().parent().unwrap()).unwrap();
    let listener = UnixListener::bind(root.systemd_socket()).unwrap();
    thread::spawn(move || {
        let mut clients = Vec::new();
        while let Ok((client, _)) = listener.accept() {
            clients.push(serve(client));
        }
    });
    let manager = Manager::connect(&root).unwrap();
    (root, manager)
}

fn serve(client: UnixStream) -> Connection {
    let server = Builder::unix_stream(client).p2p().server(Guid::generate());
    let mut server = server
        .serve_at(proxy::PATH, FakeManager)
        .serve_at(unit_path("x"), FAILED_UNIT)
        .serve_at(unit_path("x"), FakeService);
    for (name, unit) in UNITS {
        server = server.serve_at(unit_path(name), *unit);
    }
    zbus::block_on(server.build()).unwrap()
}

/// org.freedesktop.systemd1.Manager, as far as this program uses it.
struct FakeManager;

#[interface(name = "org.freedesktop.systemd1.Manager")]
impl FakeManager {
    async fn subscribe(&self) {}

    async fn reload(&self) {}

    async fn load_unit(&self, name: &str) -> OwnedObjectPath {
        if UNITS.iter().any(|(known, _)| *known == name) {
            unit_path(name)
        } else {
            unit_path("x")
        }
    }

    async fn reset_failed_unit(&self, name: &str) -> Result<(), Refusal> {
        match name {
            "missing.service" => Err(Refusal(
                "org.freedesktop.systemd1.NoSuchUnit",
                format!("Unit {name} not loaded."),
            )),
            "denied.service" => Err(Refusal(
                "org.freedesktop.DBus.Error.AccessDenied",
                "Permission denied".to_owned(),
            )),
            _ => Ok(()),
        }
    }

    async fn list_jobs(&self) -> Vec<JobTuple> {
        [
            ("database.service", "stop", "running"),
            ("rbdmap@rbd-a.service", "stop", "running"),
            ("network.service", "stop", "waiting"),
            ("poweroff.target", "start", "running"),
            ("late.service", "start", "waiting"),
        ]
        .map(|(unit, kind, state)| {
            let path = OwnedObjectPath::try_from("/x").unwrap();
            (
                1,
                unit.to_owned(),
                kind.to_owned(),
                state.to_owned(),
                path.clone(),
                path,
            )
        })
        .into()
    }

    #[zbus(property)]
    fn system_state(&self) -> String {
        "degraded".to_owned()
    }

    async fn start_unit(
        &self,
        #[zbus(connection)] connection: &Connection,
        name: String,
        mode: &str,
    ) -> Result<OwnedObjectPath, Refusal> {
        assert_eq!(mode, "replace");
        let (error, text) = match name.as_str() {
            "missing.service" => (
                "org.freedesktop.systemd1.NoSuchUnit",
                format!("Unit {name} not found."),
            ),
            "masked.service" => (
                "org.freedesktop.systemd1.UnitMasked",
                format!("Unit {name} is masked."),
            ),
            "denied.service" => (
                "org.freedesktop.DBus.Error.InteractiveAuthorizationRequired",
                "polkit".to_owned(),
            ),
            _ => return Ok(enqueue(connection, &name).await),
        };
        Err(Refusal(error, text))
    }

    async fn stop_unit(
        &self,
        #[zbus(connection)] connection: &Connection,
        name: String,
        _mode: &str,
    ) -> OwnedObjectPath {
        enqueue(connection, &name).await
    }
}

/// A job as the signature of ListJobs has it: number, unit, type, state, its object, the unit's object.
type JobTuple = (
    u32,
    String,
    String,
    String,
    OwnedObjectPath,
    OwnedObjectPath,
);

/// An error reply.
#[derive(Debug)]
struct Refusal(&'static str, String);

impl DBusError for Refusal {
    fn create_reply(&self, call: &Header<'_>) -> zbus::Result<Message> {
        Message::error(call, self.name()).build(&self.1)
    }

    fn name(&self) -> ErrorName<'_> {
        ErrorName::from_static_str(self.0).unwrap()
    }

    fn description(&self) -> Option<&str> {
        Some(&self.1)
    }
}

/// Creates a job whose result is the name of the unit: `done.service` ends as `done`. The job of `slow` never ends, that of
/// `early` ends before the answer, that of `crash` closes the connection. `donealias` shares the job of `done`.
async fn enqueue(connection: &Connection, unit: &str) -> OwnedObjectPath {
    let result = unit.replace(".service", "").replace("alias", "");
    let job = OwnedObjectPath::try_from(format!("/org/freedesktop/systemd1/job/{result}")).unwrap();
    match result.as_str() {
        "slow" => {}
        "crash" => drop(connection.clone().close().await),
        "early" => job_removed(connection, &job, "done").await,
        _ => end_later(connection.clone(), job.clone(), result),
    }
    job
}

/// Ends a job after its answer, among more signals of another job than a queue holds.
fn end_later(connection: Connection, job: OwnedObjectPath, result: String) {
    let signals = async move {
        let other = OwnedObjectPath::try_from("/org/freedesktop/systemd1/job/77").unwrap();
        for _ in 0..100 {
            job_removed(&connection, &other, "failed").await;
        }
        job_removed(&connection, &job, &result).await;
    };
    thread::spawn(|| {
        thread::sleep(Duration::from_millis(30));
        zbus::block_on(signals);
    });
}

async fn job_removed(connection: &Connection, job: &OwnedObjectPath, result: &str) {
    let body = (1u32, job, "x.service", result);
    connection
        .emit_signal(
            None::<&str>,
            proxy::PATH,
            proxy::MANAGER,
            "JobRemoved",
            &body,
        )
        .await
        .unwrap();
}
