//! `schema`: the JSON Schema of experiment files, with the options of the built-in plugins, so that
//! editors complete them too.

use serde_json::{Map, Value, json};
use tune_runtime::{Inspection, PluginKind};

use crate::catalog::Catalog;
use crate::failure::{Failure, Verdict};
use crate::output;

pub(crate) fn schema() -> Result<Verdict, Failure> {
    let catalog = Catalog::built_in();
    let mut schema = tune_experiment::json_schema();
    for kind in PluginKind::ALL {
        let plugins: Vec<(&str, Inspection)> = catalog
            .candidates()
            .filter_map(|candidate| Some((candidate.name.as_str(), candidate.inspect().ok()?)))
            .filter(|(_, inspection)| inspection.kind == kind)
            .collect();
        let place = format!("/properties/{}", kind.name());
        let names: Vec<&str> = plugins.iter().map(|(name, _)| *name).collect();
        if let Some(entry) = schema.pointer_mut(&place) {
            name_plugins(entry, &names, &plugins);
        }
    }
    output::json(&schema)?;
    Ok(Verdict::Done)
}

/// Adds names as examples, and options to the form that is a table with `plugin`.
fn name_plugins(entry: &mut Value, names: &[&str], plugins: &[(&str, Inspection)]) {
    if let Some(entry) = entry.as_object_mut() {
        entry.insert("examples".to_owned(), json!(names));
    }
    let forms = entry.get_mut("anyOf").and_then(Value::as_array_mut);
    for form in forms.into_iter().flatten() {
        let Some(known) = form.get("properties").and_then(Value::as_object) else {
            continue;
        };
        let known: Vec<String> = known.keys().cloned().collect();
        let options: Vec<Value> = plugins
            .iter()
            .filter_map(|(name, inspection)| {
                let properties = inspection.manifest.options.get("properties")?.as_object()?;
                Some(options_of(name, properties, &known))
            })
            .collect();
        if let Some(form) = form.as_object_mut() {
            form.insert("allOf".to_owned(), options.into());
        }
    }
}

/// If it is this plugin, then these are its options.
fn options_of(name: &str, properties: &Map<String, Value>, known: &[String]) -> Value {
    let names: Vec<&String> = known.iter().chain(properties.keys()).collect();
    json!({
        "if": { "properties": { "plugin": { "const": name } }, "required": ["plugin"] },
        "then": { "properties": properties, "propertyNames": { "enum": names } },
    })
}
