//! The whole text of each fault.

use super::*;

#[test]
fn faults_of_top_level_keys() {
    let secret = "would put the secret into a file that every user can read; \
        write it to a file of mode 0600 and use keyfile = \"FILE\"";
    let keys = "parallel, map_timeout, unmap_timeout, shutdown_timeout, shutdown_force, ms_mode, map_options, image";
    let modes = "legacy, crc, secure, prefer-crc, prefer-secure or auto";
    let number = "a whole number from 1 to 256";
    let rows = [
        (
            "parallel = 257",
            format!("f:1:12: invalid value: integer `257`, expected {number}"),
        ),
        (
            "parallel = [1, 2]",
            format!("f:1:12: invalid type: sequence, expected {number}"),
        ),
        (
            "\n  parallel = '1'",
            format!("f:2:14: invalid type: string \"1\", expected {number}"),
        ),
        (
            "ms_mode = 'fast'",
            format!("f:1:11: map option ms_mode cannot be \"fast\", expected {modes}"),
        ),
        (
            "ms_mode = 'crc,ro'",
            "f:1:11: ms_mode cannot be \"crc,ro\", expected one mode or auto".to_owned(),
        ),
        (
            "map_options = 'r'",
            "f:1:15: unknown map option \"r\"; did you mean \"ro\"?".to_owned(),
        ),
        (
            "imge = 1",
            "f:1:1: unknown key \"imge\"; did you mean \"image\"?".to_owned(),
        ),
        (
            "retry = 1",
            format!("f:1:1: unknown key \"retry\", expected one of {keys}"),
        ),
        (
            "\"a\\n`b\" = 1",
            format!("f:1:1: unknown key \"a\\n`b\", expected one of {keys}"),
        ),
        ("key = 'AQ=='", format!("f:1:1: key {secret}")),
        ("secret = 'AQ=='", format!("f:1:1: secret {secret}")),
    ];
    for (text, expected) in rows {
        assert_eq!(fault(text), expected, "{text}");
    }
}

#[test]
fn faults_of_the_syntax() {
    let rows = [
        ("parallel = 1\nparallel = 2", "f:2:1: duplicate key"),
        (
            "map_options = \"ro",
            "f:1:18: invalid basic string, expected `\"`",
        ),
        (
            "[image]\nspec = 'a'",
            "f:1:1: a single table, expected a list: write [[image]]",
        ),
        (
            "[[image]]\nspec = 'a'\n[image.mount]\nwhere = '/m'",
            "f:3:1: a single table, expected a list: write [[image.mount]]",
        ),
        (
            "image = [1]",
            "f:1:10: invalid type: integer `1`, expected an [[image]] table",
        ),
    ];
    for (text, expected) in rows {
        assert_eq!(fault(text), expected, "{text}");
    }
}

#[test]
fn faults_of_images() {
    let rows = [
        ("", "f:1:1: missing field `spec`"),
        (
            "spec = 'a/b/c/d'",
            "f:2:8: image \"a/b/c/d\" has more than two slashes, expected pool/namespace/image",
        ),
        (
            "spec = \"a\\u0000b\"",
            "f:2:8: image \"a\\0b\" contains a blank or control character, which the kernel cannot take",
        ),
        (
            "options = 'queue_depth'\nspec = 'a'",
            "f:2:11: map option queue_depth needs a value",
        ),
        (
            "spec = 'a'\nuser = 'a b'",
            "f:3:8: \"a b\" contains a blank or a comma",
        ),
        ("spec = 'a'\nuser = ''", "f:3:8: the name is empty"),
        (
            "spec = 'a'\nid = 'a'\nuser = 'b'",
            "f:1:1: duplicate field `user`",
        ),
        (
            "spec = 'a'\nkeyring = 'k'",
            "f:3:11: not an absolute path, expected a path that starts with /",
        ),
        (
            "spec = 'a'\nhook = \"/a\\nb\"",
            "f:3:8: \"/a\\nb\" contains a control character",
        ),
        (
            "spec = 'a'\nread_only = 'yes'",
            "f:3:13: invalid type: string \"yes\", expected a boolean",
        ),
        (
            "spec = 'a'\nmonitors = ['1.2.3.4', '1.2.3.444']",
            "f:3:12: \"1.2.3.444\" is not a monitor, expected for example 192.168.3.253, v2:192.168.3.253:3300 or mon-a",
        ),
        (
            "spec = 'a'\nmonitors = []",
            "f:3:12: the list is empty, expected at least one monitor",
        ),
        (
            "spec = 'a'\nfsid = 'b2a5'",
            "f:3:8: \"b2a5\" is not a cluster id, expected the output of `ceph fsid`",
        ),
    ];
    for (keys, expected) in rows {
        assert_eq!(fault(&format!("[[image]]\n{keys}")), expected, "{keys}");
    }
}

