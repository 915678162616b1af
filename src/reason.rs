//! Turns an errno of the rbd bus, with what the kernel logged, into one sentence: what failed, why, what to do.
//!
//! Sources: linux `drivers/block/rbd.c` and `net/ceph/`. The kernel's lines are used only if they cannot be about another image:
//! those of rbd that name this one or an option, and those of libceph that tell of trouble.

use nix::errno::Errno;

use crate::image::FEATURES;
use crate::request::Request;
use crate::sys::rbd::BusError;

/// Why a mapping failed. `searched` of the request and the kernel's `lines` since before the write are told where they help.
pub fn of_map(request: &Facts, error: &BusError, lines: &[String]) -> String {
    let relevant: Vec<&str> = lines.iter().map(String::as_str).filter(|line| request.concerns(line)).collect();
    let cause = match error {
        BusError::NoAnswer => format!(
            "no answer from the cluster in time (monitors {}): are monitors and OSDs up, is the network?",
            request.monitors
        ),
        BusError::Killed => "the process that asked the kernel was killed; run it again".to_owned(),
        BusError::Open(path, error) => format!("{} cannot be opened: {error}; rbdmap must run as root", path.display()),
        BusError::Key(error) => format!("the kernel does not take the key of client.{}: {error}", request.user),
        BusError::Kernel(error) => match error.raw_os_error() {
            Some(errno) => request.cause(Errno::from_raw(errno), &relevant),
            None => error.to_string(),
        },
    };
    let said = relevant.join("; ");
    if said.is_empty() { cause } else { format!("{cause} (the kernel: {said})") }
}

/// Whether the same request may succeed a moment later: the cluster did not answer, or the kernel was short of something. All
/// else stays as it is until somebody mends it.
pub fn may_pass(error: &BusError) -> bool {
    let BusError::Kernel(error) = error else { return false };
    let errno = error.raw_os_error().map(Errno::from_raw);
    matches!(errno, Some(Errno::ETIMEDOUT | Errno::EINTR | Errno::EAGAIN | Errno::ENOMEM))
}

/// What explaining needs of a request: nothing secret.
pub struct Facts {
    image: String,
    spec: String,
    user: String,
    monitors: String,
    no_secret: Option<String>,
}

impl Facts {
    /// The facts of a request.
    pub fn of(request: &Request) -> Self {
        let monitors: Vec<String> = request.monitors.iter().map(ToString::to_string).collect();
        Self {
            image: request.wanted.spec.image.clone(),
            spec: request.wanted.spec.to_string(),
            user: request.user.clone(),
            monitors: monitors.join(","),
            no_secret: request.secret.is_none().then(|| request.searched.clone()),
        }
    }

    fn concerns(&self, line: &str) -> bool {
        match line.strip_prefix("rbd: ") {
            Some(text) => text.contains(&self.image) || text.contains("arameter") || text.contains("pool"),
            None => !line.contains("session established") && !line.contains(" fsid "),
        }
    }

    fn cause(&self, errno: Errno, lines: &[&str]) -> String {
        let user = &self.user;
        match errno {
            Errno::ENOENT => "the pool, namespace, image or snapshot does not exist; compare with `rbd ls`".to_owned(),
            Errno::EPERM => format!(
                "not permitted: rbdmap must run as root on the host, and client.{user} needs the OSD capability `profile rbd`"
            ),
            Errno::EACCES | Errno::EINVAL if self.no_secret.is_some() => {
                format!("client.{user} has no key: {}", self.no_secret.as_deref().unwrap_or_default())
            }
            Errno::EACCES => format!(
                "the cluster refuses client.{user}: wrong key, unknown user or too few capabilities; compare with `ceph auth get client.{user}`"
            ),
            Errno::EINVAL => "the kernel does not take an option of this mapping".to_owned(),
            Errno::ENXIO => self.features(lines),
            Errno::ETIMEDOUT | Errno::EIO => {
                format!("no monitor answers ({}): are they up, is the network, is mon_host right?", self.monitors)
            }
            Errno::EROFS => "another client holds the exclusive lock and does not give it up".to_owned(),
            Errno::EBUSY => "the image is locked by another program; see `rbd lock ls`".to_owned(),
            Errno::ESHUTDOWN => "this host is on the cluster's blocklist; see `ceph osd blocklist ls`".to_owned(),
            other => format!("{}", std::io::Error::from_raw_os_error(other as i32)),
        }
    }

