//! The client against the fake manager: every way in which a job ends, and every way in which systemd refuses.

use std::time::Instant;

use tempfile::TempDir;

use super::fake::fake;
use super::*;

const PLENTY: Duration = Duration::from_secs(60);

fn names(units: &[&str]) -> Vec<String> {
    units.iter().map(|unit| (*unit).to_owned()).collect()
}

/// Starts one unit and prints its report.
fn started(unit: &str) -> String {
    let (_folder, manager) = fake();
    let reports = manager.start(&names(&[unit]), PLENTY, &mut |_| {}).unwrap();
    assert_eq!(reports.len(), 1);
    reports[0].to_string()
}

#[test]
fn a_job_ends_as_systemd_says() {
    let rows = [
        ("done.service", "done.service: done"),
        ("failed.service", "failed.service: failed"),
        (
            "dependency.service",
            "dependency.service: a unit that it needs failed",
        ),
        ("timeout.service", "timeout.service: its job timed out"),
        (
            "canceled.service",
            "canceled.service: its job was canceled by another one",
        ),
        (
            "skipped.service",
            "skipped.service: skipped, its state does not allow it",
        ),
        (
            "collected.service",
            "collected.service: its job ended with the result collected",
        ),
    ];
    for (unit, report) in rows {
        assert_eq!(started(unit), report);
    }
}

#[test]
fn a_job_that_ends_before_its_answer_is_not_lost() {
    assert_eq!(started("early.service"), "early.service: done");
}

#[test]
fn a_refusal_is_reported_in_words() {
    assert_eq!(
        started("missing.service"),
        "missing.service: Unit missing.service not found."
    );
    assert_eq!(
        started("masked.service"),
        "masked.service: Unit masked.service is masked."
    );
    assert_eq!(
        started("denied.service"),
        "denied.service: permission denied, this needs root"
    );
}

#[test]
fn every_unit_of_a_batch_is_reported_once_and_as_it_comes() {
    let (_folder, manager) = fake();
    let units = names(&[
        "done.service",
        "missing.service",
        "failed.service",
        "donealias.service",
        "early.service",
    ]);
    let mut heard = Vec::new();
    let reports = manager
        .start(&units, PLENTY, &mut |report| heard.push(report.clone()))
        .unwrap();
    assert_eq!(reports, heard);
    let mut reported: Vec<&str> = reports.iter().map(|report| report.unit.as_str()).collect();
    reported.sort_unstable();
    assert_eq!(
        reported,
        [
            "done.service",
            "donealias.service",
            "early.service",
            "failed.service",
            "missing.service"
        ]
    );
}

#[test]
fn more_jobs_than_a_queue_holds_are_followed() {
    let (_folder, manager) = fake();
    let units = vec!["early.service".to_owned(); 500];
    let reports = manager.start(&units, PLENTY, &mut |_| {}).unwrap();
    assert_eq!(
        reports
            .iter()
            .filter(|report| report.outcome == JobOutcome::Done)
            .count(),
        500
    );
}

#[test]
fn who_hears_of_a_job_may_ask_for_its_unit() {
    let (_folder, manager) = fake();
    let mut reason = String::new();
    let mut ask = |report: &JobReport| reason = manager.unit(&report.unit).unwrap().reason();
    manager
        .start(&names(&["failed.service"]), PLENTY, &mut ask)
        .unwrap();
    assert_eq!(reason, "no such image");
}

#[test]
fn when_the_limit_passes_the_job_goes_on() {
    let (_folder, manager) = fake();
    let begin = Instant::now();
    let units = names(&["slow.service", "done.service"]);
    let reports = manager
        .start(&units, Duration::from_millis(300), &mut |_| {})
        .unwrap();
    assert!(begin.elapsed() < PLENTY / 2);
    assert_eq!(
        reports[0],
        JobReport {
            unit: "done.service".to_owned(),
            outcome: JobOutcome::Done
        }
    );
    assert_eq!(
        reports[1],
        JobReport {
            unit: "slow.service".to_owned(),
            outcome: JobOutcome::StillRunning
        }
    );
}

#[test]
fn who_hangs_does_not_keep_others_from_their_turn() {
    let (_folder, manager) = fake();
    let mut units = vec!["slow.service".to_owned(); 7];
    units.push("done.service".to_owned());
    let pace = Pace {
        at_once: 3,
        quiet: Duration::from_millis(20),
    };
    let batch = Batch {
        method: "StartUnit",
        units: &units,
        limit: Duration::from_secs(3),
        pace,
    };
    let reports = manager.run(batch, &mut |_| {}).unwrap();
    assert_eq!(reports.len(), 8);
    assert_eq!(
        reports[0],
        JobReport {
            unit: "done.service".to_owned(),
            outcome: JobOutcome::Done
        }
    );
}

