//! `etc/rbdmap.toml`, the file that is shipped: it has every key and its default, and its examples work.

use super::*;

const SHIPPED: &str = include_str!("../../../../etc/rbdmap.toml");

/// The settings of the shipped file without the `#` before its keys and headings. Prose has a blank after its `#`.
fn uncommented() -> Settings {
    let keys = SHIPPED
        .lines()
        .filter_map(|line| line.strip_prefix('#'))
        .filter(|line| !line.starts_with(' '));
    good(&keys.collect::<Vec<_>>().join("\n"))
}

#[test]
fn the_shipped_file_changes_nothing() {
    assert_eq!(good(SHIPPED), Settings::default());
}

#[test]
fn the_shipped_file_shows_the_defaults() {
    let settings = uncommented();
    let without_images = Settings {
        images: Vec::new(),
        ..settings
    };
    assert_eq!(without_images, Settings::default());
}

#[test]
fn the_example_of_a_filesystem_works() {
    let data = &uncommented().images[0];
    let options = &data.entry.options;
    assert_eq!(data.entry.spec.to_string(), "rbd/data");
    assert_eq!(options.user.as_deref(), Some("boot"));
    assert_eq!(
        options.keyring.as_deref(),
        Some("/etc/ceph/ceph.client.boot.keyring")
    );
    assert_eq!(options.map.to_string(), "queue_depth=64");
    assert_eq!(
        lines(data),
        ["/dev/rbd/rbd/data /srv/data xfs noatime,_netdev 0 0"]
    );
}

#[test]
fn the_example_of_a_machine_without_ceph_conf_works() {
    let archive = &uncommented().images[1];
    let options = &archive.entry.options;
    assert_eq!(archive.entry.spec.to_string(), "rbd/backup/archive");
    assert_eq!(
        options.mon_host.as_deref(),
        Some("192.168.3.253,v2:192.168.3.252:3300")
    );
    assert_eq!(
        options.keyfile.as_deref(),
        Some(Path::new("/etc/ceph/archive.key"))
    );
    assert_eq!(
        options.map.to_string(),
        "exclusive,fsid=b2a5e4f0-6f52-4b1c-9b53-3c8a3a0b6f11"
    );
    assert!(archive.entry.nofail);
    assert_eq!(
        archive.entry.hook.as_deref(),
        Some(Path::new("/usr/local/sbin/archive-hook"))
    );
    assert_eq!(
        lines(archive),
        ["/dev/rbd/rbd/backup/archive-part1 /srv/archive auto defaults,_netdev,nofail 0 0"]
    );
}

#[test]
fn the_example_of_an_overlay_works() {
    let settings = uncommented();
    let [_, _, layer, software] = &settings.images[..] else {
        panic!("expected four images: {settings:?}")
    };
    assert_eq!(
        lines(layer),
        ["/dev/rbd/rbd/layer /srv/layer ext4 defaults,_netdev 0 0"]
    );
    assert!(software.entry.options.map.read_only());
    assert_eq!(
        lines(software),
        [
            "/dev/rbd/rbd/software@2026-01 /srv/software.base squashfs ro,_netdev 0 0",
            "overlay /srv/software overlay lowerdir=/srv/software.base/tree,\
                upperdir=/srv/layer/upper,workdir=/srv/layer/work,_netdev 0 0",
        ]
    );
}

#[test]
fn the_shipped_file_has_every_key() {
    let tables = [
        &statement::TOP_LEVEL_KEYS,
        &image::IMAGE_KEYS,
        &image::MOUNT_KEYS,
        &image::OVERLAY_KEYS,
    ];
    for table in tables {
        let keys = (table.names)();
        assert!(keys.len() > 3, "{keys:?}");
        for key in keys.iter().filter(|key| **key != "id") {
            let shown = [
                format!("#{key} = "),
                format!("#   {key} "),
                format!("#[[{key}]]"),
                format!("#[[image.{key}]]"),
                format!("#[image.mount.{key}]"),
            ];
            assert!(
                shown.iter().any(|text| SHIPPED.contains(text)),
                "{key} is not in etc/rbdmap.toml"
            );
        }
    }
}
