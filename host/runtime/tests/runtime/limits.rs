//! Limits on what a guest uses: just below it goes on, just above it ends with the right kind.

use std::sync::Arc;
use std::time::Duration;

use tune_core::records::{Change, Config, FailureKind, Reconfigured};
use tune_core::{Limits, Metering};
use tune_runtime::Control;

use crate::guests::{ZEROS, component, trainable, trainable_text};
use crate::{load, start, step, trial, trial_of};

const SPIN: &str = "(loop $again (br $again)) unreachable";

/// Some work: about 6 units of fuel a turn.
fn turns(turns: u32) -> String {
    format!(
        "(loop $next
            (local.set $i (i32.add (local.get $i) (i32.const 1)))
            (br_if $next (i32.lt_u (local.get $i) (i32.const {turns}))))
        {ZEROS}"
    )
}

#[test]
fn a_step_that_never_ends_runs_out_of_fuel() {
    let limits = Limits {
        fuel_per_step: 10_000_000,
        ..Limits::default()
    };
    let mut trial = trial(SPIN, &limits);
    let fault = trial.step(0).unwrap_err();
    assert_eq!(fault.kind, FailureKind::OutOfFuel, "{}", fault.details());
    assert!(
        fault
            .message
            .contains("10000000 units of fuel (fuel_per_step)"),
        "{fault}"
    );
    assert_eq!(trial.fuel_burned(), 10_000_000);
    assert_eq!(trial.own_fuel(), 10_000_000);
}

#[test]
fn a_step_with_enough_fuel_ends_and_with_less_does_not() {
    let step = turns(1_000);
    let mut measured = trial(&step, &Limits::default());
    measured.step(0).unwrap();
    let needed = measured.fuel_burned();
    assert!(needed > 1_000);
    // Fuel is looked at once a loop turn.
    for (fuel_per_step, ends) in [(needed, true), (needed - 20, false)] {
        let limits = Limits {
            fuel_per_step,
            ..Limits::default()
        };
        let mut trial = trial(&step, &limits);
        assert_eq!(trial.step(0).is_ok(), ends, "{fuel_per_step}");
        assert!(trial.fuel_burned() <= fuel_per_step);
    }
}

#[test]
fn setup_is_charged_to_the_first_step_and_only_to_it() {
    let mut trial = trial(&turns(1_000), &Limits::default());
    let setup = trial.fuel_burned();
    assert!(setup > 0);
    trial.step(0).unwrap();
    let first = trial.fuel_burned();
    trial.step(0).unwrap();
    let second = trial.fuel_burned();
    assert_eq!(first, setup + second);
    assert_eq!(trial.own_fuel(), first + second);
}

#[test]
fn a_change_is_charged_to_the_next_step() {
    let mut trial = trial(&turns(10), &Limits::default());
    trial.step(0).unwrap();
    trial.step(0).unwrap();
    let step = trial.fuel_burned();
    let change = Change {
        config: Config::new(),
        seed: 1,
        workers: 1,
    };
    assert_eq!(
        trial.reconfigure(&change, 0).unwrap(),
        Reconfigured::Applied
    );
    let change = trial.fuel_burned();
    assert!(change > 0);
    trial.step(0).unwrap();
    assert_eq!(trial.fuel_burned(), change + step);
}

#[test]
fn the_fuel_of_a_trial_is_limited_over_its_steps() {
    let limits = Limits {
        fuel_per_step: 10_000,
        fuel_per_trial: 15_000,
        ..Limits::default()
    };
    let mut trial = trial(&turns(1_000), &limits);
    trial.step(0).unwrap();
    let first = trial.own_fuel();
    assert!(first > 7_500);
    let fault = trial.step(0).unwrap_err();
    assert_eq!(fault.kind, FailureKind::OutOfFuel);
    assert!(fault.message.contains("(fuel_per_trial)"), "{fault}");
    assert_eq!(trial.own_fuel(), 15_000);
}