    /// The command that turns off what the kernel named in `image uses unsupported features: 0x40`.
    fn features(&self, lines: &[&str]) -> String {
        let bits = lines.iter().find_map(|line| line.split_once("unsupported features: 0x")).map(|(_, hex)| hex.trim());
        let bits = bits.and_then(|hex| u64::from_str_radix(hex, 16).ok()).unwrap_or(0);
        let names: Vec<&str> = FEATURES.iter().filter(|(bit, _)| bits >> bit & 1 == 1).map(|(_, name)| *name).collect();
        if names.is_empty() {
            return "the image has features that this kernel lacks; see `rbd info`".to_owned();
        }
        format!(
            "this kernel lacks features of the image; turn them off with `rbd feature disable {} {}`",
            self.spec,
            names.join(" ")
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io;

    fn facts() -> Facts {
        Facts {
            image: "nope".into(),
            spec: "rbd/nope".into(),
            user: "boot".into(),
            monitors: "1.2.3.4:3300".into(),
            no_secret: None,
        }
    }

    fn told(errno: i32, lines: &[&str]) -> String {
        let lines: Vec<String> = lines.iter().map(|line| (*line).to_owned()).collect();
        of_map(&facts(), &BusError::Kernel(io::Error::from_raw_os_error(errno)), &lines)
    }

    #[test]
    fn what_may_pass_is_tried_again_and_nothing_else() {
        let kernel = |errno| BusError::Kernel(io::Error::from_raw_os_error(errno));
        // ETIMEDOUT, EAGAIN; ENOENT, EPERM, EIO (a parent that is gone), EACCES, EINVAL, ENXIO, EROFS, EBUSY, ESHUTDOWN.
        assert!([110, 11].into_iter().all(|errno| may_pass(&kernel(errno))));
        assert!(![2, 1, 5, 13, 22, 6, 30, 16, 108].into_iter().any(|errno| may_pass(&kernel(errno))));
        assert!(!may_pass(&BusError::NoAnswer) && !may_pass(&BusError::Killed));
    }

    /// The lines are those of Linux 6.1.
    #[test]
    fn each_errno_is_a_cause_and_a_remedy() {
        let rows: [(i32, &[&str], &[&str]); 5] = [
            (
                2,
                &["rbd: image rbd/nope does not exist"],
                &["does not exist", "rbd ls", "the kernel: rbd: image rbd/nope"],
            ),
            (
                13,
                &["libceph: auth protocol 'cephx' msgr authentication failed: -13"],
                &["client.boot", "ceph auth get"],
            ),
            (
                6,
                &["rbd: image nope: image uses unsupported features: 0x40"],
                &["rbd feature disable rbd/nope journaling"],
            ),
            (22, &["rbd: Unknown parameter 'bogus'"], &["option", "bogus"]),
            (110, &["libceph: mon0 (2)1.2.3.4:3300 connect error"], &["1.2.3.4:3300", "mon_host"]),
        ];
        for (errno, lines, parts) in rows {
            let sentence = told(errno, lines);
            assert!(parts.iter().all(|part| sentence.contains(part)), "{sentence}");
            assert!(!sentence.contains('\n'));
        }
    }

    #[test]
    fn lines_about_another_image_are_not_given_as_the_cause() {
        assert!(!told(2, &["rbd: image other: object map is invalid"]).contains("other"));
        assert!(!told(2, &["libceph: mon0 (2)1.2.3.4:3300 session established"]).contains("established"));
    }
}
