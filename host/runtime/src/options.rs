//! Options of plugins against the part of JSON Schema that the SDK writes: an object of properties
//! with type, default, bounds, alternatives and items. Other keywords are left to the plugin.

use serde_json::{Map, Value};
use tune_core::records::OptionError;

use crate::from_guest::message;

/// Checks options and fills in defaults; every error is listed.
pub(crate) fn check(
    schema: &Value,
    given: &Map<String, Value>,
) -> Result<Map<String, Value>, Vec<OptionError>> {
    let Some(properties) = schema.get("properties").and_then(Value::as_object) else {
        return Ok(given.clone());
    };
    let closed = schema.get("additionalProperties") == Some(&Value::Bool(false));
    let required = schema.get("required").and_then(Value::as_array);
    let mut errors = Vec::new();
    let mut filled = given.clone();
    for (key, value) in given {
        match properties.get(key) {
            Some(property) => {
                if let Err(message) = check_value(property, value) {
                    errors.push(OptionError {
                        key: key.clone(),
                        message: format!("{message}, not {value}"),
                        hint: describe(key, property),
                    });
                }
            }
            None if closed => errors.push(OptionError {
                key: key.clone(),
                message: "there is no such option".to_owned(),
                hint: near(key, properties),
            }),
            None => {}
        }
    }
    for (key, property) in properties {
        if given.contains_key(key) {
            continue;
        }
        if let Some(default) = property.get("default") {
            filled.insert(key.clone(), default.clone());
        } else if required.is_some_and(|r| r.iter().any(|name| name == key)) {
            errors.push(OptionError {
                key: key.clone(),
                message: "it must be given".to_owned(),
                hint: describe(key, property),
            });
        }
    }
    if errors.is_empty() {
        Ok(filled)
    } else {
        Err(errors)
    }
}

/// The alternatives to an unknown option.
fn near(key: &str, properties: &Map<String, Value>) -> String {
    let nearest = properties
        .keys()
        .map(|name| (strsim::jaro_winkler(key, name), name))
        .max_by(|a, b| a.0.total_cmp(&b.0));
    // Below this, names share no more than a few letters.
    const ALIKE: f64 = 0.8;
    match nearest {
        None => "this plugin has no options".to_owned(),
        Some((likeness, name)) if likeness >= ALIKE => format!("did you mean `{name}`?"),
        Some(_) => {
            let names: Vec<_> = properties.keys().map(String::as_str).collect();
            format!("options of this plugin: {}", names.join(", "))
        }
    }
}

/// What the schema says of an option.
fn describe(key: &str, property: &Value) -> String {
    match property.get("description").and_then(Value::as_str) {
        Some(description) => message(&format!("`{key}`: {description}")),
        None => format!("see `{key}` in `tune-host plugin inspect`"),
    }
}

/// What is wrong with a value, as "it must be ...".
fn check_value(property: &Value, value: &Value) -> Result<(), String> {
    check_type(property, value)?;
    if let Some(alternatives) = property.get("enum").and_then(Value::as_array)
        && !alternatives.contains(value)
    {
        let names: Vec<_> = alternatives.iter().map(Value::to_string).collect();
        return Err(format!("it must be one of {}", names.join(", ")));
    }
    if let Some(number) = value.as_f64() {
        let bound = |name: &str| property.get(name).and_then(Value::as_f64);
        let broken = [
            (
                "minimum",
                "at least",
                bound("minimum").is_some_and(|b| number < b),
            ),
            (
                "maximum",
                "at most",
                bound("maximum").is_some_and(|b| number > b),
            ),
            (
                "exclusiveMinimum",
                "above",
                bound("exclusiveMinimum").is_some_and(|b| number <= b),
            ),
            (
                "exclusiveMaximum",
                "below",
                bound("exclusiveMaximum").is_some_and(|b| number >= b),
            ),
        ];
        for (keyword, words, broken) in broken {
            if broken && let Some(limit) = property.get(keyword) {
                return Err(format!("it must be {words} {limit}"));
            }
        }
    }
    if let (Some(items), Some(values)) = (property.get("items"), value.as_array()) {
        for (index, value) in values.iter().enumerate() {
            // One level: the SDK writes no lists of lists.
            if !items.get("items").is_some_and(Value::is_object) {
                check_value(items, value).map_err(|e| format!("in item {index}: {e}"))?;
            }
        }
    }
    Ok(())
}