#[test]
fn burned_fuel_is_published_while_a_step_runs_and_the_waiter_is_woken() {
    let control = Arc::new(Control::new());
    let limits = Limits {
        fuel_per_step: 50_000_000,
        ..Limits::default()
    };
    let mut start = start(&limits);
    start.control = Arc::clone(&control);
    let mut trial = load(&trainable(SPIN, ""), Metering::Fuel)
        .unwrap()
        .trial(start)
        .unwrap();
    trial.setup(0).unwrap();
    control.arm(Duration::from_secs(600));
    control.set_wake(20_000_000, std::thread::current());
    let step = std::thread::spawn(move || (trial.step(0), trial.fuel_burned()));
    while control.burned() < 20_000_000 {
        std::thread::park();
    }
    let (result, burned) = step.join().unwrap();
    assert_eq!(result.unwrap_err().kind, FailureKind::OutOfFuel);
    assert_eq!((burned, control.burned()), (50_000_000, 50_000_000));
}

#[test]
fn a_step_that_never_ends_stops_at_its_deadline_at_each_level_that_has_one() {
    for metering in [Metering::Fuel, Metering::Full, Metering::Epoch] {
        let limits = Limits {
            fuel_per_step: u64::MAX / 4,
            fuel_per_trial: u64::MAX / 2,
            ..Limits::default()
        };
        let mut start = start(&limits);
        let control = Arc::new(Control::new());
        start.control = Arc::clone(&control);
        let mut trial = load(&trainable(SPIN, ""), metering)
            .unwrap()
            .trial(start)
            .unwrap();
        trial.setup(0).unwrap();
        control.arm(Duration::from_millis(20));
        let fault = trial.step(0).unwrap_err();
        assert_eq!(
            fault.kind,
            FailureKind::Deadline,
            "{metering:?}: {}",
            fault.details()
        );
        assert!(fault.hint.contains("wall_per_step"));
    }
}

#[test]
fn a_step_that_never_ends_can_be_cancelled() {
    for metering in [Metering::Fuel, Metering::Epoch] {
        let control = Arc::new(Control::new());
        let mut start = start(&Limits::default());
        start.control = Arc::clone(&control);
        let mut trial = load(&trainable(SPIN, ""), metering)
            .unwrap()
            .trial(start)
            .unwrap();
        trial.setup(0).unwrap();
        let step = std::thread::spawn(move || trial.step(0));
        control.cancel();
        let fault = step.join().unwrap().unwrap_err();
        assert_eq!(fault.kind, FailureKind::Deadline);
        assert!(fault.message.contains("cancelled"), "{fault}");
    }
}

#[test]
fn without_metering_no_fuel_is_counted() {
    let mut trial = trial_of(
        &trainable(&turns(10), ""),
        &Limits::default(),
        Metering::None,
    );
    trial.step(0).unwrap();
    assert_eq!((trial.fuel_burned(), trial.own_fuel()), (0, 0));
}

#[test]
fn fuel_is_the_same_at_both_levels_that_count_it() {
    let guest = trainable(&turns(5_000), "");
    let burned = [Metering::Fuel, Metering::Full].map(|metering| {
        let mut trial = trial_of(&guest, &Limits::default(), metering);
        trial.step(0).unwrap();
        trial.fuel_burned()
    });
    assert_eq!(burned[0], burned[1]);
}

#[test]
fn memory_is_limited_and_the_guest_never_sees_a_refusal() {
    // One page at the start, three more now; -1 would be reported as a trap.
    let grow = format!(
        "(if (i32.eq (memory.grow (i32.const 3)) (i32.const -1)) (then unreachable)) {ZEROS}"
    );
    let with = |pages: u64| Limits {
        memory_bytes: pages << 16,
        ..Limits::default()
    };
    let mut fits = trial(&grow, &with(4));
    fits.step(0).unwrap();
    assert_eq!(fits.memory_bytes(), 4 << 16);
    let fault = step(&grow, &with(3)).unwrap_err();
    assert_eq!(fault.kind, FailureKind::Memory, "{}", fault.details());
    assert_eq!(
        fault.message,
        "262144 bytes of linear memory wanted, 196608 allowed (memory)"
    );
    assert!(fault.hint.contains("`memory`"));
}

