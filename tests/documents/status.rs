//! `rbdmap status` on a terminal, run on a fake machine. The README shows what it prints within 80 columns.

use std::fs;
use std::path::Path;
use std::process::Command;

/// The command in the README; its output follows, up to the end of the code block.
const PROMPT: &str = "$ rbdmap status\n";

const TABLE: &str = "\
rbd/data              id=boot,keyring=/etc/ceph/ceph.client.boot.keyring
rbd/home              id=boot,keyring=/etc/ceph/ceph.client.boot.keyring
rbd/mail              id=boot,keyring=/etc/ceph/ceph.client.boot.keyring
rbd/backup/archive    id=backup,keyring=/etc/ceph/ceph.client.backup.keyring
rbd/software@2026-01  id=boot,keyring=/etc/ceph/ceph.client.boot.keyring
";

const FSTAB: &str = "\
/dev/rbd/rbd/data              /srv/data      xfs       noauto,_netdev     0 0
/dev/rbd/rbd/home              /home          ext4      noauto,_netdev     0 2
/dev/rbd/rbd/mail              /srv/mail      xfs       noauto,_netdev     0 0
/dev/rbd/rbd/software@2026-01  /srv/software  squashfs  noauto,_netdev,ro  0 0
";

const MOUNTINFO: &str = "\
20 1 8:1 / / rw - ext4 /dev/sda1 rw
21 20 252:0 / /srv/data rw - xfs /dev/rbd0 rw
22 20 252:32 / /srv/mail rw - xfs /dev/rbd2 rw
23 20 252:48 / /srv/software ro - squashfs /dev/rbd3 ro
";

/// The line of Linux 6.1 for a write that an OSD answers with EIO.
const KERNEL_LOG: &str = "3,812,90210000,-;rbd: rbd2: write result -5\n";

const CLUSTER: &str = "3ce3a1c7-6252-4b9a-a726-cb0523be48d4";

/// In sectors of 512 bytes.
const GIB: u64 = 1 << 21;

#[test]
fn the_status_in_the_readme_is_what_the_program_prints() {
    let machine = machine();
    let printed = status_on_terminal(machine.path(), &Terminal::new(80));
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md");
    let readme = fs::read_to_string(&path).unwrap();
    let (before, rest) = readme
        .split_once(PROMPT)
        .expect("the README has no block with `$ rbdmap status`");
    let (shown, after) = rest
        .split_once("```")
        .expect("the block with `$ rbdmap status` has no end");
    if std::env::var_os("UPDATE").is_some() {
        fs::write(&path, format!("{before}{PROMPT}{printed}```{after}")).unwrap();
        return;
    }
    assert_eq!(
        shown, printed,
        "the README is out of date; UPDATE=1 cargo test --test main documents::status updates it"
    );
}

#[test]
fn lines_fit_the_width_that_the_terminal_reports_or_columns_overrides() {
    let machine = machine();
    let narrow = Terminal::new(64);
    let wide = Terminal::new(160);
    let overridden = Terminal {
        exported: Some("64"),
        ..Terminal::new(160)
    };
    let narrow = status_on_terminal(machine.path(), &narrow);
    assert!(longest_remark(&narrow) <= 64, "{narrow}");
    let overridden = status_on_terminal(machine.path(), &overridden);
    assert_eq!(overridden, narrow);
    let wide = status_on_terminal(machine.path(), &wide);
    assert!(longest_remark(&wide) > 80, "{wide}");
}

/// The length of the longest line below a row.
fn longest_remark(printed: &str) -> usize {
    let remarks = printed.lines().filter(|line| line.starts_with("    "));
    remarks.map(str::len).max().unwrap()
}

/// An image in the pool rbd, mapped from the table.
struct Image {
    name: &'static str,
    snapshot: &'static str,
    sectors: u64,
}

const IMAGES: [Image; 5] = [
    Image {
        name: "data",
        snapshot: "-",
        sectors: 100 * GIB,
    },
    Image {
        name: "home",
        snapshot: "-",
        sectors: 50 * GIB,
    },
    Image {
        name: "mail",
        snapshot: "-",
        sectors: 20 * GIB,
    },
    Image {
        name: "software",
        snapshot: "2026-01",
        sectors: 5 * GIB / 2,
    },
    Image {
        name: "old",
        snapshot: "-",
        sectors: 10 * GIB,
    },
];

/// A machine whose images are in all states that are possible without systemd.
fn machine() -> tempfile::TempDir {
    let machine = tempfile::tempdir().unwrap();
    let root = machine.path();
    write(root, "etc/ceph/rbdmap", TABLE);
    write(root, "etc/fstab", FSTAB);
    write(root, "proc/self/mountinfo", MOUNTINFO);
    write(root, "dev/kmsg", KERNEL_LOG);
    for (number, image) in IMAGES.iter().enumerate() {
        map(root, number, image);
    }
    machine
}

/// Writes what sysfs has for an image that is mapped as /dev/rbdN.
fn map(root: &Path, number: usize, image: &Image) {
    let Image {
        name,
        snapshot,
        sectors,
    } = image;
    let read_only = u8::from(*snapshot != "-");
    let minor = number * 16;
    let tag = format!("rbdmap:table:{number:016x}");
    let line = format!("192.0.2.1:6789 name=boot,key=client.boot rbd {name} {snapshot} {tag}");
    let attribute = |path: &str, value: &str| write(root, path, &format!("{value}\n"));

    let bus = format!("sys/bus/rbd/devices/{number}");
    attribute(&format!("{bus}/pool"), "rbd");
    attribute(&format!("{bus}/pool_ns"), "");
    attribute(&format!("{bus}/name"), name);
    attribute(&format!("{bus}/current_snap"), snapshot);
    attribute(&format!("{bus}/cluster_fsid"), CLUSTER);
    attribute(&format!("{bus}/config_info"), &line);
    attribute(&format!("{bus}/major"), "252");
    attribute(&format!("{bus}/minor"), &minor.to_string());

    let disk = format!("sys/block/rbd{number}");
    attribute(&format!("{disk}/dev"), &format!("252:{minor}"));
    attribute(&format!("{disk}/size"), &sectors.to_string());
    attribute(&format!("{disk}/ro"), &read_only.to_string());
}

fn write(root: &Path, path: &str, text: &str) {
    let path = root.join(path);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}

/// A terminal of script(1).
struct Terminal {
    /// What the terminal reports.
    columns: u16,
    /// The environment variable COLUMNS.
    exported: Option<&'static str>,
}

impl Terminal {
    /// Without COLUMNS in the environment, as shells start programs.
    fn new(columns: u16) -> Self {
        let exported = None;
        Self { columns, exported }
    }
}

/// Runs `rbdmap status` on the terminal. The exit status reports that there are problems.
fn status_on_terminal(root: &Path, terminal: &Terminal) -> String {
    let program = env!("CARGO_BIN_EXE_rbdmap");
    let command = format!(
        "stty cols {} rows 24; exec '{program}' --root '{}' status",
        terminal.columns,
        root.display()
    );
    let output = Command::new("script")
        .args(["--quiet", "--return", "--command", &command, "/dev/null"])
        .env("SHELL", "/bin/sh")
        .env_remove("COLUMNS")
        .envs(terminal.exported.map(|columns| ("COLUMNS", columns)))
        .output()
        .expect("script(1) is missing; install the package bsdutils");
    let printed = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(1), "{printed}");
    printed.replace("\r\n", "\n")
}
