//! What an argument of `rbdmap unmap` names. As for `rbd unmap`, `/dev/...` is a device or a link to one. Another absolute
//! path is a mount point, anything else an image.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};

use crate::model::block_node::BlockNode;
use crate::model::mapping::Mapping;
use crate::plan::Target;
use crate::runtime::root::Root;
use crate::sys::{device, mounts};

/// Finds the target. Fails if a device or mount point is not that of a mapped image.
pub fn resolve(root: &Root, mapped: &[Mapping], text: &str) -> Result<Target> {
    let id = if let Some(name) = text.strip_prefix("/dev/") {
        mapping_at_device(root, mapped, &root.dev(name))
    } else if text.starts_with('/') {
        mapping_at_mount_point(root, mapped, Path::new(text))
    } else {
        return text.parse().map(Target::Image);
    };
    id.map(Target::Device).with_context(|| text.to_owned())
}

/// The number of the mapping whose disk or partition the path leads to.
fn mapping_at_device(root: &Root, mapped: &[Mapping], path: &Path) -> Result<u32> {
    // For its error: `device::at` does not say why it finds no device.
    fs::metadata(path)?;
    let node = device::at(path).context("not a block device")?;
    find_mapping(root, mapped, |other| other.number == node.number).context("not an RBD device")
}

/// The number of the mapping whose file system is mounted on the path.
fn mapping_at_mount_point(root: &Root, mapped: &[Mapping], path: &Path) -> Result<u32> {
    let path = fs::canonicalize(path)?;
    let mounts = mounts::list(root)?;
    // The last one covers those that were mounted there before.
    let mount = mounts
        .iter()
        .rfind(|mount| mount.target == path)
        .context("nothing is mounted there")?;
    find_mapping(root, mapped, |node| node.number == mount.device)
        .context("the file system mounted there is not on an RBD image")
}

fn find_mapping(
    root: &Root,
    mapped: &[Mapping],
    is_node: impl Fn(&BlockNode) -> bool,
) -> Option<u32> {
    for mapping in mapped {
        if device::nodes(root, &mapping.name()).iter().any(&is_node) {
            return Some(mapping.id);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::runtime::fake_root::FakeRoot;
    use crate::sys::rbd::bus;

    /// A machine with an image that is mounted on one directory, and another directory where nothing is mounted.
    fn machine() -> FakeRoot {
        let root = FakeRoot::new();
        root.map_image(3, "rbd/a");
        root.write("mnt/image/file", "");
        root.write("mnt/other/file", "");
        let target = fs::canonicalize(root.join("mnt/image")).unwrap();
        let mount = format!(
            "21 20 252:48 / {} rw - xfs /dev/rbd3 rw\n",
            target.display()
        );
        root.write("proc/self/mountinfo", mount);
        root
    }

    fn resolve_on(root: &FakeRoot, text: &str) -> Result<Target> {
        resolve(root, &bus::list(root).unwrap(), text)
    }

    #[test]
    fn a_mount_point_is_that_of_the_image_mounted_there() {
        let root = machine();
        let target = resolve_on(&root, root.join("mnt/image").to_str().unwrap()).unwrap();
        assert_eq!(target, Target::Device(3));
    }

    #[test]
    fn a_name_is_an_image_whether_it_is_mapped_or_not() {
        let expected = Target::Image("rbd/b".parse().unwrap());
        assert_eq!(resolve_on(&machine(), "rbd/b").unwrap(), expected);
    }

    #[test]
    fn the_error_names_the_argument_and_the_cause() {
        let root = machine();
        let other = root.join("mnt/other").display().to_string();
        let rows = [
            (other.as_str(), "nothing is mounted there"),
            ("/dev/rbd3", "not a block device"),
            ("/dev/rbd4", "No such file or directory"),
        ];
        for (text, cause) in rows {
            let error = format!("{:#}", resolve_on(&root, text).unwrap_err());
            assert!(error.starts_with(&format!("{text}: {cause}")), "{error}");
        }
    }
}
