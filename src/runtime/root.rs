//! Every absolute path that the program touches is made here, below one root: `/` in production, a folder in tests,
//! so that both run the same code. What the files mean is the business of their readers.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// The folder that stands for `/`.
#[derive(Debug, Clone)]
pub struct Root(PathBuf);

impl Root {
    /// A root at `path`; `/` for the machine itself.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self(path.into())
    }

    /// `path`, absolute or not, below this root.
    pub fn join(&self, path: impl AsRef<Path>) -> PathBuf {
        let path = path.as_ref();
        self.0.join(path.strip_prefix("/").unwrap_or(path))
    }

    /// The table of images to map, one a line (rbdmap(5)).
    pub fn table(&self) -> PathBuf {
        self.join("etc/ceph/rbdmap")
    }

    /// How the program works, and images declared with their mounts.
    pub fn settings(&self) -> PathBuf {
        self.join("etc/rbdmap.toml")
    }

    /// More of the same, a file each.
    pub fn settings_fragments(&self) -> PathBuf {
        self.join("etc/rbdmap.toml.d")
    }

    /// ceph.conf of a cluster where nobody names another, as configuration writes it.
    pub fn ceph_conf_of(cluster: &str) -> String {
        format!("/etc/ceph/{cluster}.conf")
    }

    /// Files of assignments that Ceph's packages have for their services, a later one wins (systemd.exec(5), EnvironmentFile=).
    pub fn service_environments(&self) -> [PathBuf; 2] {
        [
            self.join("etc/default/ceph"),
            self.join("etc/sysconfig/ceph"),
        ]
    }

    /// A path as the machine has it, without this root.
    pub fn path_inside<'a>(&self, path: &'a Path) -> &'a Path {
        let root = self.0.as_os_str().as_bytes();
        let root = root.strip_suffix(b"/").unwrap_or(root);
        match path.as_os_str().as_bytes().strip_prefix(root) {
            Some(below @ [b'/', ..]) => Path::new(OsStr::from_bytes(below)),
            _ => path,
        }
    }

    /// passwd(5).
    pub fn passwd(&self) -> PathBuf {
        self.join("etc/passwd")
    }

    /// fstab(5).
    pub fn fstab(&self) -> PathBuf {
        self.join("etc/fstab")
    }

    /// Where an administrator's own units and masks are (systemd.unit(5)).
    pub fn administrator_units(&self) -> PathBuf {
        self.join("etc/systemd/system")
    }

    /// The same until the next boot: `systemctl mask --runtime` writes here.
    pub fn runtime_units(&self) -> PathBuf {
        self.join("run/systemd/system")
    }

    /// The rbd bus of the kernel; missing until the module is loaded.
    pub fn rbd_bus(&self) -> PathBuf {
        self.join("sys/bus/rbd")
    }

    /// A block device of the kernel by its name.
    pub fn block(&self, name: &str) -> PathBuf {
        self.join("sys/block").join(name)
    }

    /// A device node or link.
    pub fn dev(&self, name: impl AsRef<Path>) -> PathBuf {
        self.join("dev").join(name)
    }

    /// udev's record of a block device: there once its rules have been applied.
    pub fn udev_record(&self, major: u32, minor: u32) -> PathBuf {
        self.join("run/udev/data").join(format!("b{major}:{minor}"))
    }

    /// The socket of udevd: there while it runs.
    pub fn udev_control(&self) -> PathBuf {
        self.join("run/udev/control")
    }

    /// Every mount of this process's namespace.
    pub fn mountinfo(&self) -> PathBuf {
        self.join("proc/self/mountinfo")
    }

    /// The kernel's command line.
    pub fn kernel_command_line(&self) -> PathBuf {
        self.join("proc/cmdline")
    }

    /// The kernel's release, such as `6.1.0-18-amd64`.
    pub fn kernel_release(&self) -> PathBuf {
        self.join("proc/sys/kernel/osrelease")
    }

    /// The host name.
    pub fn hostname(&self) -> PathBuf {
        self.join("proc/sys/kernel/hostname")
    }

    /// The kernel's log.
    pub fn kernel_log(&self) -> PathBuf {
        self.join("dev/kmsg")
    }

    /// There exactly in an initrd (systemd's `ConditionPathExists=/etc/initrd-release`).
    pub fn initrd_release(&self) -> PathBuf {
        self.join("etc/initrd-release")
    }

    /// There exactly when PID 1 is systemd (sd_booted(3)).
    pub fn systemd(&self) -> PathBuf {
        self.join("run/systemd/system")
    }

    /// PID 1's own D-Bus socket, open to root while dbus-daemon may not run.
    pub fn systemd_socket(&self) -> PathBuf {
        self.join("run/systemd/private")
    }

    /// What the container manager says of itself; there exactly in a container (systemd's container interface).
    pub fn container(&self) -> PathBuf {
        self.join("run/systemd/container")
    }

    /// Where systemd's generators write, `generator`, `generator.early` or `generator.late`.
    pub fn generated_units(&self, folder: &str) -> PathBuf {
        self.join("run/systemd").join(folder)
    }

    /// Our lock files.
    pub fn locks(&self) -> PathBuf {
        self.join("run/rbdmap")
    }

    /// Names of what is mapped, as earlier runs have read them.
    pub fn names(&self) -> PathBuf {
        self.locks().join("names")
    }

    /// What this boot is called by the kernel (random(4)).
    pub fn boot_id(&self) -> PathBuf {
        self.join("proc/sys/kernel/random/boot_id")
    }

    /// modprobe(8), where the kernel looks for it as well.
    pub fn modprobe(&self) -> PathBuf {
        self.join("sbin/modprobe")
    }

    /// journalctl(1).
    pub fn journalctl(&self) -> PathBuf {
        self.join("bin/journalctl")
    }

    /// losetup(8).
    pub fn losetup(&self) -> PathBuf {
        self.join("sbin/losetup")
    }

    /// udevadm(8).
    pub fn udevadm(&self) -> PathBuf {
        self.join("bin/udevadm")
    }

    /// rbd(8), Ceph's own command, where it is installed.
    pub fn rbd(&self) -> PathBuf {
        self.join("usr/bin/rbd")
    }

    /// All block devices by name, disks and partitions.
    pub fn block_class(&self) -> PathBuf {
        self.join("sys/class/block")
    }

    /// The folders of the kernel's disks.
    pub fn blocks(&self) -> PathBuf {
        self.join("sys/block")
    }

    /// The kernel's folders of file systems, by type.
    pub fn file_systems(&self) -> PathBuf {
        self.join("sys/fs")
    }

    /// The folders of processes, and other views of the kernel's (proc(5)).
    pub fn proc(&self, name: impl AsRef<Path>) -> PathBuf {
        self.join("proc").join(name)
    }

    /// The administrator's hooks, one an image.
    pub fn hooks(&self) -> PathBuf {
        self.join("etc/ceph/rbd.d")
    }
}
