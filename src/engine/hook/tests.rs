//! Hooks on a fake root. The hooks are shell scripts that run for real.

use super::*;
use crate::runtime::fake_root::FakeRoot;
use std::fs;
use std::os::unix::fs::symlink;
use std::time::{Duration, Instant};

const HOOK: &str = "etc/ceph/rbd.d/rbd/a";
const ENOUGH: Duration = Duration::from_secs(30);

/// A root with this hook of rbd/a.
fn with_hook(text: &str) -> FakeRoot {
    let root = FakeRoot::new();
    root.write_program(HOOK, text);
    for directory in ["etc/ceph/rbd.d", "etc/ceph/rbd.d/rbd"] {
        root.set_mode(directory, 0o755);
    }
    root
}

fn run_hook_of(root: &Root, spec: &ImageSpec, call: HookCall, limit: Duration) -> String {
    let hook = ImageHook {
        spec,
        declared: None,
    };
    match hook.run(root, call, &Deadline::after(limit)) {
        Ok(()) => String::new(),
        Err(error) => format!("{error:#}"),
    }
}

/// The error of the hook of rbd/a, or nothing.
fn run_hook(root: &Root, call: HookCall) -> String {
    run_hook_of(root, &"rbd/a".parse().unwrap(), call, ENOUGH)
}

#[test]
fn a_hook_gets_the_call_and_the_link_as_arguments_and_an_empty_stdin() {
    let root = with_hook("#!/bin/sh\ncat; echo \"$# $1 $2\" >>\"${0%/etc*}/arguments\"\n");
    assert_eq!(run_hook(&root, HookCall::Map), "");
    assert_eq!(run_hook(&root, HookCall::Unmap), "");
    let link = root.dev("rbd/rbd/a");
    let expected = format!("2 map {0}\n2 unmap {0}\n", link.display());
    assert_eq!(
        fs::read_to_string(root.join("arguments")).unwrap(),
        expected
    );
}

#[test]
fn an_image_without_a_hook_or_with_a_directory_of_its_name_needs_none() {
    let root = with_hook("#!/bin/sh\nexit 1\n");
    for name in ["rbd/b", "rbd/ns/a", "other/a"] {
        let spec = name.parse().unwrap();
        assert_eq!(
            run_hook_of(&root, &spec, HookCall::Map, ENOUGH),
            "",
            "{name}"
        );
    }
    fs::remove_file(root.join(HOOK)).unwrap();
    fs::create_dir(root.join(HOOK)).unwrap();
    assert_eq!(run_hook(&root, HookCall::Map), "");
}

#[test]
fn the_error_states_how_the_hook_ended() {
    let root = with_hook("#!/bin/sh\nexit 3\n");
    assert_eq!(
        run_hook(&root, HookCall::Map),
        format!(
            "hook {} map failed: exit status: 3",
            root.join(HOOK).display()
        )
    );
    root.write(HOOK, "#!/nonexistent/interpreter\n");
    assert!(run_hook(&root, HookCall::Map).contains("failed: No such file"));
}

#[test]
fn a_hook_that_exceeds_its_time_limit_is_killed_with_its_children() {
    let root = with_hook("#!/bin/sh\nsleep 300 &\necho $! >\"${0%/etc*}/pid\"\nwait\n");
    let start = Instant::now();
    let spec = "rbd/a".parse().unwrap();
    let error = run_hook_of(&root, &spec, HookCall::Unmap, Duration::from_secs(2));
    assert!(
        error.ends_with("unmap failed: killed: time limit exceeded"),
        "{error}"
    );
    assert!(start.elapsed() < Duration::from_secs(30));
    let pid = fs::read_to_string(root.join("pid")).unwrap();
    let is_gone = || (!is_running(pid.trim())).then_some(());
    assert!(Deadline::after(ENOUGH).poll(is_gone).is_some());
}

/// Whether a process exists and is not a zombie, which its parent has yet to reap.
fn is_running(pid: &str) -> bool {
    fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|stat| !stat.contains(") Z "))
}

#[test]
fn a_child_that_keeps_the_output_open_does_not_delay_the_end() {
    let root = with_hook("#!/bin/sh\nsleep 20 &\n");
    let start = Instant::now();
    assert_eq!(run_hook(&root, HookCall::Map), "");
    assert!(start.elapsed() < Duration::from_secs(15));
}

#[test]
fn a_hook_that_others_can_write_or_replace_is_not_run() {
    let root = with_hook("#!/bin/sh\n");
    for (path, bits, reason) in [
        (HOOK, 0o775, "writable by other users"),
        (HOOK, 0o757, "writable by other users"),
        (HOOK, 0o644, "not executable"),
        ("etc/ceph/rbd.d/rbd", 0o777, "writable by other users"),
        ("etc/ceph/rbd.d", 0o775, "writable by other users"),
    ] {
        root.set_mode(path, bits);
        let error = run_hook(&root, HookCall::Map);
        let start = format!(
            "hook {} is not run: {}",
            root.join(HOOK).display(),
            root.join(path).display()
        );
        assert!(error.starts_with(&start), "{error}");
        assert!(error.contains(reason), "{error}");
        root.set_mode(path, 0o755);
    }
    assert_eq!(run_hook(&root, HookCall::Map), "");
}

#[test]
fn the_target_of_a_symbolic_link_is_checked_too() {
    let root = with_hook("#!/bin/sh\n");
    let hook = root.join(HOOK);
    let shared = root.hooks().join("shared");
    fs::rename(&hook, &shared).unwrap();
    symlink("../shared", &hook).unwrap();
    assert_eq!(run_hook(&root, HookCall::Map), "");
    let open = root.path().join("open");
    fs::create_dir(&open).unwrap();
    root.set_mode("open", 0o777);
    fs::rename(&shared, open.join("hook")).unwrap();
    fs::remove_file(&hook).unwrap();
    symlink(open.join("hook"), &hook).unwrap();
    assert!(run_hook(&root, HookCall::Map).contains("/open: writable by other users"));
    fs::remove_file(open.join("hook")).unwrap();
    assert!(run_hook(&root, HookCall::Map).contains("cannot be found"));
}

#[test]
fn an_image_name_that_leads_to_another_directory_has_no_hook() {
    let root = with_hook("#!/bin/sh\n");
    root.write_program("etc/ceph/a", "#!/bin/sh\nexit 9\n");
    let spec = ImageSpec {
        pool: "..".into(),
        namespace: None,
        image: "a".into(),
        snapshot: None,
    };
    assert_eq!(run_hook_of(&root, &spec, HookCall::Map, ENOUGH), "");
}
