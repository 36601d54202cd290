//! What is known when a plugin fails.

use serde::{Deserialize, Serialize};
use tune_space::FailureKind;

use crate::Usage;

/// A failed call into a plugin: who, doing what, of which kind, why, and what to do.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, thiserror::Error)]
#[error("{plugin} {version}: {operation}: {kind}: {message}")]
pub struct PluginFault {
    /// Name of the plugin.
    pub plugin: String,
    /// Its version, empty if it has no manifest.
    pub version: String,
    /// The function that was called, such as `step`.
    pub operation: String,
    /// What kind of failure it is.
    pub kind: FailureKind,
    /// One sentence.
    pub message: String,
    /// The chain of causes, outermost first.
    pub causes: Vec<String>,
    /// Guest frames, innermost first.
    pub backtrace: Vec<String>,
    /// The last lines that the guest logged, oldest first.
    pub last_log: Vec<String>,
    /// What to do about it.
    pub hint: String,
    /// What the instance had used when it failed.
    #[serde(default)]
    pub usage: Usage,
}

impl PluginFault {
    /// The whole story over several lines, for people.
    #[must_use]
    pub fn details(&self) -> String {
        let mut text = self.to_string();
        let mut section = |title: &str, lines: &[String]| {
            for (i, line) in lines.iter().enumerate() {
                if i == 0 {
                    text.push_str(&format!("\n  {title}:"));
                }
                text.push_str(&format!("\n    {line}"));
            }
        };
        section("caused by", &self.causes);
        section("guest backtrace", &self.backtrace);
        section("last log lines", &self.last_log);
        if !self.hint.is_empty() {
            text.push_str(&format!("\n  hint: {}", self.hint));
        }
        text
    }
}
