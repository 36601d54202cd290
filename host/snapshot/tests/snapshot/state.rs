//! Whole states: globals of every type, memories, what was in data segments.

use tune_snapshot::{Copying, Tracking};

use crate::instance::{Plugin, Running};

/// Three modules, three memories, globals of all types and hidden ones, data in several places, a
/// memory that is another module's, a start function that reads and writes its data.
pub(crate) const STATEFUL: &str = r#"(component
    (core module $c (global (export "constant") i32 (i32.const 3)))
    (core module $a
        (import "c" "constant" (global $constant i32))
        (memory $hidden 1)
        (memory $shown (export "memory") 1 40)
        (global $i (mut i32) (i32.const -5))
        (global $l (mut i64) (i64.const 7000000000))
        (global $f (export "f") (mut f32) (f32.const 1.5))
        (global $d (mut f64) (f64.const -2.5))
        (data (memory $shown) (i32.const 10) "\01\02\03\04")
        (data (memory $shown) (i32.const 12) "\09")
        (data (memory $hidden) (i32.const 65532) "\2a\00\00\01")
        (data (memory $shown) (global.get $constant) "\05")
        (data (memory $shown) (i32.const 3) "\06")
        (data (memory $shown) (i32.const 20) "\06")
        (start $begin)
        (func $begin
            (i32.store $hidden (i32.const 0)
                (i32.add (i32.load $hidden (i32.const 65532))
                    (i32.load $shown (i32.const 10)))))
        (func (export "step") (param $x i32) (result i32)
            (local $at i32)
            (global.set $i (i32.add (global.get $i) (local.get $x)))
            (global.set $l (i64.mul (global.get $l) (i64.const 6364136223846793005)))
            (global.set $f (f32.add (global.get $f) (f32.const 0.25)))
            (global.set $d (f64.div (global.get $d) (f64.const 3)))
            (if (i32.eqz (i32.rem_u (local.get $x) (i32.const 3)))
                (then (drop (memory.grow $shown (i32.const 1)))))
            (local.set $at (i32.sub (i32.mul (memory.size $shown) (i32.const 65536)) (i32.const 8)))
            (i64.store $shown (local.get $at) (global.get $l))
            (i32.store $hidden (i32.const 0)
                (i32.add
                    (i32.mul (i32.const 31) (i32.load $hidden (i32.const 0)))
                    (i32.add (i32.load $shown (i32.const 10))
                        (i32.add (i32.load8_u $shown (i32.const 3))
                            (i32.load8_u $shown (i32.const 20))))))
            (i32.add (i32.load $hidden (i32.const 0))
                (i32.add (global.get $i)
                    (i32.add (i32.wrap_i64 (i64.reinterpret_f64 (global.get $d)))
                        (i32.add (i32.reinterpret_f32 (global.get $f))
                            (i32.load $shown (local.get $at))))))))
    (core module $b
        (import "a" "memory" (memory $theirs 1))
        (import "a" "f" (global $theirs (mut f32)))
        (import "a" "step" (func $step (param i32) (result i32)))
        (memory $own 2)
        (global $calls (mut i32) (i32.const 0))
        (data (memory $theirs) (i32.const 20) "\07")
        (data (memory $own) (i32.const 100) "\08")
        (func (export "step") (param i32) (result i32)
            (global.set $calls (i32.add (global.get $calls) (i32.const 1)))
            (global.set $theirs (f32.mul (global.get $theirs) (f32.const 1.1)))
            (i32.store8 $own (global.get $calls) (i32.load8_u $own (i32.const 100)))
            (i32.add (call $step (local.get 0)) (i32.mul (global.get $calls)
                (i32.load $own (i32.sub (global.get $calls) (i32.const 1)))))))
    (core instance $c (instantiate $c))
    (core instance $a (instantiate $a (with "c" (instance $c))))
    (core instance $b (instantiate $b (with "a" (instance $a))))
    (func (export "step") (param "x" u32) (result u32)
        (canon lift (core func $b "step"))))"#;

fn steps(instance: &mut Running<()>, from: u32, count: u32) -> Vec<u32> {
    (from..from + count)
        .map(|x| instance.f("step", x))
        .collect()
}

