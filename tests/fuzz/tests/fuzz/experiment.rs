//! The experiment file: what people and their tools write.

use arbitrary::{Result, Unstructured};
use tune_core::Engine;
use tune_experiment::parse;
use tune_fuzz::{Outcome, Target, words};

fn check(text: &str, file_name: &str) -> Outcome {
    let parsed = parse(text, file_name, 5);
    let errors = match parsed {
        Ok(plan) => {
            // Whatever is taken can be run, kept and read again.
            let engine = Engine::new(plan.engine.clone(), [0; 32]);
            assert!(engine.is_ok(), "{}", engine.unwrap_err());
            let written = serde_json::to_string(&plan.engine).unwrap();
            let again: tune_core::EnginePlan = serde_json::from_str(&written).unwrap();
            assert_eq!(serde_json::to_string(&again).unwrap(), written);
            return Outcome::taken("a plan");
        }
        Err(errors) => errors,
    };
    assert!(!errors.all.is_empty(), "refused without a reason");
    let lines = text.lines().count().max(1) + usize::from(text.ends_with('\n'));
    let mut last = 0;
    for error in &errors.all {
        assert!(
            error.line >= 1 && error.line <= lines,
            "{error:?} of {lines} lines"
        );
        let line = text.split('\n').nth(error.line - 1).unwrap_or_default();
        let columns = line.chars().count() + 1;
        assert!(
            error.column >= 1 && error.column <= columns,
            "{error:?} of {columns} columns"
        );
        assert!(!error.message.is_empty(), "{error:?}");
        assert!(error.line >= last, "not in the order of lines: {errors}");
        last = error.line;
    }
    let shown = errors.to_string();
    assert!(
        !shown.chars().any(|c| c.is_control() && c != '\n'),
        "{shown:?}"
    );
    assert_eq!(parse(text, file_name, 5).unwrap_err(), errors);
    // The first and the last, so that one common mistake does not hide all others.
    let last = &errors.all[errors.all.len() - 1].message;
    Outcome::refused(&format!("{} .. {last}", errors.all[0].message))
}

fn real_files() -> Vec<String> {
    let examples = concat!(env!("CARGO_MANIFEST_DIR"), "/../../examples");
    ["digits.toml", "functions.toml", "pbt.toml"]
        .iter()
        .map(|name| std::fs::read_to_string(format!("{examples}/{name}")).unwrap())
        .chain([EVERY_KEY.to_owned(), JSON.to_owned()])
        .collect()
}

#[test]
fn changed_experiment_files_are_plans_or_refused_at_a_place() {
    let files = real_files();
    let mut vocabulary: Vec<Vec<u8>> = (files.iter())
        .flat_map(|text| words(text))
        .map(|word| word.as_bytes().to_vec())
        .collect();
    vocabulary.extend(VALUES.iter().map(|value| value.as_bytes().to_vec()));
    vocabulary.sort();
    vocabulary.dedup();
    let target = Target {
        name: "experiment",
        iterations: 4_000,
        seeds: files.into_iter().map(String::into_bytes).collect(),
        words: vocabulary,
        scratch: crate::scratch(),
    };
    let summary = target.run(|bytes| {
        let text = String::from_utf8_lossy(bytes);
        let name = if bytes.len() % 16 == 0 {
            "x.json"
        } else {
            "x.toml"
        };
        check(&text, name)
    });
    assert!(summary.taken > 10 && summary.outcomes > 100, "{summary:?}");
}

#[test]
fn experiment_files_from_a_grammar_are_plans_or_refused_at_a_place() {
    let target = Target {
        name: "experiment-grammar",
        iterations: 4_000,
        seeds: Vec::new(),
        words: Vec::new(),
        scratch: crate::scratch(),
    };
    let summary = target.run(|bytes| {
        let mut text = String::new();
        // Cannot fail: what the bytes do not cover is zero.
        file(&mut Unstructured::new(bytes), &mut text).unwrap_or_default();
        check(&text, "x.toml")
    });
    assert!(summary.outcomes > 100, "{summary:?}");
}

/// Values at which readers err.
const VALUES: [&str; 32] = [
    "0",
    "1",
    "-1",
    "0.0",
    "-0.0",
    "0.5",
    "3",
    "1e-4",
    "100_000",
    "100_001",
    "4294967296",
    "9223372036854775807",
    "-9223372036854775808",
    "9223372036854775808",
    "1e308",
    "1e309",
    "5e-324",
    "nan",
    "inf",
    "-inf",
    "true",
    "\"\"",
    "\"max\"",
    "\"x\"",
    "\"1h\"",
    "\"99999999999999999999d\"",
    "\"2 GiB\"",
    "\"\\u0000\\u202e\"",
    "1979-05-27T07:32:00Z",
    "[]",
    "{}",
    "0xffff_ffff",
];

