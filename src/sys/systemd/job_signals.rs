//! The signal by which PID 1 announces the end of a job.

use zbus::message::{Header, Type};
use zbus::names::OwnedUniqueName;
use zbus::{Connection, Message, OwnedObjectPath};

use super::proxy;

const JOB_REMOVED: &str = "JobRemoved";
const BUS: &str = "org.freedesktop.DBus";
const BUS_PATH: &str = "/org/freedesktop/DBus";

/// A subscription to PID 1's signals on one connection.
pub struct JobSignals {
    /// PID 1's unique name on the bus, so that nobody else can forge the signal. On the private socket it has no name,
    /// and nobody else is connected.
    sender: Option<OwnedUniqueName>,
}

/// The end of a job.
pub struct RemovedJob {
    /// The object that the job had.
    pub path: OwnedObjectPath,
    /// Its result, such as `done`.
    pub result: String,
}

impl JobSignals {
    /// Makes PID 1 send its signals to this connection.
    pub async fn subscribe(connection: &Connection) -> zbus::Result<Self> {
        if connection.is_bus() {
            // dbus-daemon delivers a signal only to connections with a rule for it. The private socket has no rules.
            let service = proxy::SERVICE;
            let rule = format!("type='signal',sender='{service}',member='{JOB_REMOVED}'");
            connection
                .call_method(Some(BUS), BUS_PATH, Some(BUS), "AddMatch", &rule)
                .await?;
        }
        // PID 1 sends no signals about jobs until somebody subscribes.
        let answer = connection
            .call_method(
                Some(proxy::SERVICE),
                proxy::PATH,
                Some(proxy::MANAGER),
                "Subscribe",
                &(),
            )
            .await?;
        let sender = answer
            .header()
            .sender()
            .filter(|_| connection.is_bus())
            .map(|name| name.to_owned().into());
        Ok(Self { sender })
    }

    /// The job whose end this message announces; `None` for every other message.
    pub fn removed_job(&self, message: &Message) -> zbus::Result<Option<RemovedJob>> {
        if message.message_type() != Type::Signal || !self.is_job_removed(&message.header()) {
            return Ok(None);
        }
        let (_, path, _, result): (u32, OwnedObjectPath, String, String) =
            message.body().deserialize()?;
        Ok(Some(RemovedJob { path, result }))
    }

    fn is_job_removed(&self, header: &Header) -> bool {
        let member = header.member().map(|member| member.as_str());
        let interface = header.interface().map(|interface| interface.as_str());
        let is_trusted = match &self.sender {
            Some(sender) => header.sender() == Some(sender),
            None => true,
        };
        member == Some(JOB_REMOVED) && interface == Some(proxy::MANAGER) && is_trusted
    }
}
