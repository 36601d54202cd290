//! A guest that counts in its memory and in a buffer on the GPU, and traps when the two differ: what
//! is granted, what is charged, and that states carry both.

use tune_core::records::FailureKind;
use tune_core::{GpuCosts, Limits, Metering};
use tune_runtime::{Adapters, GpuGrant, Plugin, Trial, TrialStart};

use crate::guests::{ZEROS, trainable};

/// Imports; the number of the buffer stands at 2992, the count at 2984, answers at 3072.
const IMPORTS: &str = r#"
    (import "tune:plugin/gpu@0.1.0" "create-buffer"
        (func $create (param i32 i32 i64 i32 i32)))
    (import "tune:plugin/gpu@0.1.0" "write-buffer"
        (func $write (param i64 i64 i32 i32 i32)))
    (import "tune:plugin/gpu@0.1.0" "start-read"
        (func $start (param i64 i64 i64 i32)))
    (import "tune:plugin/gpu@0.1.0" "finish-read" (func $finish (param i64 i32)))"#;

/// Traps unless the last answer is `ok`.
const OK: &str = "(if (i32.load8_u (i32.const 3072)) (then unreachable))";

/// Makes the buffer in the first step; then adds one to both counts, which must be equal.
fn counts() -> String {
    format!(
        "(if (i64.eqz (i64.load (i32.const 2992)))
            (then
                (call $create (i32.const 0) (i32.const 0) (i64.const 64) (i32.const 2)
                    (i32.const 3072))
                {OK}
                (i64.store (i32.const 2992) (i64.load (i32.const 3080)))))
        (call $start (i64.load (i32.const 2992)) (i64.const 0) (i64.const 4) (i32.const 3072))
        {OK}
        (call $finish (i64.load (i32.const 3080)) (i32.const 3072))
        {OK}
        (if (i32.ne
                (i32.load (i32.load (i32.const 3080)))
                (i32.load (i32.const 2984)))
            (then unreachable))
        (i32.store (i32.const 2984) (i32.add (i32.load (i32.const 2984)) (i32.const 1)))
        (call $write (i64.load (i32.const 2992)) (i64.const 0) (i32.const 2984) (i32.const 4)
            (i32.const 3072))
        {OK}
        {ZEROS}"
    )
}

fn plugin() -> Plugin {
    crate::load(&trainable(&counts(), IMPORTS), Metering::Fuel).unwrap()
}

fn granted(adapters: &'static Adapters, required: bool) -> TrialStart {
    let mut start = crate::start(&Limits::default());
    start.grants.gpu = Some(GpuGrant {
        adapters,
        required,
        costs: GpuCosts::default(),
    });
    start
}

fn counting(plugin: &Plugin) -> Trial {
    let mut trial = plugin
        .trial(granted(Adapters::that_compute_nothing(), true))
        .unwrap();
    trial.setup(0).unwrap();
    trial
}

#[test]
fn a_clone_goes_on_with_the_buffers_of_the_gpu() {
    let plugin = plugin();
    let mut trial = counting(&plugin);
    for _ in 0..3 {
        trial.step(0).unwrap();
    }
    let state = trial.snapshot().unwrap();
    assert_eq!(state.header().gpu_bytes(), 64);
    let start = granted(Adapters::that_compute_nothing(), true);
    let mut clone = plugin.restore_trial(start, &state, 0).unwrap();
    // Handed on before any device was opened.
    let again = clone.snapshot().unwrap();
    assert_eq!(state.state_hash().unwrap(), again.state_hash().unwrap());
    for _ in 0..2 {
        trial.step(0).unwrap();
        clone.step(0).unwrap();
        assert_eq!(trial.fuel_burned(), clone.fuel_burned());
    }
    let hash = |trial: &mut Trial| trial.snapshot().unwrap().state_hash().unwrap();
    assert_eq!(hash(&mut trial), hash(&mut clone));
    assert_ne!(hash(&mut trial), state.state_hash().unwrap());
    // An instance that is further on goes back, on both sides.
    trial.restore_over(&state, 0).unwrap();
    assert_eq!(hash(&mut trial), state.state_hash().unwrap());
    trial.step(0).unwrap();
    assert_eq!(
        trial.usage().gpu_buffer_bytes,
        68,
        "the buffer and the read"
    );
}

#[test]
fn a_state_with_buffers_needs_the_grant() {
    let plugin = plugin();
    let mut trial = counting(&plugin);
    trial.step(0).unwrap();
    let state = trial.snapshot().unwrap();
    let start = crate::start(&Limits::default());
    let refused = plugin.restore_trial(start, &state, 0).err().unwrap();
    assert!(
        refused.message.contains("gpu = true"),
        "{}",
        refused.details()
    );
    let mut small = granted(Adapters::that_compute_nothing(), true);
    small.limits.gpu.buffer_bytes = 63;
    let refused = plugin.restore_trial(small, &state, 0).err().unwrap();
    assert!(
        refused.message.contains("gpu_buffer"),
        "{}",
        refused.details()
    );
}

#[test]
fn a_trainable_that_needs_a_gpu_fails_where_there_is_none_and_says_what_to_install() {
    let mut trial = plugin().trial(granted(Adapters::none(), true)).unwrap();
    trial.setup(0).unwrap();
    let fault = trial.step(0).unwrap_err();
    assert_eq!(fault.kind, FailureKind::Grant);
    assert!(
        fault.message.contains("mesa-vulkan-drivers"),
        "{}",
        fault.details()
    );
    assert!(fault.hint.contains("doctor"));
}

#[test]
fn a_trainable_that_can_do_without_is_told_and_so_is_one_without_the_grant() {
    // The answer is an error: which one stands at 3080.
    let told = |error: u32| {
        format!(
            "(call $create (i32.const 0) (i32.const 0) (i64.const 64) (i32.const 2) (i32.const 3072))
            (if (i32.ne (i32.load8_u (i32.const 3072)) (i32.const 1)) (then unreachable))
            (if (i32.ne (i32.load8_u (i32.const 3080)) (i32.const {error})) (then unreachable))
            {ZEROS}"
        )
    };
    let (not_granted, unavailable) = (0, 1);
    let ungranted = crate::start(&Limits::default());
    for (start, error) in [
        (granted(Adapters::none(), false), unavailable),
        (ungranted, not_granted),
    ] {
        let plugin = crate::load(&trainable(&told(error), IMPORTS), Metering::Fuel).unwrap();
        let mut trial = plugin.trial(start).unwrap();
        trial.setup(0).unwrap();
        trial.step(0).unwrap();
    }
}

#[test]
fn gpu_work_is_paid_for_by_what_was_asked() {
    let plugin = plugin();
    let mut trial = counting(&plugin);
    trial.step(0).unwrap();
    trial.step(0).unwrap();
    let costs = GpuCosts::default();
    // Three calls and eight bytes, and some hundred instructions.
    let host = 3 * costs.per_call + 8 * costs.per_byte;
    let burned = trial.fuel_burned();
    assert!((host..host + 500).contains(&burned), "{burned}");
}
