//! What the output of instrumentation looks like.

use std::fmt::Write;

use tune_snapshot::{HandleKind, Tracking, ValKind, instrument};
use wasmparser::{DataKind, Parser, Payload};
use wasmtime::component::{Resource, ResourceType};

use crate::instance::{Plugin, instrumented, now};

/// Bytes of active data segments, at any depth.
fn data_bytes(component: &[u8]) -> usize {
    let mut bytes = 0;
    for payload in Parser::new(0).parse_all(component) {
        if let Payload::DataSection(section) = payload.unwrap() {
            for data in section {
                let data = data.unwrap();
                assert!(matches!(data.kind, DataKind::Active { .. }));
                bytes += data.data.len();
            }
        }
    }
    bytes
}

#[test]
fn data_is_mapped_at_instantiation_and_not_part_of_the_code() {
    const BYTES: usize = 1_600_000;
    let mut data = String::new();
    for byte in 0..BYTES {
        write!(data, "\\{:02x}", byte % 251 + 1).unwrap();
    }
    let text = format!(
        r#"(component
            (core module $m
                (memory 30)
                (data (i32.const 1000) "{data}")
                (func (export "f") (param i32) (result i32) (i32.load8_u (local.get 0))))
            (core instance $m (instantiate $m))
            (func (export "f") (param "x" u32) (result u32) (canon lift (core func $m "f"))))"#
    );
    let bytes = wat::parse_str(&text).unwrap();
    let (made, layout) = instrumented(&bytes);
    assert_eq!((data_bytes(&bytes), data_bytes(&made.bytes)), (BYTES, 0));
    let genesis = layout.memories[0].genesis.as_ref().unwrap();
    assert_eq!(genesis.byte_len(), 30 << 16);
    assert_eq!(layout.memories[0].initial_bytes, 30 << 16);
    assert_eq!(genesis.held_bytes(), BYTES as u64);
    for tracking in Tracking::ALL {
        let plugin = Plugin::<()>::new(&text, tracking);
        let mut instance = plugin.start();
        for (at, value) in [(999, 0), (1000, 1), (1250, 251), (1251, 1), (1_601_000, 0)] {
            assert_eq!(instance.f("f", at), value, "{tracking}");
        }
        // Nothing was written yet, so nothing is dirty where pages can be told apart.
        let captured = instance.memories[0].capture().unwrap();
        assert_eq!(captured.dirty_bytes, 0, "{tracking}");
    }
}

#[test]
fn memories_and_globals_are_in_the_order_of_instantiation() {
    let text = r#"(component
        (core module $unused (memory 9) (global (mut i32) (i32.const 0)))
        (core module $second (memory 2) (global (mut f64) (f64.const 0)) (data (i32.const 0) "x"))
        (core module $first
            (memory 1) (memory 5)
            (global (mut i64) (i64.const 0))
            (global i32 (i32.const 0))
            (global (mut f32) (f32.const 0)))
        (import "i" (func $i))
        (core func $f (canon lower (func $i)))
        (core instance (export "nothing" (func $f)))
        (core instance (instantiate $first))
        (core instance (instantiate $second)))"#;
    let bytes = wat::parse_str(text).unwrap();
    let (_, layout) = instrumented(&bytes);
    let sizes: Vec<_> = (layout.memories.iter())
        .map(|memory| (memory.initial_bytes >> 16, memory.genesis.is_some()))
        .collect();
    assert_eq!(sizes, [(1, false), (5, false), (2, true)]);
    assert_eq!(layout.globals, [ValKind::I64, ValKind::F32, ValKind::F64]);
    assert_eq!(layout.handles, []);
}

#[test]
fn the_survey_is_that_of_the_original() {
    let bytes = wat::parse_str(
        r#"(component (import "a:b/c" (instance)) (core module $m (memory 1))
            (core instance (instantiate $m)) (component $n) (instance $n (instantiate $n))
            (export "d:e/f" (instance $n)))"#,
    )
    .unwrap();
    let (made, layout) = instrumented(&bytes);
    let names = |items: &[tune_snapshot::Item]| -> Vec<String> {
        items.iter().map(|item| item.name.clone()).collect()
    };
    assert_eq!(names(&made.survey.outside.exports), ["d:e/f"]);
    assert_eq!(names(&made.survey.outside.imports), ["a:b/c"]);
    assert_eq!((made.survey.core_modules, layout.memories.len()), (1, 1));
    // What comes out is not instrumented a second time.
    let again = instrument(&made.bytes).unwrap();
    assert!(again.layout.is_none());
}

#[test]
fn a_component_without_state_of_its_own_can_be_instrumented() {
    for text in [
        "(component)",
        "(component (core module $m) (core instance (instantiate $m)))",
    ] {
        let instance = Plugin::<()>::new(text, Tracking::Copy).start();
        let accessor = instance.accessor.unwrap();
        let mut store = instance.store;
        assert_eq!(now(accessor.globals(&mut store)).unwrap(), [] as [u64; 0]);
    }
}

