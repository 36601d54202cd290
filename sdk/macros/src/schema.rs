//! The JSON Schema of an options struct, as text. Properties in the order of the fields.

use crate::field::{Kind, OptionField, Shape};

/// The schema of an object with these fields and no others.
pub(crate) fn of(fields: &[OptionField]) -> String {
    let properties: Vec<String> = fields
        .iter()
        .map(|field| format!("{}:{}", quoted(&field.name), property(field)))
        .collect();
    format!(
        r#"{{"type":"object","properties":{{{}}},"additionalProperties":false}}"#,
        properties.join(",")
    )
}

fn property(field: &OptionField) -> String {
    let value = value(field);
    let mut parts = match field.shape {
        Shape::Many => vec![
            r#""type":"array""#.to_owned(),
            format!(r#""items":{{{value}}}"#),
        ],
        Shape::One | Shape::Maybe => vec![value],
    };
    if let Some(default) = &field.default {
        parts.push(format!(r#""default":{default}"#));
    }
    parts.push(format!(r#""description":{}"#, quoted(&field.description)));
    format!("{{{}}}", parts.join(","))
}

/// What holds for each single value.
fn value(field: &OptionField) -> String {
    let name = match field.kind {
        Kind::Number => "number",
        Kind::Whole { .. } => "integer",
        Kind::Truth => "boolean",
        Kind::Text => "string",
    };
    let mut parts = vec![format!(r#""type":"{name}""#)];
    let bounded_below = field
        .bounds
        .iter()
        .any(|(k, _)| k.to_lowercase().ends_with("minimum"));
    if field.kind == (Kind::Whole { unsigned: true }) && !bounded_below {
        parts.push(r#""minimum":0"#.to_owned());
    }
    parts.extend(field.bounds.iter().map(|(k, v)| format!(r#""{k}":{v}"#)));
    if !field.one_of.is_empty() {
        parts.push(format!(r#""enum":[{}]"#, field.one_of.join(",")));
    }
    parts.join(",")
}

/// A JSON string.
pub(crate) fn quoted(text: &str) -> String {
    let mut json = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => json.extend(['\\', c]),
            c if c < ' ' => json.push_str(&format!("\\u{:04x}", u32::from(c))),
            c => json.push(c),
        }
    }
    json + "\""
}
