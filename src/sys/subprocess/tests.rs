//! Programs that end, fail, hang, or leave children behind.

use super::*;
use std::fs;
use std::time::Instant;

/// More time than any of the scripts takes.
const LONG: Duration = Duration::from_secs(60);

fn shell(script: &str) -> Program {
    Program::new("/bin/sh").args(["-c", script])
}

fn run(script: &str) -> ProgramOutput {
    shell(script).run(&Deadline::after(LONG)).unwrap()
}

#[test]
fn status_and_both_streams_are_captured() {
    let output = run("echo out; echo err >&2; exit 3");
    assert_eq!(output.status.code(), Some(3));
    assert_eq!(
        (output.stdout.as_str(), output.stderr.as_str()),
        ("out\n", "err\n")
    );
}

#[test]
fn a_program_reads_the_given_input_or_nothing() {
    let input = Zeroizing::new(b"secret".to_vec());
    let output = shell("cat").stdin(input).run(&Deadline::after(LONG));
    assert_eq!(output.unwrap().stdout, "secret");
    assert_eq!(run("cat").stdout, "");
}

#[test]
fn a_program_that_does_not_read_its_input_is_not_blocked_by_it() {
    let input = Zeroizing::new(vec![b'x'; 1 << 20]);
    let output = shell("exit 0").stdin(input).run(&Deadline::after(LONG));
    assert!(output.unwrap().status.success());
}

#[test]
fn output_beyond_the_limit_is_dropped_and_does_not_block_the_program() {
    let output = run("head -c 1000000 /dev/zero");
    assert!(output.status.success());
    assert_eq!(output.stdout.len(), CAPTURE_LIMIT);
}

#[test]
fn a_program_that_exceeds_its_time_limit_is_killed_with_its_children() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("pid");
    let script = format!("sleep 300 & echo $! >{}; wait", file.display());
    let start = Instant::now();
    let error = shell(&script)
        .run(&Deadline::after(Duration::from_millis(500)))
        .unwrap_err();
    assert_eq!(
        format!("{error:#}"),
        "running /bin/sh: killed: time limit exceeded"
    );
    assert!(start.elapsed() < LONG / 2);
    let process = fs::read_to_string(file).unwrap();
    let status = format!("/proc/{}/stat", process.trim());
    let is_gone = || {
        let is_running = fs::read_to_string(&status).is_ok_and(|text| !text.contains(") Z "));
        (!is_running).then_some(())
    };
    assert!(Deadline::after(LONG).poll(is_gone).is_some());
}

#[test]
fn output_that_a_child_keeps_open_is_not_waited_for() {
    let start = Instant::now();
    let output = run("echo early; sleep 30 &");
    assert_eq!(output.stdout, "early\n");
    assert!(start.elapsed() < Duration::from_secs(20));
}

#[test]
fn a_failed_program_is_reported_by_what_it_printed_or_by_its_status() {
    let failed = |script| {
        let error = shell(script).run_to_success(&Deadline::after(LONG));
        format!("{:#}", error.unwrap_err())
    };
    assert_eq!(failed("printf 'a\\n\\n  b\\n' >&2; exit 1"), "a; b");
    assert_eq!(failed("exit 4"), "/bin/sh failed: exit status: 4");
    let missing = Program::new("/nonexistent/program").run_to_success(&Deadline::after(LONG));
    assert!(
        format!("{:#}", missing.unwrap_err())
            .starts_with("running /nonexistent/program: No such file")
    );
}

#[test]
fn lines_are_passed_on_while_the_program_runs() {
    let lines = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&lines);
    let deadline = Deadline::after(Duration::from_secs(2));
    let error = shell("printf 'a \\nb'; sleep 300")
        .run_by_line(Wait::silent(&deadline), move |line| {
            seen.lock().unwrap().push(line.to_owned());
        })
        .unwrap_err();
    assert_eq!(error.to_string(), "killed: time limit exceeded");
    assert_eq!(*lines.lock().unwrap(), ["a", "b"]);
}
