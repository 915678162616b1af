//! `rbdmap unmap`: unmounts and unmaps the images that the arguments name, or all that the table mapped.

mod in_unit; // the calls in rbdmap@.service and rbdmap-sweep.service
pub mod request; // has systemd or this process carry out the plan
mod target; // an argument: image, device or mount point

use anyhow::Result;

use crate::cli::UnmapArguments;
use crate::model::mapping::Mapping;
use crate::plan::{self, Target, UnmapPlan};
use crate::report::event::Event;
use crate::report::failures::Report;
use crate::runtime::root::Root;
use crate::sys::rbd::bus;
use request::UnmapRequest;

/// Unmaps what the arguments name.
pub fn run(root: &Root, arguments: &UnmapArguments) -> Result<Report> {
    if arguments.if_ours || arguments.left_over {
        return in_unit::run(root, arguments);
    }
    let mapped = bus::list(root)?;
    let targets = targets(root, &mapped, arguments)?;
    let plan = plan::unmap(&mapped, &targets);
    let request = UnmapRequest {
        plan: &plan,
        is_everything: targets.is_empty(),
        stop_users: arguments.users.stop_users,
        engine: &arguments.engine,
    };
    let mut report = request.carry_out(root)?;
    report_untouched(&plan, &mut report);
    Ok(report)
}

fn targets(root: &Root, mapped: &[Mapping], arguments: &UnmapArguments) -> Result<Vec<Target>> {
    let mut targets = Vec::new();
    for text in &arguments.targets {
        targets.push(target::resolve(root, mapped, text)?);
    }
    for id in &arguments.devices {
        targets.push(Target::Device(*id));
    }
    Ok(targets)
}

/// Reports the arguments for which nothing was done.
fn report_untouched(plan: &UnmapPlan, report: &mut Report) {
    for mapping in &plan.foreign {
        let device = mapping.name();
        report.image_failed(
            Event::UnmapFailed,
            &mapping.spec,
            format!(
                "not unmapped: another program mapped it; `rbdmap unmap /dev/{device}` unmaps it anyway"
            ),
        );
    }
    for absent in &plan.absent {
        tracing::info!("{absent}: not mapped");
    }
}
