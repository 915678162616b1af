//! How long PID 1 may take.

use std::time::Duration;

/// Until it answers a call. It answers in milliseconds, but not while it reloads its units, and the generators that it
/// runs then have 90 s.
pub const CALL_TIMEOUT: Duration = Duration::from_secs(90);

/// Until a connection is open and authenticated, which PID 1 does not do while it reloads either.
pub const CONNECT_TIMEOUT: Duration = CALL_TIMEOUT;

/// Until it has reloaded its units. systemctl(1) waits as long.
pub const RELOAD_TIMEOUT: Duration = Duration::from_secs(180);