#[test]
fn a_key_is_never_printed() {
    for keys in [
        "key = 'AQ=='",
        "keyfile = 'AQ=='",
        "options = 'secret=AQ=='",
        "spec = 'b'\nkey = AQ==",
    ] {
        assert!(
            !fault(&format!("[[image]]\nspec = 'a'\n{keys}")).contains("AQ"),
            "a key is never printed"
        );
    }
}

#[test]
fn faults_of_mounts() {
    let rows = [
        ("type = 'xfs'", "f:3:1: missing field `where`"),
        (
            "where = 'mnt'",
            "f:4:9: not an absolute path, expected a path that starts with /",
        ),
        (
            "where = \"/mnt/\\n\"",
            "f:4:9: \"/mnt/\\n\" contains a control character",
        ),
        ("where = '/a/../b'", "f:4:9: \"/a/../b\" contains \"..\""),
        (
            "where = '/./'",
            "f:4:9: \"/./\" is the root directory, expected a directory below it",
        ),
        (
            "where = '/m'\ntype = 'x,y'",
            "f:5:8: \"x,y\" contains a blank or a comma",
        ),
        (
            "where = '/m'\noptions = \"a\\u0000\"",
            "f:5:11: \"a\\0\" contains a control character",
        ),
        (
            "where = '/m'\npartition = 0",
            "f:5:13: invalid value: integer `0`, expected a whole number from 1 to 255",
        ),
    ];
    for (keys, expected) in rows {
        assert_eq!(fault(&mount(keys)), expected, "{keys}");
    }
}

#[test]
fn faults_of_overlays() {
    let separator = "which overlayfs reads as a separator; rename the directory";
    let rows = [
        ("where = '/o'", "f:5:1: missing field `upper`".to_owned()),
        (
            "where = '/o'\nupper = '/u'\nwork = '/u/w'",
            "f:5:1: one of upper \"/u\" and work \"/u/w\" contains the other; use two separate directories".to_owned(),
        ),
        (
            "where = '/m/'\nupper = '/u'\nwork = '/w'",
            "f:5:1: the overlay has the mount point of the mount that it covers, \"/m\"; use another directory".to_owned(),
        ),
        ("where = '/o'\nupper = '/u,'\nwork = '/w'", format!("f:5:1: upperdir \"/u,\" contains ',', {separator}")),
        ("where = '/o'\nupper = '/u:'\nwork = '/w\\'", format!("f:5:1: workdir \"/w\\\\\" contains '\\\\', {separator}")),
        (
            "where = '/o'\nlower = 'a:b'\nupper = '/u'\nwork = '/w'",
            format!("f:5:1: lowerdir \"/m/a:b\" contains ':', {separator}"),
        ),
        ("where = '/o'\nlower = '../b'", "f:7:9: \"../b\" contains \"..\"".to_owned()),
        (
            "where = '/o'\nlower = '/b'",
            "f:7:9: \"/b\" is not a directory inside the mount, expected a relative path".to_owned(),
        ),
    ];
    for (keys, expected) in rows {
        assert_eq!(
            fault(&mount(&format!(
                "where = '/m'\n[image.mount.overlay]\n{keys}"
            ))),
            expected,
            "{keys}"
        );
    }
}
