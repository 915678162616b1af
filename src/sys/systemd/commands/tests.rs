//! The client against the fake manager: every way in which a job ends, and every way in which systemd refuses.

use std::time::Instant;

use super::super::fake::fake_manager;
use super::super::outcome::JobOutcome;
use super::*;

const LONG: Duration = Duration::from_secs(60);

fn names(units: &[&str]) -> Vec<String> {
    units.iter().map(|unit| (*unit).to_owned()).collect()
}

fn report(unit: &str, outcome: JobOutcome) -> JobReport {
    JobReport {
        unit: unit.to_owned(),
        outcome,
    }
}

fn count(reports: &[JobReport], outcome: &JobOutcome) -> usize {
    reports
        .iter()
        .filter(|report| report.outcome == *outcome)
        .count()
}

/// Starts one unit and formats its report.
fn start_one(unit: &str) -> String {
    let (_root, manager) = fake_manager();
    let reports = manager.start(&names(&[unit]), LONG, &mut |_| {}).unwrap();
    assert_eq!(reports.len(), 1);
    reports[0].to_string()
}

#[test]
fn every_result_of_a_job_is_reported() {
    let cases = [
        ("done.service", "done.service: done"),
        ("failed.service", "failed.service: failed"),
        (
            "dependency.service",
            "dependency.service: a unit that it requires failed; see `systemctl --failed`",
        ),
        ("timeout.service", "timeout.service: its job timed out"),
        (
            "canceled.service",
            "canceled.service: another job canceled its job",
        ),
        (
            "skipped.service",
            "skipped.service: its job was skipped because it does not apply now",
        ),
        (
            "collected.service",
            "collected.service: its job ended with the result collected",
        ),
    ];
    for (unit, expected) in cases {
        assert_eq!(start_one(unit), expected);
    }
}

#[test]
fn a_job_that_ends_before_its_answer_is_reported() {
    assert_eq!(start_one("early.service"), "early.service: done");
}

#[test]
fn a_refusal_is_reported_with_its_reason() {
    let cases = [
        (
            "missing.service",
            "missing.service: Unit missing.service not found.",
        ),
        (
            "masked.service",
            "masked.service: Unit masked.service is masked.",
        ),
        (
            "denied.service",
            "denied.service: permission denied; run this as root",
        ),
    ];
    for (unit, expected) in cases {
        assert_eq!(start_one(unit), expected);
    }
}

#[test]
fn every_unit_of_a_batch_is_reported_once_and_as_its_job_ends() {
    let (_root, manager) = fake_manager();
    let units = names(&[
        "done.service",
        "missing.service",
        "failed.service",
        "donealias.service",
        "early.service",
    ]);
    let mut received = Vec::new();
    let reports = manager
        .start(&units, LONG, &mut |report| received.push(report.clone()))
        .unwrap();
    assert_eq!(reports, received);
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
    let (_root, manager) = fake_manager();
    let units = vec!["early.service".to_owned(); 500];
    let reports = manager.start(&units, LONG, &mut |_| {}).unwrap();
    assert_eq!(count(&reports, &JobOutcome::Done), 500);
}

#[test]
fn the_manager_can_be_called_for_each_report() {
    let (_root, manager) = fake_manager();
    let mut reason = String::new();
    manager
        .start(&names(&["failed.service"]), LONG, &mut |report| {
            reason = manager.unit_state(&report.unit).unwrap().reason();
        })
        .unwrap();
    assert_eq!(reason, "no such image");
}

#[test]
fn a_job_that_exceeds_the_limit_is_reported_as_running() {
    let (_root, manager) = fake_manager();
    let begin = Instant::now();
    let units = names(&["slow.service", "done.service"]);
    let reports = manager
        .start(&units, Duration::from_secs(2), &mut |_| {})
        .unwrap();
    assert!(begin.elapsed() < LONG / 2);
    assert_eq!(
        reports,
        [
            report("done.service", JobOutcome::Done),
            report("slow.service", JobOutcome::StillRunning)
        ]
    );
}

#[test]
fn a_job_that_hangs_does_not_delay_the_others_for_ever() {
    let (_root, manager) = fake_manager();
    let mut units = vec!["slow.service".to_owned(); 7];
    units.push("done.service".to_owned());
    let batch = Batch {
        method: "StartUnit",
        units: &units,
        limit: Duration::from_secs(3),
        pace: Pace {
            at_once: 3,
            quiet: Duration::from_millis(20),
        },
    };
    let reports = manager.run_on_new_connection(&batch, &mut |_| {}).unwrap();
    assert_eq!(reports.len(), 8);
    assert_eq!(reports[0], report("done.service", JobOutcome::Done));
}

#[test]
fn jobs_that_the_pace_delays_beyond_the_limit_are_requested_all_the_same() {
    let (_root, manager) = fake_manager();
    let batch = Batch {
        method: "StartUnit",
        units: &vec!["slow.service".to_owned(); 5],
        limit: Duration::from_millis(300),
        pace: Pace {
            at_once: 1,
            quiet: LONG,
        },
    };
    let reports = manager.run_on_new_connection(&batch, &mut |_| {}).unwrap();
    assert_eq!(count(&reports, &JobOutcome::StillRunning), 5);
}

#[test]
fn with_a_limit_of_zero_only_the_answers_are_awaited() {
    let (_root, manager) = fake_manager();
    let units = names(&["slow.service", "masked.service"]);
    let mut reports = manager.start(&units, Duration::ZERO, &mut |_| {}).unwrap();
    reports.sort_by(|one, other| one.unit.cmp(&other.unit));
    assert!(matches!(reports[0].outcome, JobOutcome::Refused(_)));
    assert_eq!(reports[1].outcome, JobOutcome::StillRunning);
}

#[test]
fn no_units_need_no_time() {
    let (_root, manager) = fake_manager();
    assert_eq!(manager.start(&[], Duration::MAX, &mut |_| {}).unwrap(), []);
}

#[test]
fn a_lost_connection_is_an_error_that_names_the_units() {
    let (_root, manager) = fake_manager();
    let units = names(&["slow.service", "crash.service"]);
    let error = manager.start(&units, LONG, &mut |_| {}).unwrap_err();
    assert_eq!(
        format!("{error:#}"),
        "asking systemd to start slow.service, crash.service: the connection to systemd was lost; \
         systemd continues the jobs that it has accepted"
    );
}

#[test]
fn units_are_stopped() {
    let (_root, manager) = fake_manager();
    let units = names(&["done.service", "donealias.service"]);
    let reports = manager.stop(&units, LONG).unwrap();
    assert_eq!(count(&reports, &JobOutcome::Done), 2);
}

#[test]
fn the_units_are_reloaded() {
    let (_root, manager) = fake_manager();
    manager.reload().unwrap();
}

#[test]
fn the_failed_state_is_reset_also_if_there_is_no_such_unit() {
    let (_root, manager) = fake_manager();
    manager.reset_failed("x.service").unwrap();
    manager.reset_failed("missing.service").unwrap();
    let error = manager.reset_failed("denied.service").unwrap_err();
    assert_eq!(
        format!("{error:#}"),
        "asking systemd to reset the failed state of denied.service: permission denied; run this as root"
    );
}
