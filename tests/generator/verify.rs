//! systemd accepts the shipped units together with what the generator and systemd's own fstab generator write for each case:
//! no unknown directive, and above all no ordering cycle at boot.

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
fn every_case_boots_without_a_warning() {
    for case in cases() {
        let warnings = boot(&case, &["early", "administrator", "normal"]);
        assert!(
            warnings.is_empty(),
            "{}:\n{}",
            case.name,
            warnings.join("\n")
        );
    }
}

/// Shows that the check works: without the early directory, the cycle that it prevents appears.
#[test]
fn without_the_early_units_systemd_finds_a_cycle() {
    let guide = cases()
        .into_iter()
        .find(|case| case.name == "01-guide")
        .unwrap();
    let warnings = boot(&guide, &["administrator", "normal"]);
    assert!(
        warnings.iter().any(|line| line.contains("ordering cycle")),
        "{warnings:?}"
    );
}

#[test]
fn every_unit_is_sandboxed_as_far_as_unmounting_allows() {
    let units = installed();
    for unit in SHIPPED.iter().filter(|unit| !unit.contains("hook")) {
        // The unit that starts for every image omits some settings; its comment explains why.
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

/// What `systemd-analyze verify` reports for a boot with these directories of units, of which the first overrides the others.
/// Other units of the machine that runs the test may be faulty, so only lines about images, mounts on them and cycles count.
fn boot(case: &Case, directories: &[&str]) -> Vec<String> {
    let ours = case.generate();
    let by_systemd = case.generate_as_systemd(str::to_owned);
    let installed = installed();
    let paths = |name: &&str| match *name {
        "early" => vec![ours.path("early")],
        "normal" => vec![ours.path("normal"), by_systemd.path("normal")],
        _ => vec![case.root.join("etc/systemd/system")],
    };
    let mut path: Vec<PathBuf> = directories.iter().flat_map(paths).collect();
    path.push(installed.path().to_owned());
    let path: Vec<&str> = path.iter().map(|path| path.to_str().unwrap()).collect();
    let mut command = Command::new("systemd-analyze");
    command
        .args(["verify", "--man=no"])
        .args(units(&ours, installed.path()));
    // The colon at the end adds the machine's own units.
    let output = run(command.env("SYSTEMD_UNIT_PATH", format!("{}:", path.join(":"))));
    let output = String::from_utf8(output.stderr).unwrap();
    output
        .lines()
        .filter(|line| {
            ["rbd", "mnt", "srv", "cycle"]
                .iter()
                .any(|word| line.contains(word))
        })
        // This may run in a container, where systemd's own generator writes no swap units.
        .filter(|line| !line.ends_with(".swap not found."))
        .map(str::to_owned)
        .collect()
}

/// The units to verify: a boot as a whole, and each mount and instance by itself.
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

/// The shipped units as they are installed, a network, and a target that wants what every boot wants.
fn installed() -> TempDir {
    let directory = tempfile::tempdir().unwrap();
    let libexec = directory.path().join("libexec");
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
        fs::write(directory.path().join(unit), text).unwrap();
    }
    fs::write(directory.path().join("card.service"), NETWORK).unwrap();
    fs::write(directory.path().join("boot.target"), BOOT).unwrap();
    directory
}

/// Ordered like networkd, NetworkManager and ifupdown: after the local file systems, before both network targets.
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