#[test]
fn memory_that_a_guest_wants_at_once_counts_too() {
    let limits = Limits {
        memory_bytes: 100,
        ..Limits::default()
    };
    let plugin = load(&trainable(ZEROS, ""), Metering::Fuel).unwrap();
    let fault = plugin.trial(start(&limits)).err().unwrap();
    assert_eq!(
        (fault.kind, fault.operation.as_str()),
        (FailureKind::Memory, "instantiate")
    );
}

#[test]
fn table_elements_are_limited() {
    let more = "(table $t 10 funcref)";
    let grow =
        |more: u32| format!("(drop (table.grow $t (ref.null func) (i32.const {more}))) {ZEROS}");
    let limits = Limits {
        table_elements: 100,
        ..Limits::default()
    };
    let end = |more_elements: u32| {
        let guest = trainable(&grow(more_elements), more);
        trial_of(&guest, &limits, Metering::Fuel).step(0)
    };
    // The component has a small table of its own.
    end(80).unwrap();
    let fault = end(91).unwrap_err();
    assert_eq!(fault.kind, FailureKind::Memory, "{}", fault.details());
    assert!(
        fault.message.contains("elements of tables wanted"),
        "{fault}"
    );
}

#[test]
fn recursion_without_end_is_a_trap_that_says_so() {
    let fault = step("call $step", &Limits::default()).unwrap_err();
    assert_eq!(
        (fault.kind, fault.message.as_str()),
        (FailureKind::Trap, "call stack exhausted")
    );
    assert!(!fault.backtrace.is_empty() && fault.backtrace.len() <= 20);
}

#[test]
fn traps_name_their_cause_and_end_the_instance() {
    for (code, cause) in [
        ("unreachable", "code that must not be reached"),
        ("(i32.load (i32.const -8))", "out of bounds memory access"),
        (
            "(i32.div_u (i32.const 1) (i32.const 0))",
            "integer divide by zero",
        ),
    ] {
        let mut trial = trial(code, &Limits::default());
        let fault = trial.step(0).unwrap_err();
        assert_eq!(fault.kind, FailureKind::Trap);
        assert!(fault.message.contains(cause), "{fault}");
        assert_eq!(
            (fault.plugin.as_str(), fault.operation.as_str()),
            ("guest", "step")
        );
        let again = trial.step(0).unwrap_err();
        assert_eq!(again.kind, FailureKind::HostBug);
        assert!(again.message.contains("after a failure"), "{again}");
        assert!(trial.setup(0).is_err());
        assert!(trial.take_artifacts().is_empty());
    }
}

#[test]
fn a_trap_in_start_code_ends_instantiation_within_its_limits() {
    let text = trainable_text(
        ZEROS,
        "(func $spin (loop $l (br $l))) (start $spin)",
        "0.1.0",
    );
    let guest = component(&text, "trainable-plugin", "0.1.0", "");
    let limits = Limits {
        fuel_per_step: 1_000_000,
        ..Limits::default()
    };
    let fault = load(&guest, Metering::Fuel)
        .unwrap()
        .trial(start(&limits))
        .err()
        .unwrap();
    assert_eq!(
        (fault.kind, fault.operation.as_str()),
        (FailureKind::OutOfFuel, "instantiate")
    );
}

#[test]
fn every_run_burns_the_same_fuel() {
    let burned = || {
        let mut trial = trial(&turns(300_000), &Limits::default());
        trial.step(0).unwrap();
        trial.fuel_burned()
    };
    // Past the yield interval, so that yields are part of it.
    assert!(burned() > tune_runtime::FUEL_YIELD_INTERVAL);
    assert_eq!(burned(), burned());
}
