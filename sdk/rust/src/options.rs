//! Options of searchers and schedulers: a struct, from which the JSON Schema of the manifest comes,
//! so that the host refuses wrong options before any code of the plugin runs.

use serde::{Deserialize, de::DeserializeOwned};
use tune_space::OptionError;

/// Options of a plugin. Implemented by [`macro@crate::options`].
pub trait PluginOptions: DeserializeOwned + Default {
    /// JSON Schema: an object with a type, default, range and description for every option.
    const SCHEMA: &'static str;
}

/// For a plugin without options.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NoOptions {}

impl PluginOptions for NoOptions {
    const SCHEMA: &'static str =
        r#"{"type":"object","properties":{},"additionalProperties":false}"#;
}

/// Reads the options of a [`tune_space::Setup`]; empty text counts as no options.
///
/// # Errors
/// One [`OptionError`] that names the option. (Ranges are checked by the host, by the schema.)
pub fn parse_options<O: PluginOptions>(json: &str) -> Result<O, Vec<OptionError>> {
    if json.trim().is_empty() {
        return Ok(O::default());
    }
    serde_path_to_error::deserialize(&mut serde_json::Deserializer::from_str(json)).map_err(
        |error| {
            vec![OptionError {
                key: error.path().to_string(),
                message: error.inner().to_string(),
                hint: "`tune-host plugin inspect` lists the options of a plugin".to_owned(),
            }]
        },
    )
}
