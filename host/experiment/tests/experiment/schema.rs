//! The JSON Schema: it is one, it knows every key, and it takes what the reader takes.

use serde_json::{Value, json};
use tune_experiment::{json_schema, parse};

fn validator() -> jsonschema::Validator {
    jsonschema::validator_for(&json_schema()).expect("a schema")
}

fn examples() -> Vec<(String, String)> {
    let directory = concat!(env!("CARGO_MANIFEST_DIR"), "/../../examples");
    let mut found = Vec::new();
    for entry in std::fs::read_dir(directory).expect("examples/") {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|e| e == "toml") {
            let text = std::fs::read_to_string(&path).unwrap();
            found.push((path.display().to_string(), text));
        }
    }
    assert!(found.len() >= 2, "{found:?}");
    found
}

#[test]
fn every_example_is_read_and_validates() {
    let validator = validator();
    for (name, text) in examples() {
        if let Err(error) = parse(&text, &name, 0) {
            panic!("{error}");
        }
        let instance: Value = toml::from_str(&text).unwrap();
        if let Err(error) = validator.validate(&instance) {
            panic!("{name}: {error} at {}", error.instance_path());
        }
    }
}

#[test]
fn every_property_has_a_description() {
    let schema = json_schema();
    let properties = schema["properties"].as_object().unwrap();
    for (key, property) in properties {
        let text = property["description"].as_str().unwrap_or_default();
        assert!(text.len() > 10, "{key}");
    }
    for (key, limit) in properties["limits"]["properties"].as_object().unwrap() {
        assert!(limit["description"].is_string(), "{key}");
        assert!(
            limit["default"] != Value::Null || key == "run_memory",
            "{key}"
        );
    }
}

#[test]
fn schema_and_reader_know_the_same_keys() {
    let schema = json_schema();
    // An unknown key makes the reader list the known ones.
    let keys = |text: &str| {
        let error = parse(text, "x.toml", 0).unwrap_err().to_string();
        let list = error.split("known are ").nth(1).expect("a list of keys");
        let list = list.lines().next().unwrap().to_owned();
        let mut keys: Vec<String> = list.split(", ").map(str::to_owned).collect();
        keys.sort();
        keys
    };
    let properties = |table: &Value| {
        let mut names: Vec<String> = table.as_object().unwrap().keys().cloned().collect();
        names.sort();
        names
    };
    let top = keys("version = 1\nqqqqqqqq = 1");
    assert_eq!(top, properties(&schema["properties"]));
    for table in ["limits", "snapshots"] {
        assert_eq!(
            keys(&format!("{}[{table}]\nqqqqqqqq = 1\n[space]", crate::HEAD)),
            properties(&schema["properties"][table]["properties"])
        );
    }
    for role in ["searcher", "scheduler"] {
        let table = &schema["properties"][role]["anyOf"][1]["properties"]["limits"];
        assert_eq!(
            keys(&format!(
                "{}[space]\n[{role}]\nplugin = \"a\"\n[{role}.limits]\nqqqqqqqq = 1",
                crate::HEAD
            )),
            properties(&table["properties"])
        );
    }
}