const KEYS: [&str; 44] = [
    "version",
    "name",
    "trainable",
    "metric",
    "mode",
    "trials",
    "slots",
    "seed",
    "max_t",
    "time_attr",
    "time_budget",
    "order",
    "retries",
    "points_to_evaluate",
    "plugin",
    "grace_period",
    "reduction_factor",
    "options",
    "lr",
    "x0",
    "when",
    "in",
    "uniform",
    "loguniform",
    "int",
    "choice",
    "normal",
    "step",
    "base",
    "derived",
    "path",
    "allow",
    "fuel_per_step",
    "memory",
    "wall_per_step",
    "log_bytes",
    "interval",
    "keep",
    "keep_best",
    "at_end",
    "max_share",
    "tensorboard",
    "csv",
    "constraints",
];

const TABLES: [&str; 14] = [
    "[space]",
    "[searcher]",
    "[scheduler]",
    "[limits]",
    "[stop]",
    "[snapshots]",
    "[outputs]",
    "[[data]]",
    "[grants]",
    "[searcher.options]",
    "[space.lr]",
    "[derived]",
    "[[objectives]]",
    "[fixed]",
];

fn file(u: &mut Unstructured<'_>, text: &mut String) -> Result<()> {
    if !u.ratio(1, 8_u8)? {
        text.push_str("version = 1\nname = \"a\"\ntrainable = \"functions\"\nmetric = \"value\"\n");
        text.push_str("mode = \"min\"\ntrials = 3\n");
    }
    let mut table = false;
    for _ in 0..u.int_in_range(0..=40)? {
        if u.ratio(1, 4_u8)? {
            text.push_str(u.choose(&TABLES)?);
            table = true;
        } else {
            key(u, text)?;
            text.push_str(" = ");
            value(u, text, 0)?;
        }
        text.push('\n');
    }
    if !table {
        text.push_str("[space]\nx0 = { uniform = [0.0, 1.0] }\n");
    }
    Ok(())
}

fn key(u: &mut Unstructured<'_>, text: &mut String) -> Result<()> {
    match u.int_in_range(0..=30)? {
        0 => text.push_str("\"a \\\" b\""),
        1 => text.push('é'),
        2 => text.push_str("a.b.c"),
        3 => {
            let letter = *u.choose(&["k", "\u{200b}", "-"])?;
            text.push_str(&letter.repeat(u.int_in_range(1..=300)?));
        }
        _ => text.push_str(u.choose(&KEYS)?),
    }
    Ok(())
}

fn value(u: &mut Unstructured<'_>, text: &mut String, depth: u32) -> Result<()> {
    match u.int_in_range(0..=if depth < 5 { 9 } else { 6 })? {
        0 => text.push_str(&u.arbitrary::<i64>()?.to_string()),
        1 => text.push_str(&format!("{:e}", u.arbitrary::<f64>()?)),
        2 => {
            // A value of the search space, often a right one.
            let kind = *u.choose(&["uniform", "loguniform", "int", "choice", "normal", "step"])?;
            text.push_str("{ ");
            text.push_str(kind);
            text.push_str(" = [");
            for _ in 0..u.int_in_range(0..=3)? {
                text.push_str(u.choose(&VALUES)?);
                text.push_str(", ");
            }
            text.push_str("] }");
        }
        3 if u.ratio(1, 50_u8)? => {
            // Deeper than any stack.
            let deep = u.int_in_range(1..=30_000)?;
            text.push_str(&"[".repeat(deep));
            text.push_str(&"]".repeat(deep));
        }
        4 => {
            text.push('"');
            let word: String = u.arbitrary::<&str>()?.chars().take(40).collect();
            text.push_str(&word.replace(['"', '\\', '\n'], ""));
            text.push('"');
        }
        5 | 6 | 3 => text.push_str(u.choose(&VALUES)?),
        7 | 8 => {
            text.push('[');
            for _ in 0..u.int_in_range(0..=4)? {
                value(u, text, depth + 1)?;
                text.push_str(", ");
            }
            text.push(']');
        }
        _ => {
            text.push('{');
            for index in 0..u.int_in_range(0..=3)? {
                if index > 0 {
                    text.push_str(", ");
                }
                key(u, text)?;
                text.push_str(" = ");
                value(u, text, depth + 1)?;
            }
            text.push('}');
        }
    }
    Ok(())
}

const JSON: &str = r#"{ "version": 1, "name": "j", "trainable": "functions", "metric": "value",
  "mode": "min", "trials": 5, "space": { "x0": { "uniform": [0, 1] }, "k": { "choice": ["a", 2] } },
  "stop": { "value": 0.5 }, "limits": { "fuel_per_step": 1000000 } }
"#;

const EVERY_KEY: &str = r#"version = 1
name = "all"
trainable = "functions"
metric = "value"
mode = "min"
trials = 30
slots = 4
seed = 11
max_t = 9
points_to_evaluate = [{ x0 = 3.0 }]
[space]
x0 = { uniform = [-5.0, 10.0] }
lr = { loguniform = [1e-4, 1.0] }
n = { int = [1, 8] }
kind = { choice = ["a", "b"] }
function = "branin"
[searcher]
plugin = "tpe"
[scheduler]
plugin = "asha"
grace_period = 1
reduction_factor = 3
[stop]
value = 0.1
[snapshots]
keep = 2
max_share = 0.1
[[data]]
name = "d"
path = "x"
"#;
