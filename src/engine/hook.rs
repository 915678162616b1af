//! The administrator's hook of an image, `/etc/ceph/rbd.d/POOL/[NAMESPACE/]IMAGE[@SNAPSHOT]`: whether it is to be run, and
//! what it is called with. As ceph's script has it: `HOOK map LINK` after the image was mapped and mounted, `HOOK unmap
//! LINK` before it is unmounted, never for an image that was mapped already. A hook that fails is told, and stops
//! nothing.
//!
//! It runs as root, so it must be root's own, and nobody else may be able to replace it: the file and every folder above
//! it, up to /etc/ceph/rbd.d, and where a symbolic link leads out of there, up to /.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use nix::unistd::geteuid;

use super::progress;
use crate::config::table::Entry;
use crate::model::hook_call::HookCall;
use crate::model::image_spec::ImageSpec;
use crate::report::event::Event;
use crate::runtime::deadline::{Deadline, Wait};
use crate::runtime::root::Root;
use crate::sys::hook_process;

/// The entries whose images have a hook, or something in the place of one. Without a folder of hooks, which few machines
/// have, none is looked for.
pub fn wanted<'a>(root: &Root, entries: impl IntoIterator<Item = &'a Entry>) -> Vec<&'a Entry> {
    let is_there = root.hooks().exists();
    let has =
        |entry: &&Entry| entry.hook.is_some() || is_there && find(root, &entry.spec).is_some();
    entries.into_iter().filter(has).collect()
}

/// Runs the image's hook if there is one: the program that `own` names, or that which is called like the image. The error is
/// a sentence without the image's name.
pub fn run(
    root: &Root,
    image: (&ImageSpec, Option<&Path>),
    call: HookCall,
    deadline: &Deadline,
) -> Result<(), String> {
    let (spec, own) = image;
    let Some(hook) = own.map(|path| root.join(path)).or_else(|| find(root, spec)) else {
        return Ok(());
    };
    let name = hook.display();
    if let Some(reason) = refusal(root, &hook) {
        return Err(format!("hook {name} is not run: {reason}"));
    }
    let verb = match call {
        HookCall::Map => "map",
        HookCall::Unmap => "unmap",
    };
    let arguments = [verb.into(), root.dev(spec.link()).into_os_string()];
    let event = match call {
        HookCall::Map => Event::MapWaits,
        HookCall::Unmap => Event::Waiting,
    };
    let tell = || progress::say(event, spec, &format!("its hook {name} {verb}"));
    match hook_process::run(
        &hook,
        &arguments,
        spec,
        Wait {
            deadline,
            tell: &tell,
        },
    ) {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(format!("hook {name} {verb} failed: {status}")),
        Err(error) => Err(format!("hook {name} {verb} failed: {error}")),
    }
}

/// The hook's path, if something is there. Names from the kernel are unchecked; one that leads elsewhere has no hook.
fn find(root: &Root, spec: &ImageSpec) -> Option<PathBuf> {
    let path = root.hooks().join(spec.clone().checked().ok()?.to_string());
    // A folder there is that of a namespace that is called as the image.
    path.symlink_metadata()
        .ok()
        .filter(|metadata| !metadata.is_dir())
        .map(|_| path)
}

/// Why a hook must not be run.
fn refusal(root: &Root, hook: &Path) -> Option<String> {
    let real = match fs::canonicalize(hook) {
        Ok(real) => real,
        Err(error) => return Some(format!("it cannot be found: {error}")),
    };
    let hooks = fs::canonicalize(root.hooks()).unwrap_or_else(|_| root.hooks());
    let link = hook
        .ancestors()
        .skip(1)
        .take_while(|folder| folder.starts_with(root.hooks()));
    let outside = !real.starts_with(&hooks);
    let target = real
        .ancestors()
        .take_while(|path| outside || path.starts_with(&hooks));
    link.chain(target)
        .find_map(|path| match fs::metadata(path) {
            Ok(metadata) => FileTrust::of(&metadata, path == real)
                .refusal()
                .map(|reason| format!("{} {reason}", path.display())),
            Err(error) => Some(format!("{}: {error}", path.display())),
        })
}

