//! `etc/rbdmap.toml` tells the truth: every key, its default, and examples that mean what they say.

use super::*;

const SHIPPED: &str = include_str!("../../../../etc/rbdmap.toml");

#[test]
fn the_file_that_we_ship_changes_nothing() {
    assert_eq!(good(SHIPPED), Settings::default());
}

#[test]
fn the_file_that_we_ship_shows_the_defaults_and_its_examples_are_what_they_say() {
    // Prose has a blank after its `#`, keys have none.
    let lines_of_keys = SHIPPED
        .lines()
        .filter_map(|line| line.strip_prefix('#'))
        .filter(|line| !line.starts_with(' '));
    let settings = good(&lines_of_keys.collect::<Vec<_>>().join("\n"));
    assert_eq!(
        Settings {
            images: Vec::new(),
            ..settings.clone()
        },
        Settings::default()
    );
    let [data, archive, layer, software] = &settings.images[..] else {
        panic!("four images: {settings:?}")
    };

    let options = &data.entry.options;
    assert_eq!(
        (
            data.entry.spec.to_string().as_str(),
            options.user.as_deref()
        ),
        ("rbd/data", Some("boot"))
    );
    assert_eq!(
        options.keyring.as_deref(),
        Some("/etc/ceph/ceph.client.boot.keyring")
    );
    assert_eq!(options.map.to_string(), "queue_depth=64");
    assert_eq!(
        lines(data),
        ["/dev/rbd/rbd/data /srv/data xfs noatime,_netdev 0 0"]
    );

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
    assert_eq!(
        (archive.entry.nofail, archive.entry.hook.as_deref()),
        (true, Some(Path::new("/usr/local/sbin/archive-hook")))
    );
    assert_eq!(
        lines(archive),
        ["/dev/rbd/rbd/backup/archive-part1 /srv/archive auto defaults,_netdev,nofail 0 0"]
    );

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

/// The names come from what is said about a key that nothing has.
#[test]
fn the_file_that_we_ship_has_every_key() {
    let overlay = "where = \"/a\"\n[image.mount.overlay]\nzzzzzz = 1";
    for text in [
        "zzzzzz = 1".to_owned(),
        "[[image]]\nzzzzzz = 1".to_owned(),
        mount("zzzzzz = 1"),
        mount(overlay),
    ] {
        let message = fault(&text);
        let (_, keys) = message.split_once("expected one of ").unwrap();
        for key in keys.split(", ").filter(|key| *key != "id") {
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
