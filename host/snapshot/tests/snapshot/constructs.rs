//! Components that cannot be snapshotted say why, and are passed on as they are.

use std::borrow::Cow;

use tune_snapshot::{Snapshotable, instrument};

fn refusal(text: &str) -> Vec<&'static str> {
    let bytes = wat::parse_str(text).unwrap();
    let made = instrument(&bytes).unwrap();
    assert!(made.layout.is_none(), "{text}");
    assert!(matches!(made.bytes, Cow::Borrowed(_)), "{text}");
    match made.survey.snapshotable {
        Snapshotable::No { constructs } => constructs,
        Snapshotable::Yes => panic!("{text} is said to be snapshotable"),
    }
}

#[test]
fn each_refusal_names_its_construct() {
    let table = |code: &str| {
        format!("(component (core module (table $t 1 funcref) (elem $e func) (func {code})))")
    };
    for (text, construct) in [
        (table("(table.set $t (i32.const 0) (ref.null func))"), "table.set"),
        (table("(drop (table.grow $t (ref.null func) (i32.const 1)))"), "table.grow"),
        (
            table("(table.fill $t (i32.const 0) (ref.null func) (i32.const 1))"),
            "table.fill",
        ),
        (
            table("(table.copy $t $t (i32.const 0) (i32.const 0) (i32.const 0))"),
            "table.copy",
        ),
        (
            table("(table.init $t $e (i32.const 0) (i32.const 0) (i32.const 0))"),
            "table.init",
        ),
        (table("(elem.drop $e)"), "elem.drop"),
        (
            "(component (core module (data \"x\")))".to_owned(),
            "passive data segments",
        ),
        (
            "(component (core module (memory 1) (data $d (i32.const 0) \"x\") (func (data.drop $d))))"
                .to_owned(),
            "data.drop",
        ),
        (
            "(component (core module (global (mut v128) (v128.const i64x2 0 0))))".to_owned(),
            "mutable globals of type v128",
        ),
        (
            "(component (core module (global (mut funcref) (ref.null func))))".to_owned(),
            "mutable globals that hold references",
        ),
        (
            "(component (core module (table 1 externref)))".to_owned(),
            "references to objects of the host",
        ),
        (
            "(component (core module (import \"\" \"\" (table 1 externref))))".to_owned(),
            "references to objects of the host",
        ),
        (
            "(component (core module (global externref (ref.null extern))))".to_owned(),
            "references to objects of the host",
        ),
        (
            "(component (component (core module)))".to_owned(),
            "a nested component with core modules",
        ),
        (
            "(component (core module $m)
                (component $n
                    (import \"m\" (core module $m))
                    (core instance (instantiate $m)))
                (instance (instantiate $n (with \"m\" (core module $m)))))"
                .to_owned(),
            "a nested component with core modules",
        ),
        (
            "(component (core module $m) (core instance (instantiate $m))
                (core instance (instantiate $m)))"
                .to_owned(),
            "a core module that is instantiated twice",
        ),
        (
            "(component (core module $m) (export \"m\" (core module $m)))".to_owned(),
            "an exported core module",
        ),
        (
            "(component (import \"m\" (core module)))".to_owned(),
            "an imported core module",
        ),
        (
            "(component (import \"i\" (instance $i (export \"m\" (core module))))
                (alias export $i \"m\" (core module)))"
                .to_owned(),
            "an aliased core module",
        ),
        (
            "(component (core module $m) (component (alias outer 1 $m (core module))))".to_owned(),
            "an aliased core module",
        ),
        (
            "(component (type (resource (rep i32))))".to_owned(),
            "resources of its own",
        ),
        (
            "(component (component $n) (instance $n (instantiate $n))
                (export \"tune:snapshot/state\" (instance $n)))"
                .to_owned(),
            "an export `tune:snapshot/state`",
        ),
        (
            "(component
                (import \"wasi:io/poll@0.2.0\" (instance (export \"pollable\" (type (sub resource)))))
                (import \"wasi:io/poll@0.2.9\" (instance (export \"pollable\" (type (sub resource))))))"
                .to_owned(),
            "resources of two versions of WASI",
        ),
    ] {
        assert_eq!(refusal(&text), [construct], "{text}");
    }
}

fn with(fields: &str, count: usize) -> String {
    format!(
        "(component (core module $m {}) (core instance (instantiate $m)))",
        fields.repeat(count)
    )
}

#[test]
fn globals_and_memories_are_bounded() {
    let global = "(global (mut i32) (i32.const 0))";
    for (fields, limit, construct) in [
        (global, 1_024, "more than 1,024 mutable globals"),
        ("(memory 1)", 16, "more than 16 memories"),
    ] {
        let bytes = wat::parse_str(with(fields, limit)).unwrap();
        assert!(instrument(&bytes).unwrap().layout.is_some(), "{construct}");
        assert_eq!(refusal(&with(fields, limit + 1)), [construct]);
    }
}

#[test]
fn data_that_misses_its_memory_stays_what_it_is() {
    for data in [
        "(data (i32.const 65535) \"ab\")",
        "(data (i32.const -1) \"a\")",
    ] {
        let text =
            format!("(memory 1) (data (i32.const 0) \"first\") {data} (data (i32.const 0) \"x\")");
        let text = with(&text, 1);
        let bytes = wat::parse_str(&text).unwrap();
        let made = instrument(&bytes).unwrap();
        let genesis = made.layout.unwrap().memories[0].genesis.clone().unwrap();
        // What stands in front of it is laid out, it traps, and what is behind never comes.
        assert_eq!(genesis.held_bytes(), 5);
        let engine = wasmtime::Engine::default();
        let component = wasmtime::component::Component::new(&engine, &made.bytes).unwrap();
        let mut store = wasmtime::Store::new(&engine, ());
        let linker = wasmtime::component::Linker::new(&engine);
        assert!(linker.instantiate(&mut store, &component).is_err());
    }
}

#[test]
fn damaged_components_are_refused_or_harmless() {
    let good = wat::parse_str(crate::state::STATEFUL).unwrap();
    let mut random = 1_u64;
    for at in 0..good.len() {
        random = random
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        let mut damaged = good.clone();
        damaged[at] = (random >> 40) as u8;
        if let Ok(made) = instrument(&damaged) {
            let wanted = matches!(made.survey.snapshotable, Snapshotable::Yes);
            assert_eq!(made.layout.is_some(), wanted);
        }
        // Cut between two sections it is a shorter component.
        if let Ok(made) = instrument(&good[..at]) {
            assert!(made.layout.is_some(), "{at}");
        }
    }
}