#[test]
fn those_whose_turn_does_not_come_in_time_are_asked_for_all_the_same() {
    let (_folder, manager) = fake();
    let units = vec!["slow.service".to_owned(); 5];
    let pace = Pace {
        at_once: 1,
        quiet: PLENTY,
    };
    let batch = Batch {
        method: "StartUnit",
        units: &units,
        limit: Duration::from_millis(300),
        pace,
    };
    let reports = manager.run(batch, &mut |_| {}).unwrap();
    assert_eq!(
        reports
            .iter()
            .filter(|report| report.outcome == JobOutcome::StillRunning)
            .count(),
        5
    );
}

#[test]
fn a_limit_of_zero_waits_for_the_answers_only() {
    let (_folder, manager) = fake();
    let mut reports = manager
        .start(
            &names(&["slow.service", "masked.service"]),
            Duration::ZERO,
            &mut |_| {},
        )
        .unwrap();
    reports.sort_by(|one, other| one.unit.cmp(&other.unit));
    assert!(matches!(reports[0].outcome, JobOutcome::Refused(_)));
    assert_eq!(reports[1].outcome, JobOutcome::StillRunning);
}

#[test]
fn nothing_to_start_is_done_at_once() {
    let (_folder, manager) = fake();
    assert_eq!(manager.start(&[], Duration::MAX, &mut |_| {}).unwrap(), []);
}

#[test]
fn a_lost_connection_is_an_error_that_names_the_units() {
    let (_folder, manager) = fake();
    let error = manager
        .start(
            &names(&["slow.service", "crash.service"]),
            PLENTY,
            &mut |_| {},
        )
        .unwrap_err();
    assert_eq!(
        format!("{error:#}"),
        "asking systemd to start slow.service, crash.service: the connection to systemd was lost; \
         jobs that it has taken go on"
    );
}

#[test]
fn an_error_names_a_few_units_and_counts_the_rest() {
    assert_eq!(listed(&names(&["a", "b"])), "a, b");
    assert_eq!(
        listed(&names(&["a", "b", "c", "d", "e"])),
        "a, b, c and 2 more"
    );
}

#[test]
fn units_are_stopped() {
    let (_folder, manager) = fake();
    let reports = manager
        .stop(&names(&["done.service", "donealias.service"]), PLENTY)
        .unwrap();
    assert!(
        reports
            .iter()
            .all(|report| report.outcome == JobOutcome::Done)
    );
}

#[test]
fn the_manager_is_asked_and_reloaded() {
    let (_folder, manager) = fake();
    manager.reload().unwrap();
    assert_eq!(manager.state().unwrap(), SystemState::Degraded);
    let unit = manager.unit("x.service").unwrap();
    assert_eq!(
        (unit.sub.as_str(), unit.result.as_str(), unit.needs_reload),
        ("failed", "exit-code", true)
    );
    assert_eq!(manager.unit("x.target").unwrap().result, "");
}

#[test]
fn who_is_on_the_way_is_told_downward_without_us_and_those_who_wait() {
    let (_folder, manager) = fake();
    assert_eq!(manager.being_stopped().unwrap(), ["database.service"]);
    assert_eq!(manager.being_started().unwrap(), ["poweroff.target"]);
}

#[test]
fn a_failure_is_forgotten_and_no_unit_is_fine() {
    let (_folder, manager) = fake();
    manager.reset_failed("x.service").unwrap();
    manager.reset_failed("missing.service").unwrap();
    let error = manager.reset_failed("denied.service").unwrap_err();
    assert_eq!(
        format!("{error:#}"),
        "asking systemd to forget that denied.service failed: permission denied, this needs root"
    );
}

#[test]
fn without_systemd_both_ways_are_named() {
    let folder = TempDir::new().unwrap();
    let error = format!(
        "{:#}",
        Manager::connect(&Root::new(folder.path())).unwrap_err()
    );
    assert!(
        error.contains("run/systemd/private: No such file"),
        "{error}"
    );
    assert!(
        error.contains("run/dbus/system_bus_socket: No such file"),
        "{error}"
    );
}

#[test]
fn reasons_are_the_units_own_before_systemds() {
    let failed = UnitState {
        load: "loaded".to_owned(),
        active: "failed".to_owned(),
        ..UnitState::default()
    };
    let rows = [
        ("exit-code", "no key", "no key"),
        ("timeout", "", "it took longer than its unit allows"),
    ];
    for (result, status, reason) in rows {
        let unit = UnitState {
            result: result.to_owned(),
            status: status.to_owned(),
            ..failed.clone()
        };
        assert_eq!(unit.reason(), reason);
    }
    assert_eq!(
        UnitState {
            load: "masked".to_owned(),
            ..failed
        }
        .reason(),
        "the unit is masked"
    );
}
