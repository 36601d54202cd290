use super::*;

fn surveyed(text: &str) -> Result<Survey, InstrumentError> {
    let (survey, _) = survey(&wat::parse_str(text).unwrap())?;
    Ok(survey)
}

#[test]
fn a_component_with_memory_and_globals_can_be_snapshotted() {
    let survey = surveyed(
        r#"(component
            (core module $m
                (memory (export "m") 1)
                (global (mut i32) (i32.const 0))
                (global v128 (v128.const i64x2 0 0))
                (data (i32.const 0) "x")
                (func (drop (memory.grow (i32.const 1)))))
            (core module $n (import "m" "m" (memory 1)))
            (core instance $a (instantiate $m))
            (core instance (instantiate $n (with "m" (instance $a)))))"#,
    )
    .unwrap();
    assert_eq!(survey.snapshotable, Snapshotable::Yes);
    assert_eq!((survey.core_modules, survey.memories), (2, 1));
}

#[test]
fn constructs_that_rule_out_a_snapshot_are_found() {
    let in_module = |fields: &str| format!("(component (core module {fields}))");
    for (text, construct) in [
        (in_module("(data \"x\")"), "passive data segments"),
        (
            in_module("(data $d \"x\") (func (data.drop $d))"),
            "data.drop",
        ),
        (
            in_module(
                "(table $t 1 funcref) (func (table.copy $t $t (i32.const 0) (i32.const 0) (i32.const 0)))",
            ),
            "table.copy",
        ),
        (
            in_module("(global (mut externref) (ref.null extern))"),
            "mutable globals that hold references",
        ),
        (
            in_module("(import \"a\" \"b\" (global (mut v128)))"),
            "mutable globals of type v128",
        ),
        (
            "(component (component (core module)))".to_owned(),
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
    ] {
        let found = surveyed(&text).unwrap().snapshotable;
        assert!(
            matches!(&found, Snapshotable::No { constructs } if constructs.contains(&construct)),
            "{text}: {found:?}"
        );
    }
}

#[test]
fn a_nested_component_without_modules_is_no_obstacle() {
    let survey = surveyed("(component (component (component)))").unwrap();
    assert_eq!(survey.snapshotable, Snapshotable::Yes);
}

#[test]
fn imports_and_exports_are_named_with_their_functions() {
    let survey = surveyed(
        r#"(component
            (import "a:b/c@1.0.0" (instance $i (export "f" (func)) (export "t" (type (sub resource)))))
            (import "g" (func))
            (export "d:e/f@2.0.0" (instance $i)))"#,
    )
    .unwrap();
    let item = |name: &str, functions: Option<&[&str]>| Item {
        name: name.to_owned(),
        functions: functions.map(|f| f.iter().map(|f| (*f).to_owned()).collect()),
    };
    let imports = [item("a:b/c@1.0.0", Some(&["f"])), item("g", None)];
    assert_eq!(survey.outside.imports, imports);
    assert_eq!(survey.outside.exports, [item("d:e/f@2.0.0", Some(&["f"]))]);
}

#[test]
fn manifests_are_found_at_any_depth_and_bounded() {
    let with = |bytes: usize| {
        let text = format!(
            r#"(component (core module (@custom "tune:manifest" "{}")))"#,
            "x".repeat(bytes)
        );
        surveyed(&text)
    };
    assert_eq!(with(3).unwrap().manifests, [b"xxx"]);
    with(MAX_MANIFEST_BYTES).unwrap();
    assert!(matches!(
        with(MAX_MANIFEST_BYTES + 1),
        Err(InstrumentError::TooLarge { .. })
    ));
}

#[test]
fn core_modules_are_counted_and_bounded() {
    let with = |count: u32| {
        surveyed(&format!(
            "(component {})",
            "(core module)".repeat(count as usize)
        ))
    };
    assert_eq!(
        with(MAX_CORE_MODULES).unwrap().core_modules,
        MAX_CORE_MODULES
    );
    assert!(matches!(
        with(MAX_CORE_MODULES + 1),
        Err(InstrumentError::TooLarge { .. })
    ));
}