fn check_type(property: &Value, value: &Value) -> Result<(), String> {
    let fits = |name: &str| match name {
        "number" => value.is_number(),
        "integer" => {
            value.is_i64() || value.is_u64() || value.as_f64().is_some_and(|x| x.fract() == 0.0)
        }
        "boolean" => value.is_boolean(),
        "string" => value.is_string(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        "null" => value.is_null(),
        // A type of a later schema: the plugin's affair.
        _ => true,
    };
    let names: Vec<&str> = match property.get("type") {
        Some(Value::String(name)) => vec![name],
        Some(Value::Array(names)) => names.iter().filter_map(Value::as_str).collect(),
        _ => return Ok(()),
    };
    if names.is_empty() || names.iter().any(|name| fits(name)) {
        return Ok(());
    }
    Err(format!("it must be of type {}", names.join(" or ")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn schema() -> Value {
        json!({
            "type": "object",
            "additionalProperties": false,
            "properties": {
                "gamma": {"type": "number", "exclusiveMinimum": 0, "maximum": 1, "default": 0.25,
                          "description": "share of good trials"},
                "startup": {"type": "integer", "minimum": 1, "default": 10},
                "mode": {"type": "string", "enum": ["a", "b"], "default": "a"},
                "levels": {"type": "array", "items": {"type": "integer", "minimum": 0}}
            }
        })
    }

    fn checked(given: Value) -> Result<Map<String, Value>, Vec<OptionError>> {
        check(&schema(), given.as_object().unwrap())
    }

    #[test]
    fn defaults_are_filled_in_and_given_values_kept() {
        let filled = checked(json!({"gamma": 0.5, "levels": [1, 2]})).unwrap();
        let expected = json!({"gamma": 0.5, "startup": 10, "mode": "a", "levels": [1, 2]});
        assert_eq!(Value::Object(filled.clone()), expected);
        assert_eq!(checked(Value::Object(filled.clone())).unwrap(), filled);
    }

    #[test]
    fn every_wrong_option_is_named_with_what_would_be_right() {
        for (given, key, message) in [
            (json!({"gamma": 0}), "gamma", "it must be above 0, not 0"),
            (
                json!({"gamma": 1.5}),
                "gamma",
                "it must be at most 1, not 1.5",
            ),
            (
                json!({"gamma": "x"}),
                "gamma",
                "it must be of type number, not \"x\"",
            ),
            (
                json!({"startup": 1.5}),
                "startup",
                "it must be of type integer, not 1.5",
            ),
            (
                json!({"startup": 0}),
                "startup",
                "it must be at least 1, not 0",
            ),
            (
                json!({"mode": "c"}),
                "mode",
                "it must be one of \"a\", \"b\", not \"c\"",
            ),
            (
                json!({"levels": [0, -1]}),
                "levels",
                "in item 1: it must be at least 0, not [0,-1]",
            ),
            (
                json!({"levels": 3}),
                "levels",
                "it must be of type array, not 3",
            ),
        ] {
            let errors = checked(given).unwrap_err();
            assert_eq!(
                (errors[0].key.as_str(), errors[0].message.as_str()),
                (key, message)
            );
        }
        assert_eq!(
            checked(json!({"gamma": 0, "startup": 0, "nonsense": 1}))
                .unwrap_err()
                .len(),
            3
        );
    }

    #[test]
    fn an_unknown_option_names_the_near_one_or_all() {
        let hint = |given| checked(given).unwrap_err()[0].hint.clone();
        assert_eq!(hint(json!({"gama": 1})), "did you mean `gamma`?");
        let all = "options of this plugin: gamma, levels, mode, startup";
        assert_eq!(hint(json!({"xyz": 1})), all);
    }

    #[test]
    fn without_a_schema_nothing_is_refused() {
        let given = json!({"x": 1});
        let filled = check(&json!({}), given.as_object().unwrap()).unwrap();
        assert_eq!(Value::Object(filled), given);
    }
}
