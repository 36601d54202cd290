//! What a plugin says of itself in its custom section `tune:manifest`. Information for people and
//! plans; it is never trusted for anything that a limit or a grant decides.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use tune_core::records::OptionError;

use crate::from_guest::message;
use crate::load_error::{LoadError, LoadProblem};
use crate::options;

/// A plugin's description of itself. Everything may be missing.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Manifest {
    /// The name that it was given by its author.
    pub name: String,
    /// Its version.
    pub version: String,
    /// What it does, in one sentence.
    pub summary: String,
    /// Its licence.
    pub licence: String,
    /// Grants that it asks for.
    pub grants: Vec<String>,
    /// Parameters that a trainable can change in mid-training.
    pub mutable_parameters: Vec<String>,
    /// JSON Schema of its options: an object.
    pub options: Value,
    /// A scheduler that pauses trials.
    pub pauses: bool,
    /// A scheduler that clones trials, a searcher that starts trials from states of others.
    pub clones: bool,
    /// A scheduler that changes configurations.
    pub changes_config: bool,
    /// A searcher that learns from results.
    pub learns: bool,
    /// A searcher that bounds the regret of the best result.
    pub bounds_regret: bool,
    /// A searcher that gives trials budgets of their own.
    pub budgets: bool,
    /// No result can change what it answers: it is told none. A plugin that does not say so is told all.
    pub ignores_results: bool,
}

impl Default for Manifest {
    fn default() -> Self {
        Self {
            name: String::new(),
            version: String::new(),
            summary: String::new(),
            licence: String::new(),
            grants: Vec::new(),
            mutable_parameters: Vec::new(),
            // Without a schema nothing is known of the options, so none is refused by the host.
            options: Value::Object(Map::new()),
            pauses: false,
            clones: false,
            changes_config: false,
            learns: false,
            bounds_regret: false,
            budgets: false,
            ignores_results: false,
        }
    }
}

impl Manifest {
    /// Reads the sections of a component, of which there may be one.
    pub(crate) fn read(sections: &[Vec<u8>]) -> Result<Self, LoadError> {
        let hint = "build the plugin with the export macro of the SDK, which writes the manifest";
        let json = match sections {
            [] => return Ok(Self::default()),
            [one] => one,
            many => {
                let message = format!("the component has {} manifests", many.len());
                return Err(LoadError::new(LoadProblem::Load, message, hint));
            }
        };
        // Nesting is bounded by serde_json (128 levels).
        let mut manifest: Self = serde_json::from_slice(json).map_err(|e| {
            LoadError::new(
                LoadProblem::Load,
                format!("the manifest is not readable: {e}"),
                hint,
            )
        })?;
        if !manifest.options.is_object() {
            let message = "the manifest's `options` is no JSON Schema of an object";
            return Err(LoadError::new(LoadProblem::Load, message, hint));
        }
        manifest.clean();
        Ok(manifest)
    }

    /// What is shown to people must not command their terminal.
    fn clean(&mut self) {
        let texts = [
            &mut self.name,
            &mut self.version,
            &mut self.summary,
            &mut self.licence,
        ];
        let lists = [&mut self.grants, &mut self.mutable_parameters];
        for text in texts.into_iter().chain(lists.into_iter().flatten()) {
            *text = message(text);
        }
    }

    /// Checks options against the schema and fills in defaults.
    ///
    /// # Errors
    /// Every option that is unknown or wrong.
    pub fn check_options(
        &self,
        given: &Map<String, Value>,
    ) -> Result<Map<String, Value>, Vec<OptionError>> {
        options::check(&self.options, given)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_manifest_may_leave_out_everything() {
        assert_eq!(Manifest::read(&[]).unwrap(), Manifest::default());
        assert_eq!(
            Manifest::read(&[b"{}".to_vec()]).unwrap(),
            Manifest::default()
        );
        let read = Manifest::read(&[br#"{"name":"tpe","learns":true,"new":1}"#.to_vec()]).unwrap();
        assert_eq!((read.name.as_str(), read.learns), ("tpe", true));
        assert!(!read.ignores_results);
    }

    #[test]
    fn texts_for_people_lose_control_characters() {
        let read = Manifest::read(&[br#"{"summary":"a\u001b[2Jb","grants":["x\ny"]}"#.to_vec()]);
        let read = read.unwrap();
        assert_eq!(
            (read.summary.as_str(), read.grants[0].as_str()),
            ("a [2Jb", "x y")
        );
    }

    #[test]
    fn a_broken_manifest_is_refused() {
        let deep = [vec![b'['; 10_000], vec![b']'; 10_000]].concat();
        for sections in [
            vec![b"{".to_vec()],
            vec![b"\xff".to_vec()],
            vec![br#"{"options":[]}"#.to_vec()],
            vec![deep],
            vec![b"{}".to_vec(), b"{}".to_vec()],
        ] {
            assert_eq!(
                Manifest::read(&sections).unwrap_err().problem,
                LoadProblem::Load
            );
        }
    }
}
