//! A fake manager in this process: PID 1's end of the private socket, where the name of a unit says what happens to it.

use std::os::unix::net::{UnixListener, UnixStream};
use std::thread;
use std::time::Duration;

use tempfile::TempDir;
use zbus::connection::Builder;
use zbus::message::{Header, Message};
use zbus::names::ErrorName;
use zbus::{Connection, DBusError, Guid, OwnedObjectPath, interface};

use super::{Manager, proxy};
use crate::runtime::root::Root;

/// org.freedesktop.systemd1.Manager as far as it is used here.
struct FakeManager;

/// org.freedesktop.systemd1.Unit and .Service.
struct FakeUnit;
struct FakeService;

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

#[interface(name = "org.freedesktop.systemd1.Manager")]
impl FakeManager {
    async fn subscribe(&self) {}

    async fn reload(&self) {}

    async fn load_unit(&self, _name: &str) -> OwnedObjectPath {
        OwnedObjectPath::try_from("/org/freedesktop/systemd1/unit/x").unwrap()
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

    async fn list_jobs(&self) -> Vec<proxy::JobRow> {
        let path = || OwnedObjectPath::try_from("/x").unwrap();
        let job = |unit: &str, kind: &str, state: &str| {
            (1, unit.into(), kind.into(), state.into(), path(), path())
        };
        vec![
            job("database.service", "stop", "running"),
            job("rbdmap@rbd-a.service", "stop", "running"),
            job("network.service", "stop", "waiting"),
            job("poweroff.target", "start", "running"),
        ]
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

/// A job that ends as the unit is called; `slow` never, `early` before the answer, `crash` with the connection. An
/// `…alias` shares the job of what it stands for.
async fn enqueue(connection: &Connection, unit: &str) -> OwnedObjectPath {
    let fate = unit.replace(".service", "").replace("alias", "");
    let job = OwnedObjectPath::try_from(format!("/org/freedesktop/systemd1/job/{fate}")).unwrap();
    match fate.as_str() {
        "slow" => {}
        "crash" => drop(connection.clone().close().await),
        "early" => job_removed(connection, &job, "done").await,
        _ => end_later(connection.clone(), job.clone(), fate),
    }
    job
}

/// The end of a job after its answer, among more signals that are nothing to us than a queue holds.
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

#[interface(name = "org.freedesktop.systemd1.Unit")]
impl FakeUnit {
    #[zbus(property)]
    fn load_state(&self) -> &str {
        "loaded"
    }

    #[zbus(property)]
    fn active_state(&self) -> &str {
        "failed"
    }

    #[zbus(property)]
    fn sub_state(&self) -> &str {
        "failed"
    }

    #[zbus(property)]
    fn need_daemon_reload(&self) -> bool {
        true
    }
}

#[interface(name = "org.freedesktop.systemd1.Service")]
impl FakeService {
    #[zbus(property)]
    fn result(&self) -> &str {
        "exit-code"
    }

    #[zbus(property)]
    fn status_text(&self) -> &str {
        "no such image"
    }
}

/// A root with a fake PID 1 on its private socket.
pub fn fake() -> (TempDir, Manager) {
    let folder = TempDir::new().unwrap();
    let root = Root::new(folder.path());
    std::fs::create_dir_all(root.systemd_socket().parent().unwrap()).unwrap();
    let listener = UnixListener::bind(root.systemd_socket()).unwrap();
    thread::spawn(move || {
        let mut clients = Vec::new();
        while let Ok((client, _)) = listener.accept() {
            clients.push(serve(client));
        }
    });
    let manager = Manager::connect(&root).unwrap();
    (folder, manager)
}

fn serve(client: UnixStream) -> Connection {
    let unit = "/org/freedesktop/systemd1/unit/x";
    let server = Builder::unix_stream(client).p2p().server(Guid::generate());
    let server = server
        .serve_at(proxy::PATH, FakeManager)
        .serve_at(unit, FakeUnit)
        .serve_at(unit, FakeService);
    zbus::block_on(server.build()).unwrap()
}