#[test]
fn names_that_are_taken_are_no_obstacle() {
    let text = r#"(component
        (core module $m
            (global (export "tune-snapshot-g0") (mut i32) (i32.const 1))
            (global (export "tune-snapshot--g0") (mut i32) (i32.const 2)))
        (core instance (instantiate $m)))"#;
    let mut instance = Plugin::<()>::new(text, Tracking::Copy).start();
    assert_eq!(instance.capture().globals, [1, 2]);
}

/// Streams and pollables, as a standard library keeps them: by index.
const WITH_HANDLES: &str = r#"(component
    (import "wasi:io/poll@0.2.12" (instance $poll (export "pollable" (type (sub resource)))))
    (alias export $poll "pollable" (type $pollable))
    (import "wasi:io/streams@0.2.12" (instance $streams
        (alias outer 1 $pollable (type $p))
        (export "pollable" (type (eq $p)))
        (export "output-stream" (type $o (sub resource)))
        (export "[method]output-stream.name" (func (param "self" (borrow $o)) (result u32)))))
    (alias export $streams "output-stream" (type $output))
    (core func $name (canon lower (func $streams "[method]output-stream.name")))
    (core func $drop (canon resource.drop $output))
    (core module $m
        (import "" "name" (func $name (param i32) (result i32)))
        (import "" "drop" (func $drop (param i32)))
        (func (export "name") (param i32) (result i32) (call $name (local.get 0)))
        (func (export "drop") (param i32) (call $drop (local.get 0))))
    (core instance $m (instantiate $m
        (with "" (instance (export "name" (func $name)) (export "drop" (func $drop))))))
    (func (export "name") (param "at" u32) (result u32) (canon lift (core func $m "name")))
    (func (export "drop") (param "at" u32) (canon lift (core func $m "drop"))))"#;

struct Pollable;
struct Output;

#[test]
fn handles_are_adopted_at_the_next_free_index() {
    let mut plugin = Plugin::<()>::new(WITH_HANDLES, Tracking::Copy);
    let mut poll = plugin.linker.instance("wasi:io/poll@0.2.12").unwrap();
    let pollable = ResourceType::host::<Pollable>();
    poll.resource("pollable", pollable, |_, _| Ok(())).unwrap();
    let mut streams = plugin.linker.instance("wasi:io/streams@0.2.12").unwrap();
    streams
        .resource("pollable", pollable, |_, _| Ok(()))
        .unwrap();
    let output = ResourceType::host::<Output>();
    streams
        .resource("output-stream", output, |_, _| Ok(()))
        .unwrap();
    (streams.func_wrap(
        "[method]output-stream.name",
        |_, (this,): (Resource<Output>,)| Ok((this.rep(),)),
    ))
    .unwrap();

    let (made, layout) = {
        let bytes = wat::parse_str(WITH_HANDLES).unwrap();
        let (made, layout) = instrumented(&bytes);
        (made.survey, layout)
    };
    assert_eq!(
        layout.handles,
        [HandleKind::OutputStream, HandleKind::Pollable]
    );
    assert_eq!(made.outside.imports.len(), 2);
    let mut instance = plugin.start();
    let accessor = instance.accessor.clone().unwrap();
    let adopt = |instance: &mut crate::instance::Running<()>, kind, rep| {
        let store = &mut instance.store;
        let resource = match kind {
            HandleKind::Pollable => {
                Resource::<Pollable>::new_own(rep).try_into_resource_any(&mut *store)
            }
            _ => Resource::<Output>::new_own(rep).try_into_resource_any(&mut *store),
        };
        now(accessor.adopt(store, kind, resource.unwrap()))
    };
    assert_eq!(
        adopt(&mut instance, HandleKind::OutputStream, 70).unwrap(),
        1
    );
    assert_eq!(adopt(&mut instance, HandleKind::Pollable, 71).unwrap(), 2);
    assert_eq!(
        adopt(&mut instance, HandleKind::OutputStream, 72).unwrap(),
        3
    );
    assert_eq!((instance.f("name", 1), instance.f("name", 3)), (70, 72));
    instance.call::<_, ()>("drop", (1_u32,)).unwrap();
    assert_eq!(
        adopt(&mut instance, HandleKind::OutputStream, 73).unwrap(),
        1
    );
    assert_eq!(instance.f("name", 1), 73);
    assert!(adopt(&mut instance, HandleKind::InputStream, 1).is_err());

    // What is released last is given out first.
    let release = |instance: &mut crate::instance::Running<()>, kind, index| {
        now(accessor.release(&mut instance.store, kind, index))
    };
    release(&mut instance, HandleKind::OutputStream, 1).unwrap();
    release(&mut instance, HandleKind::Pollable, 2).unwrap();
    let output = HandleKind::OutputStream;
    assert_eq!(adopt(&mut instance, output, 74).unwrap(), 2);
    assert_eq!(adopt(&mut instance, output, 75).unwrap(), 1);
    assert_eq!((instance.f("name", 1), instance.f("name", 2)), (75, 74));
    assert!(release(&mut instance, HandleKind::Pollable, 1).is_err());
}
