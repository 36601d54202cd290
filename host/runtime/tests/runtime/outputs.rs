//! What comes out of a guest: reports, errors, logs.

use tune_core::records::FailureKind;
use tune_core::{Limits, Metering};

use crate::guests::{ZEROS, reporting, trainable};
use crate::{step, trial_of};

fn report_of(
    name: &str,
    value: f64,
    count: u32,
    limits: &Limits,
) -> Result<tune_core::records::Report, Box<tune_core::PluginFault>> {
    let (step, more) = reporting(name, value, count);
    trial_of(&trainable(&step, &more), limits, Metering::Fuel).step(0)
}

#[test]
fn a_report_comes_back_as_it_was_given() {
    let report = report_of("accuracy", 0.5, 1, &Limits::default()).unwrap();
    assert_eq!(report.get("accuracy"), Some(0.5));
    assert!(!report.finished && report.cost.is_none());
    assert_eq!(step(ZEROS, &Limits::default()).unwrap().metrics.len(), 0);
}

#[test]
fn a_report_out_of_bounds_is_a_bad_value() {
    let limits = Limits {
        metrics: 3,
        name_bytes: 8,
        ..Limits::default()
    };
    assert_eq!(report_of("loss", 1.0, 3, &limits).unwrap().metrics.len(), 3);
    assert!(report_of("12345678", 1.0, 1, &limits).is_ok());
    for (name, count) in [("loss", 4), ("123456789", 1)] {
        let fault = report_of(name, 1.0, count, &limits).unwrap_err();
        assert_eq!(fault.kind, FailureKind::BadValue, "{}", fault.details());
    }
}

#[test]
fn a_list_that_is_longer_than_memory_is_refused_without_allocating_it() {
    // 100 million metrics at address 0.
    let huge = "(i32.store (i32.const 2060) (i32.const 100000000)) i32.const 2048";
    let fault = step(huge, &Limits::default()).unwrap_err();
    assert!(
        matches!(fault.kind, FailureKind::BadValue | FailureKind::Trap),
        "{}",
        fault.details()
    );
}

#[test]
fn more_bytes_than_allowed_in_one_answer_are_a_bad_value() {
    let (step, more) = reporting("loss", 1.0, 10_000);
    let guest = trainable(&step, &more);
    let limits = Limits {
        hostcall_bytes: 1_000,
        ..Limits::default()
    };
    let fault = trial_of(&guest, &limits, Metering::Fuel)
        .step(0)
        .unwrap_err();
    assert_eq!(fault.kind, FailureKind::BadValue, "{}", fault.details());
    assert!(fault.hint.contains("hostcall_bytes"), "{fault}");
}

#[test]
fn an_address_that_is_no_address_is_a_trap() {
    for answer in ["i32.const -1", "i32.const 3", "i32.const 65530"] {
        assert_eq!(
            step(answer, &Limits::default()).unwrap_err().kind,
            FailureKind::Trap
        );
    }
}

#[test]
fn an_error_that_the_guest_returns_is_reported() {
    // Err(failure.bad-data("no!")) at 2048.
    let more = r#"(data (i32.const 4096) "no!")"#;
    let code = "(i32.store (i32.const 2048) (i32.const 1))
        (i32.store (i32.const 2056) (i32.const 1))
        (i32.store (i32.const 2060) (i32.const 4096))
        (i32.store (i32.const 2064) (i32.const 3))
        i32.const 2048";
    let mut trial = trial_of(&trainable(code, more), &Limits::default(), Metering::Fuel);
    let fault = trial.step(0).unwrap_err();
    assert_eq!(fault.kind, FailureKind::Reported);
    assert_eq!(fault.message, "bad data: no!");
}

#[test]
fn a_flood_of_log_lines_is_cut_and_does_not_end_the_guest() {
    let more = r#"(data (i32.const 4096) "a line that says little")"#;
    let code = format!(
        "(loop $next
            (call $log (i32.const 2) (i32.const 4096) (i32.const 23))
            (local.set $i (i32.add (local.get $i) (i32.const 1)))
            (br_if $next (i32.lt_u (local.get $i) (i32.const 100000))))
        {ZEROS}"
    );
    let limits = Limits {
        log_bytes: 100,
        ..Limits::default()
    };
    let mut trial = trial_of(&trainable(&code, more), &limits, Metering::Fuel);
    trial.step(0).unwrap();
    let log = String::from_utf8(trial.take_log()).unwrap();
    let lines: Vec<_> = log.lines().collect();
    assert_eq!(lines[..3], ["INFO a line that says little"; 3]);
    assert_eq!(lines.len(), 4);
    assert!(lines[3].starts_with("NOTE 2899913 bytes dropped"), "{log}");
    assert!(trial.take_log().is_empty());
}

#[test]
fn logging_is_paid_for_by_the_byte() {
    let burned = |bytes: u32| {
        let code =
            format!("(call $log (i32.const 2) (i32.const 4096) (i32.const {bytes})) {ZEROS}");
        let mut trial = trial_of(&trainable(&code, ""), &Limits::default(), Metering::Fuel);
        trial.step(0).unwrap();
        trial.fuel_burned()
    };
    assert_eq!(burned(1_001) - burned(1), 1_000);
}

#[test]
fn a_guest_that_cannot_pay_for_host_work_runs_out_of_fuel() {
    let code = format!("(call $log (i32.const 2) (i32.const 0) (i32.const 60000)) {ZEROS}");
    let limits = Limits {
        fuel_per_step: 10_000,
        ..Limits::default()
    };
    let fault = step(&code, &limits).unwrap_err();
    assert_eq!(fault.kind, FailureKind::OutOfFuel, "{}", fault.details());
}

#[test]
fn what_is_not_granted_is_refused_by_name() {
    let more = r#"(import "tune:plugin/artifact@0.1.0" "write"
        (func $write (param i32 i32 i32 i32 i32)))
        (data (i32.const 4096) "model")"#;
    let code = format!(
        "(call $write (i32.const 4096) (i32.const 5) (i32.const 4096) (i32.const 5)
            (i32.const 3072)) {ZEROS}"
    );
    let guest = trainable(&code, more);
    let fault = trial_of(&guest, &Limits::default(), Metering::Fuel)
        .step(0)
        .unwrap_err();
    assert_eq!(fault.kind, FailureKind::Grant);
    assert!(
        fault.hint.contains("artifact = true"),
        "{}",
        fault.details()
    );

    let mut start = crate::start(&Limits::default());
    start.grants.artifact = true;
    let mut trial = crate::load(&guest, Metering::Fuel)
        .unwrap()
        .trial(start)
        .unwrap();
    trial.setup(0).unwrap();
    trial.step(0).unwrap();
    let artifacts = trial.take_artifacts();
    assert_eq!(
        (artifacts[0].name.as_str(), artifacts[0].bytes.as_slice()),
        ("model", &b"model"[..])
    );
}