#[test]
fn what_is_instrumented_computes_what_the_original_does() {
    let wanted = steps(&mut Plugin::original(STATEFUL).start(), 0, 40);
    for tracking in Tracking::ALL {
        let plugin = Plugin::new(STATEFUL, tracking);
        assert_eq!(steps(&mut plugin.start(), 0, 40), wanted, "{tracking}");
    }
}

#[test]
fn a_state_goes_on_the_same_in_fresh_and_in_live_instances() {
    for tracking in Tracking::ALL {
        let plugin = Plugin::new(STATEFUL, tracking);
        let mut source = plugin.start();
        steps(&mut source, 0, 10);
        let early = source.capture();
        let after_early = steps(&mut source, 10, 1);
        let late = source.capture();
        let after_late = steps(&mut source, 11, 20);
        for copying in [Copying::Map, Copying::Eager] {
            let mut clone = plugin.start();
            clone.restore(&early, copying);
            assert_eq!(steps(&mut clone, 10, 1), after_early, "{tracking}");
            assert_eq!(steps(&mut clone, 11, 20), after_late, "{tracking}");

            let mut loser = plugin.start();
            steps(&mut loser, 500, 9);
            loser.restore(&late, copying);
            assert_eq!(steps(&mut loser, 11, 20), after_late, "{tracking}");
        }
        // The clones' steps changed nothing of the images.
        let mut clone = plugin.start();
        clone.restore(&early, Copying::Map);
        assert_eq!(steps(&mut clone, 10, 1), after_early);
        // Back in time in the same instance, where the memory has not grown since.
        let mut same = plugin.start();
        steps(&mut same, 1, 2);
        let state = same.capture();
        let wanted = steps(&mut same, 4, 2);
        same.restore(&state, Copying::Map);
        assert_eq!(steps(&mut same, 4, 2), wanted);
    }
}

#[test]
fn a_restored_clone_captures_the_same_state() {
    for tracking in Tracking::ALL {
        let plugin = Plugin::new(STATEFUL, tracking);
        let mut source = plugin.start();
        steps(&mut source, 0, 10);
        let state = source.capture();
        let mut clone = plugin.start();
        clone.restore(&state, Copying::Eager);
        let again = clone.capture();
        assert_eq!(again.globals, state.globals);
        for (again, image) in again.images.iter().zip(&state.images) {
            assert_eq!(again.changed_since(image), Some(vec![]), "{tracking}");
        }
    }
}

#[test]
fn bits_of_globals_pass_unchanged() {
    let plugin = Plugin::<()>::new(STATEFUL, Tracking::Copy);
    let mut instance = plugin.start();
    let bits = [
        0xffff_ffff,
        u64::MAX - 1,
        // Signalling, with a payload.
        0xffa0_1234,
        0xfff4_0000_0000_5678,
        0x8000_0000,
    ];
    let accessor = instance.accessor.clone().unwrap();
    crate::instance::now(accessor.set_globals(&mut instance.store, &bits)).unwrap();
    assert_eq!(instance.capture().globals, bits);
    for wrong in [&bits[..4], &[]] {
        let set = accessor.set_globals(&mut instance.store, wrong);
        assert!(crate::instance::now(set).is_err());
    }
    assert_eq!(instance.capture().globals, bits);
}

#[test]
fn a_memory_does_not_grow_past_its_maximum_and_only_if_it_exists() {
    let plugin = Plugin::<()>::new(STATEFUL, Tracking::Copy);
    let mut instance = plugin.start();
    let accessor = instance.accessor.clone().unwrap();
    let mut grow = |memory, to: u64| {
        let page = 64 << 10;
        let grow = accessor.grow(&mut instance.store, memory, page, to * page);
        crate::instance::now(grow)
    };
    assert!(grow(1, 41).is_err());
    grow(1, 40).unwrap();
    assert!(grow(3, 2).is_err());
    assert!(grow(usize::MAX, 2).is_err());
    assert_eq!(instance.memories[1].byte_len(), 40 << 16);
}
