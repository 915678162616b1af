//! Every absolute path that the program uses is made here, below one root: `/` in production, a directory in tests, so that
//! both run the same code. The formats of the files belong to the code that reads them.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// The directory that stands for `/`.
#[derive(Debug, Clone)]
pub struct Root(PathBuf);

impl Root {
    /// A root at `path`; `/` in production.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self(path.into())
    }

    /// `path`, absolute or not, below this root.
    pub fn join(&self, path: impl AsRef<Path>) -> PathBuf {
        let path = path.as_ref();
        self.0.join(path.strip_prefix("/").unwrap_or(path))
    }

    /// The table of images to map, one in each line (rbdmap(5)).
    pub fn table(&self) -> PathBuf {
        self.join("etc/ceph/rbdmap")
    }

    /// The settings of the program, and images declared with their mounts (rbdmap.toml(5)).
    pub fn settings(&self) -> PathBuf {
        self.join("etc/rbdmap.toml")
    }

    /// The directory of further settings files.
    pub fn settings_fragments(&self) -> PathBuf {
        self.join("etc/rbdmap.toml.d")
    }

    /// The default ceph.conf of a cluster, as a path on the machine: it is joined when the file is read.
    pub fn ceph_conf_of(cluster: &str) -> String {
        format!("/etc/ceph/{cluster}.conf")
    }

    /// The environment files of Ceph's packages for their services (systemd.exec(5), EnvironmentFile=). The later one has priority.
    pub fn service_environments(&self) -> [PathBuf; 2] {
        [
            self.join("etc/default/ceph"),
            self.join("etc/sysconfig/ceph"),
        ]
    }

    /// The path as a process inside this root sees it; other paths stay as they are.
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

    /// The units and masks of the administrator (systemd.unit(5)).
    pub fn administrator_units(&self) -> PathBuf {
        self.join("etc/systemd/system")
    }

    /// The same, until the next boot: `systemctl mask --runtime` writes here.
    pub fn runtime_units(&self) -> PathBuf {
        self.join("run/systemd/system")
    }

    /// The rbd bus of the kernel. It exists once the module is loaded.
    pub fn rbd_bus(&self) -> PathBuf {
        self.join("sys/bus/rbd")
    }

    /// The directory of a disk in sysfs.
    pub fn block(&self, name: &str) -> PathBuf {
        self.join("sys/block").join(name)
    }

    /// A device node or link.
    pub fn dev(&self, name: impl AsRef<Path>) -> PathBuf {
        self.join("dev").join(name)
    }

    /// udev's record of a block device. It exists once udev has applied its rules.
    pub fn udev_record(&self, major: u32, minor: u32) -> PathBuf {
        self.join("run/udev/data").join(format!("b{major}:{minor}"))
    }

    /// The socket of udevd. It exists while udevd runs.
    pub fn udev_control(&self) -> PathBuf {
        self.join("run/udev/control")
    }

    /// The mounts of this process's namespace (proc_pid_mountinfo(5)).
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

    /// The kernel log.
    pub fn kernel_log(&self) -> PathBuf {
        self.join("dev/kmsg")
    }

    /// Exists only in an initrd (systemd tests for it with `ConditionPathExists=`).
    pub fn initrd_release(&self) -> PathBuf {
        self.join("etc/initrd-release")
    }

    /// Exists if and only if process 1 is systemd (sd_booted(3)).
    pub fn systemd(&self) -> PathBuf {
        self.join("run/systemd/system")
    }

    /// The private D-Bus socket of systemd, which root can use while no D-Bus daemon runs.
    pub fn systemd_socket(&self) -> PathBuf {
        self.join("run/systemd/private")
    }

    /// The name of the container manager. Exists only in a container (systemd's container interface).
    pub fn container(&self) -> PathBuf {
        self.join("run/systemd/container")
    }

    /// An output directory of systemd's generators: `generator`, `generator.early` or `generator.late`.
    pub fn generated_units(&self, name: &str) -> PathBuf {
        self.join("run/systemd").join(name)
    }

    /// The directory of our lock files.
    pub fn locks(&self) -> PathBuf {
        self.join("run/rbdmap")
    }

    /// modprobe(8), at the path that the kernel uses too.
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

    /// rbd(8), Ceph's command, which need not be installed.
    pub fn rbd(&self) -> PathBuf {
        self.join("usr/bin/rbd")
    }

    /// The directory of all block devices, disks and partitions.
    pub fn block_class(&self) -> PathBuf {
        self.join("sys/class/block")
    }

    /// The directory of all disks in sysfs.
    pub fn blocks(&self) -> PathBuf {
        self.join("sys/block")
    }

    /// The directory of file systems in sysfs, by type.
    pub fn file_systems(&self) -> PathBuf {
        self.join("sys/fs")
    }

    /// A file or directory in /proc (proc(5)).
    pub fn proc(&self, name: impl AsRef<Path>) -> PathBuf {
        self.join("proc").join(name)
    }

    /// The administrator's hooks, one for each image.
    pub fn hooks(&self) -> PathBuf {
        self.join("etc/ceph/rbd.d")
    }
}
