//! systemd finds nothing to complain of in the shipped units and in what the generator makes for each case, together
//! with what its own fstab generator makes: no unknown directive, and above all no ordering cycle in a boot.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

use super::{Case, Generated, cases, run};

/// What is installed. A hook may do whatever the administrator wants, so its unit is not locked up.
const SHIPPED: [&str; 6] = [
    "rbdmap.service",
    "rbdmap-hook@.service",
    "rbdmap-nofail.service",
    "rbdmap-prepare.service",
    "rbdmap-sweep.service",
    "rbdmap@.service",
];

#[test]
fn every_case_boots_without_a_complaint() {
    for case in cases() {
        let complaints = boot(&case, &["early", "administrator", "normal"]);
        assert!(
            complaints.is_empty(),
            "{}:\n{}",
            case.name,
            complaints.join("\n")
        );
    }
}

/// The check has teeth: what the early folder is there for shows when it is not looked into.
#[test]
fn without_the_early_units_systemd_finds_a_cycle() {
    let guide = cases()
        .into_iter()
        .find(|case| case.name == "01-guide")
        .unwrap();
    let complaints = boot(&guide, &["administrator", "normal"]);
    assert!(
        complaints
            .iter()
            .any(|line| line.contains("ordering cycle")),
        "{complaints:?}"
    );
}

#[test]
fn every_unit_is_locked_up_as_far_as_unmounting_allows() {
    let units = installed();
    for unit in SHIPPED.iter().filter(|unit| !unit.contains("hook")) {
        // The one that is started for every image goes without some (its comment says why).
        let threshold = if unit.contains('@') {
            "--threshold=57"
        } else {
            "--threshold=49"
        };
        let mut command = Command::new("systemd-analyze");
        let output = run(command
            .args(["security", "--offline=yes", threshold])
            .arg(units.path().join(unit)));
        assert!(
            output.status.success(),
            "{unit}: {}",
            String::from_utf8_lossy(&output.stdout)
        );
    }
}

/// What `systemd-analyze verify` says of a boot with these folders of units, the first winning, as far as it is of
/// images, of mounts on them or of cycles: the machine that runs the test may have faults of its own.
fn boot(case: &Case, folders: &[&str]) -> Vec<String> {
    let (ours, systemds, installed) = (
        case.generate(),
        case.generate_as_systemd(str::to_owned),
        installed(),
    );
    let folder = |name: &&str| match *name {
        "early" => vec![ours.path("early")],
        "normal" => vec![ours.path("normal"), systemds.path("normal")],
        _ => vec![case.root.join("etc/systemd/system")],
    };
    let mut path: Vec<PathBuf> = folders.iter().flat_map(folder).collect();
    path.push(installed.path().to_owned());
    let path: Vec<&str> = path.iter().map(|folder| folder.to_str().unwrap()).collect();
    let mut command = Command::new("systemd-analyze");
    command
        .args(["verify", "--man=no"])
        .args(units(&ours, installed.path()));
    // The colon at the end adds the machine's own units.
    let output = run(command.env("SYSTEMD_UNIT_PATH", format!("{}:", path.join(":"))));
    let said = String::from_utf8(output.stderr).unwrap();
    said.lines()
        .filter(|line| {
            ["rbd", "mnt", "srv", "cycle"]
                .iter()
                .any(|word| line.contains(word))
        })
        // systemd's own generator makes no swap in a container, where this may run.
        .filter(|line| !line.ends_with(".swap not found."))
        .map(str::to_owned)
        .collect()
}

/// A boot as a whole, and each mount and instance by itself.
fn units(ours: &Generated, installed: &Path) -> Vec<PathBuf> {
    let files = ours.files("normal");
    let lines = files
        .get("rbdmap.service.d/40-rbdmap.conf")
        .into_iter()
        .flat_map(|text| text.lines());
    let wanted = lines
        .filter_map(|line| line.strip_prefix("Wants="))
        .map(|name| installed.join(name.replace("%%", "%")));
    [installed.join("boot.target")]
        .into_iter()
        .chain(wanted)
        .collect()
}

/// The shipped units as they are installed, and a machine to boot: a network and what any boot wants.
fn installed() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let libexec = folder.path().join("libexec");
    fs::create_dir_all(libexec.join("rbdmap")).unwrap();
    std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_rbdmap"), libexec.join("rbdmap/rbdmap"))
        .unwrap();
    for unit in SHIPPED {
        let template = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("units")
            .join(format!("{unit}.in"));
        let text = fs::read_to_string(template)
            .unwrap()
            .replace("@libexecdir@", libexec.to_str().unwrap());
        fs::write(folder.path().join(unit), text).unwrap();
    }
    fs::write(folder.path().join("card.service"), NETWORK).unwrap();
    fs::write(folder.path().join("boot.target"), BOOT).unwrap();
    folder
}

/// Ordered as networkd, NetworkManager or ifupdown: after the local file systems, before both targets.
const NETWORK: &str = "[Unit]
Before=network.target network-online.target
Wants=network.target
[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/bin/true
";

const BOOT: &str = "[Unit]
Requires=sysinit.target basic.target
Wants=card.service local-fs.target remote-fs.target rbdmap.service rbdmap-sweep.service
After=sysinit.target basic.target
";
