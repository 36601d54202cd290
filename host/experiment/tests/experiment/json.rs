//! JSON files: the same plans, and places in the text.

use tune_experiment::parse;

const JSON: &str = r#"{
  "version": 1,
  "trainable": "digits-mlp",
  "metric": "accuracy", "mode": "max",
  "trials": 10,
  "max_t": 81,
  "seed": 18446744073709551615,
  "space": {
    "lr": {"loguniform": [1e-4, 1]},
    "a\"b": 1
  },
  "scheduler": { "plugin" : "asha", "grace_period": 2 }
}"#;

#[test]
fn a_json_file_gives_the_same_plan_as_a_toml_file() {
    let json = JSON.replace("\"a\\\"b\": 1", "\"batch\": 32");
    let json = parse(&json, "x.json", 0).unwrap();
    let toml = "version = 1
trainable = \"digits-mlp\"
metric = \"accuracy\"
mode = \"max\"
trials = 10
max_t = 81
seed = 18446744073709551615
[space]
lr = { loguniform = [1e-4, 1] }
batch = 32
[scheduler]
plugin = \"asha\"
grace_period = 2
";
    let toml = parse(toml, "x.toml", 0).unwrap();
    assert_eq!(json.engine, toml.engine);
    assert_eq!(json.engine.seed, u64::MAX);
    assert_eq!(json.locate("scheduler.grace_period"), Some((12, 37)));
    assert_eq!(json.locate("mode"), Some((4, 25)));
}

#[test]
fn errors_in_json_point_at_keys_and_values() {
    let error = parse(JSON, "x", 0).unwrap_err();
    assert_eq!((error.all[0].line, error.all[0].column), (10, 5), "{error}");
    let error = parse(&JSON.replace("1e-4, 1]", "1, 1e-4]"), "x", 0).unwrap_err();
    assert_eq!((error.all[0].line, error.all[0].column), (9, 26), "{error}");
}

#[test]
fn json_syntax_errors_have_their_place() {
    let error = parse("{\n  \"version\": 1,\n  \"name\" \"x\"\n}", "x.json", 0).unwrap_err();
    assert_eq!((error.all[0].line, error.all[0].column), (3, 10), "{error}");
    assert!(
        error.to_string().contains("JSON syntax: expected `:`"),
        "{error}"
    );
    for text in ["{", "{\"version\":", "[]", "{} x", "", "null"] {
        assert!(parse(text, "x.json", 0).is_err());
    }
}

#[test]
fn json_repeats_nulls_and_large_numbers_are_refused() {
    for (from, to, part) in [
        ("\"mode\": \"max\"", "\"metric\": \"x\"", "stands twice"),
        ("\"a\\\"b\": 1", "\"b\": null", "is null"),
        ("\"a\\\"b\": 1", "\"b\": 1e999", "number out of range"),
        (
            "\"max_t\": 81",
            "\"max_t\": 18446744073709551616e999",
            "number out of range",
        ),
    ] {
        let error = parse(&JSON.replace(from, to), "x.json", 0).unwrap_err();
        assert!(error.to_string().contains(part), "{to}: {error}");
    }
}

#[test]
fn deep_json_is_refused_without_overflowing() {
    let deep = format!("{{\"a\":{}", "[".repeat(100_000));
    assert!(parse(&deep, "x.json", 0).is_err());
    let deep = format!("{{\"a\":{}1{}}}", "[".repeat(60), "]".repeat(60));
    let error = parse(&deep, "x.json", 0).unwrap_err();
    assert!(
        error.to_string().contains("nested deeper than 16"),
        "{error}"
    );
}