#[test]
fn the_schema_refuses_what_the_reader_refuses() {
    let validator = validator();
    let base = json!({
        "version": 1, "trainable": "t", "metric": "m", "mode": "max", "trials": 1,
        "space": { "lr": { "uniform": [0, 1], "when": { "o": ["sgd"] } }, "o": "sgd", "g": { "x": 1 } }
    });
    assert!(validator.is_valid(&base));
    for (pointer, wrong) in [
        ("/version", json!(2)),
        ("/mode", json!("maximum")),
        ("/trials", json!(0)),
        ("/space/lr", json!({ "uniform": [0, 1], "q": 1 })),
        ("/space/lr", json!({ "uniform": [0] })),
        ("/space/lr", json!({ "randint": [0.5, 1] })),
        ("/space/lr", json!({ "choice": [] })),
        ("/space/lr", json!({})),
        ("/space/lr", json!({ "uniform": [0, 1], "when": {} })),
        ("/unknown", json!(1)),
        ("/limits", json!({ "memory": "256 MB" })),
        ("/limits", json!({ "fuel": 1 })),
        ("/stop", json!({ "accuracy": "high" })),
        ("/slots", json!(0)),
        ("/searcher", json!({ "options": 1 })),
        (
            "/searcher",
            json!({ "plugin": "x", "limits": { "fuel_per_step": 1_000_000 } }),
        ),
        (
            "/scheduler",
            json!({ "plugin": "x", "limits": { "handles": 0 } }),
        ),
        ("/data", json!([{ "name": "x" }])),
        ("/snapshots", json!({ "keep": 0 })),
        ("/snapshots", json!({ "max_overhead": 1.5 })),
        ("/snapshots", json!({ "disk": "1 GB" })),
        (
            "/searcher",
            json!({ "plugin": "x", "lineage": { "run": "a", "trial": 0 } }),
        ),
        (
            "/scheduler",
            json!({ "plugin": "x", "lineage": { "run": "a" } }),
        ),
    ] {
        let mut instance = base.clone();
        let (table, key) = pointer.rsplit_once('/').unwrap();
        instance.pointer_mut(table).unwrap()[key] = wrong.clone();
        assert!(!validator.is_valid(&instance), "{pointer}: {wrong}");
        let text = instance.to_string();
        assert!(parse(&text, "x.json", 0).is_err(), "{pointer}: {wrong}");
    }
}

/// The reference of the file.
fn reference() -> String {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/experiment-file.md");
    std::fs::read_to_string(path).expect("docs/experiment-file.md")
}

#[test]
fn the_reference_explains_every_key() {
    let (schema, text) = (json_schema(), reference());
    let properties = schema["properties"].as_object().unwrap();
    let tables = [
        "space",
        "searcher",
        "scheduler",
        "stop",
        "limits",
        "data",
        "grants",
        "resources",
        "snapshots",
    ];
    for key in properties.keys() {
        let wanted = if tables.contains(&key.as_str()) {
            format!("[{key}]")
        } else {
            format!("| `{key}` |")
        };
        assert!(text.contains(&wanted), "{key}");
    }
    for table in ["grants", "resources", "snapshots"] {
        for key in properties[table]["properties"].as_object().unwrap().keys() {
            assert!(text.contains(&format!("| `{key}` |")), "{table}.{key}");
        }
    }
    for role in ["searcher", "scheduler"] {
        assert!(text.contains(&format!("[{role}.limits]")), "{role}");
        let own = &properties[role]["anyOf"][1]["properties"]["limits"];
        assert!(own["properties"].as_object().unwrap().len() > 10);
        // What stands there has no default of its own.
        assert!(!own.to_string().contains("\"default\""));
    }
    for entry in schema["$defs"]["entry"]["anyOf"].as_array().unwrap() {
        if let Some(name) = entry["required"][0].as_str() {
            assert!(text.contains(name), "{name}");
        }
    }
}

#[test]
fn the_reference_has_the_limits_of_the_code() {
    let (schema, text) = (json_schema(), reference());
    let number = |value: &Value| {
        let digits = value.to_string();
        let mut grouped = String::new();
        for (i, digit) in digits.chars().enumerate() {
            if i > 0 && (digits.len() - i).is_multiple_of(3) {
                grouped.push(',');
            }
            grouped.push(digit);
        }
        grouped
    };
    for (key, limit) in schema["properties"]["limits"]["properties"]
        .as_object()
        .unwrap()
    {
        let description = limit["description"].as_str().unwrap();
        let row = if let Some(low) = limit.get("minimum") {
            let (default, high) = (number(&limit["default"]), number(&limit["maximum"]));
            format!("| `{key}` | {default} | {} to {high} |", number(low))
        } else {
            // The range is the last sentence.
            let range = description
                .trim_end_matches('.')
                .rsplit(". ")
                .next()
                .unwrap();
            let default = limit["default"].as_str().unwrap_or("70 % of the machine");
            format!("| `{key}` | {default} | {range} |")
        };
        assert!(
            text.contains(&row),
            "expected in docs/experiment-file.md: {row}"
        );
    }
}

#[test]
fn the_example_of_the_reference_is_read() {
    let text = reference();
    let example = text
        .split("```toml\n")
        .nth(1)
        .unwrap()
        .split("```")
        .next()
        .unwrap();
    parse(example, "x.toml", 0).unwrap();
}