/// What decides whether a file, or a folder above it, can be trusted.
struct FileTrust {
    is_hook: bool,
    is_regular: bool,
    mode: u32,
    owner_trusted: bool,
}

impl FileTrust {
    /// Whoever runs us is trusted: that is root, but in tests.
    fn of(metadata: &fs::Metadata, is_hook: bool) -> Self {
        let owner_trusted = metadata.uid() == 0 || metadata.uid() == geteuid().as_raw();
        Self {
            is_hook,
            is_regular: metadata.is_file(),
            mode: metadata.mode(),
            owner_trusted,
        }
    }

    fn refusal(&self) -> Option<&'static str> {
        if self.is_hook && !self.is_regular {
            Some("is not a regular file")
        } else if self.is_hook && self.mode & 0o111 == 0 {
            Some("is not executable; `chmod +x` it, or remove it")
        } else if !self.owner_trusted {
            Some("is not owned by root; `chown root` it")
        } else if self.mode & 0o022 != 0 {
            Some("can be written by others than root; `chmod go-w` it")
        } else {
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::{PermissionsExt, symlink};
    use std::time::{Duration, Instant};

    /// A root with a hook of rbd/a that has this text.
    fn with_hook(text: &str) -> (tempfile::TempDir, Root, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let root = Root::new(folder.path());
        let hook = root.hooks().join("rbd/a");
        fs::create_dir_all(hook.parent().unwrap()).unwrap();
        for folder in [root.hooks(), root.hooks().join("rbd")] {
            mode(&folder, 0o755);
        }
        fs::write(&hook, text).unwrap();
        mode(&hook, 0o755);
        (folder, root, hook)
    }

    fn mode(path: &Path, mode: u32) {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    }

    fn call(root: &Root, why: HookCall, limit: Duration) -> Result<(), String> {
        run(
            root,
            (&"rbd/a".parse().unwrap(), None),
            why,
            &Deadline::after(limit),
        )
    }

    const SOON: Duration = Duration::from_secs(30);

    #[test]
    fn a_hook_is_told_what_happens_and_reads_nothing() {
        let (_folder, root, _) =
            with_hook("#!/bin/sh\ncat; echo \"$# $1 $2\" >>\"${0%/etc*}/said\"\n");
        assert_eq!(
            (
                call(&root, HookCall::Map, SOON),
                call(&root, HookCall::Unmap, SOON)
            ),
            (Ok(()), Ok(()))
        );
        let link = root.dev("rbd/rbd/a");
        let expected = format!("2 map {0}\n2 unmap {0}\n", link.display());
        assert_eq!(fs::read_to_string(root.join("said")).unwrap(), expected);
    }

    #[test]
    fn an_image_without_a_hook_or_with_a_folder_there_is_fine() {
        let (_folder, root, hook) = with_hook("#!/bin/sh\nexit 1\n");
        for name in ["rbd/b", "rbd/ns/a", "other/a"] {
            assert_eq!(
                run(
                    &root,
                    (&name.parse().unwrap(), None),
                    HookCall::Map,
                    &Deadline::after(SOON)
                ),
                Ok(()),
                "{name}"
            );
        }
        fs::remove_file(&hook).unwrap();
        fs::create_dir(&hook).unwrap();
        assert_eq!(call(&root, HookCall::Map, SOON), Ok(()));
    }

    #[test]
    fn failures_say_how_it_ended() {
        let (_folder, root, hook) = with_hook("#!/bin/sh\nexit 3\n");
        let said = call(&root, HookCall::Map, SOON).unwrap_err();
        assert_eq!(
            said,
            format!("hook {} map failed: exit status: 3", hook.display())
        );
        fs::write(&hook, "#!/nonexistent/interpreter\n").unwrap();
        assert!(
            call(&root, HookCall::Map, SOON)
                .unwrap_err()
                .contains("failed: No such file")
        );
    }

    #[test]
    fn a_hook_that_hangs_is_killed_with_its_children() {
        let (_folder, root, _) =
            with_hook("#!/bin/sh\necho $$ >\"${0%/etc*}/pid\"\nsleep 300 & wait\n");
        let start = Instant::now();
        let said = call(&root, HookCall::Unmap, Duration::from_millis(500)).unwrap_err();
        assert!(
            said.ends_with("unmap failed: killed, for it has not ended in time"),
            "{said}"
        );
        assert!(start.elapsed() < Duration::from_secs(30));
    }

    #[test]
    fn a_child_that_keeps_its_output_open_is_not_waited_for() {
        let (_folder, root, _) = with_hook("#!/bin/sh\nsleep 20 &\n");
        let start = Instant::now();
        assert_eq!(call(&root, HookCall::Map, SOON), Ok(()));
        assert!(start.elapsed() < Duration::from_secs(15));
    }

    #[test]
    fn what_others_could_have_written_is_not_run() {
        let (_folder, root, hook) = with_hook("#!/bin/sh\n");
        for (path, bits, reason) in [
            (hook.clone(), 0o775, "can be written by others"),
            (hook.clone(), 0o757, "can be written by others"),
            (hook.clone(), 0o644, "is not executable"),
            (root.hooks().join("rbd"), 0o777, "can be written by others"),
            (root.hooks(), 0o775, "can be written by others"),
        ] {
            mode(&path, bits);
            let said = call(&root, HookCall::Map, SOON).unwrap_err();
            assert!(
                said.starts_with(&format!(
                    "hook {} is not run: {}",
                    hook.display(),
                    path.display()
                )),
                "{said}"
            );
            assert!(said.contains(reason), "{said}");
            mode(&path, 0o755);
        }
        assert_eq!(call(&root, HookCall::Map, SOON), Ok(()));
    }

    #[test]
    fn a_link_is_followed_to_what_is_as_safe() {
        let (folder, root, hook) = with_hook("#!/bin/sh\n");
        let shared = root.hooks().join("shared");
        fs::rename(&hook, &shared).unwrap();
        symlink("../shared", &hook).unwrap();
        assert_eq!(call(&root, HookCall::Map, SOON), Ok(()));
        let open = folder.path().join("open");
        fs::create_dir(&open).unwrap();
        mode(&open, 0o777);
        fs::rename(&shared, open.join("hook")).unwrap();
        fs::remove_file(&hook).unwrap();
        symlink(open.join("hook"), &hook).unwrap();
        assert!(
            call(&root, HookCall::Map, SOON)
                .unwrap_err()
                .contains("/open can be written by others")
        );
        fs::remove_file(open.join("hook")).unwrap();
        assert!(
            call(&root, HookCall::Map, SOON)
                .unwrap_err()
                .contains("it cannot be found")
        );
    }

    #[test]
    fn another_users_file_is_refused() {
        let facts = |owner_trusted| FileTrust {
            is_hook: true,
            is_regular: true,
            mode: 0o755,
            owner_trusted,
        };
        assert_eq!(facts(true).refusal(), None);
        assert!(facts(false).refusal().unwrap().contains("owned by root"));
        assert!(
            FileTrust {
                is_regular: false,
                ..facts(true)
            }
            .refusal()
            .unwrap()
            .contains("regular")
        );
    }

    #[test]
    fn a_name_that_leads_elsewhere_has_no_hook() {
        let (folder, root, _) = with_hook("#!/bin/sh\n");
        fs::write(folder.path().join("etc/ceph/a"), "#!/bin/sh\nexit 9\n").unwrap();
        mode(&folder.path().join("etc/ceph/a"), 0o755);
        let spec = ImageSpec {
            pool: "..".into(),
            namespace: None,
            image: "a".into(),
            snapshot: None,
        };
        assert_eq!(
            run(&root, (&spec, None), HookCall::Map, &Deadline::after(SOON)),
            Ok(())
        );
    }
}
