//! Which services depend on a unit: those that systemd would stop with it, and those that never started without it.

use anyhow::{Context, Result};

use super::manager::{Manager, summarize};
use crate::model::unit_name;

/// Services that prepare a device or a mount and are bound to it. Nobody misses one that is stopped.
const PREPARATION_SERVICES: &[&str] = &[
    "systemd-fsck@",
    "systemd-growfs@",
    "systemd-makefs@",
    "systemd-mkswap@",
];

impl Manager {
    /// The active services that systemd would stop with a unit: those that require it, or require a mount that does.
    pub fn services_that_need(&self, unit: &str) -> Result<Vec<String>> {
        self.call(self.follow_requirements(unit))
            .with_context(|| format!("asking systemd which services need {unit}"))
    }

    async fn follow_requirements(&self, unit: &str) -> zbus::Result<Vec<String>> {
        let mut services = Vec::new();
        let mut found = vec![unit.to_owned()];
        let mut next = 0;
        while let Some(name) = found.get(next).cloned() {
            next += 1;
            let proxy = self.unit_proxy(&name).await?;
            // systemd has nothing to stop here, and stops no other unit because of this one.
            if proxy.active_state().await? != "active" {
                continue;
            }
            if name != unit && is_used(&name) {
                services.push(name);
            }
            let mut dependents = proxy.required_by().await?;
            dependents.extend(proxy.bound_by().await?);
            for dependent in dependents {
                if !found.contains(&dependent) {
                    found.push(dependent);
                }
            }
        }
        Ok(services)
    }

    /// The services that require one of these units, are enabled, and have not started since boot. A start that failed
    /// because the unit was missing leaves no other trace.
    pub fn unstarted_dependents(&self, units: &[String]) -> Result<Vec<String>> {
        self.call(self.find_unstarted_dependents(units))
            .with_context(|| {
                format!(
                    "asking systemd which services wait for {}",
                    summarize(units)
                )
            })
    }

    async fn find_unstarted_dependents(&self, units: &[String]) -> zbus::Result<Vec<String>> {
        let mut services = Vec::new();
        for name in units {
            for dependent in self.unit_proxy(name).await?.required_by().await? {
                if dependent.ends_with(".service")
                    && self.is_enabled_but_unstarted(&dependent).await?
                {
                    services.push(dependent);
                }
            }
        }
        Ok(services)
    }

    async fn is_enabled_but_unstarted(&self, service: &str) -> zbus::Result<bool> {
        let unit = self.unit_proxy(service).await?;
        let has_started = unit.inactive_exit_timestamp_monotonic().await? != 0;
        // Boot did not try to start a service that is not enabled, so no start of it has failed.
        Ok(!has_started && !unit.wanted_by().await?.is_empty())
    }
}

/// Whether a unit is a service that somebody uses.
fn is_used(name: &str) -> bool {
    let prepares = PREPARATION_SERVICES
        .iter()
        .any(|prefix| name.starts_with(prefix));
    name.ends_with(".service") && !prepares && !unit_name::is_own(name)
}

#[cfg(test)]
mod tests {
    use super::super::fake::fake_manager;

    #[test]
    fn services_need_an_image_through_mounts_and_other_active_services() {
        let (_root, manager) = fake_manager();
        assert_eq!(
            manager.services_that_need("rbdmap@rbd-a.service").unwrap(),
            ["database.service", "exporter.service", "web.service"]
        );
    }

    #[test]
    fn a_service_waited_for_a_mount_if_it_is_enabled_and_never_started() {
        let (_root, manager) = fake_manager();
        assert_eq!(
            manager
                .unstarted_dependents(&["mnt-a.mount".to_owned()])
                .unwrap(),
            ["stopped.service"]
        );
    }
}
