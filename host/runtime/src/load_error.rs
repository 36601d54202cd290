//! Why a file is not a plugin that this host can run.

/// A plugin that was refused, and what to do.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct LoadError {
    /// What kind of refusal it is.
    pub problem: LoadProblem,
    /// What is wrong, in one sentence.
    pub message: String,
    /// What to do about it.
    pub hint: String,
}

/// Kinds of refusal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LoadProblem {
    /// The file is not a component, is damaged, too large, or cannot be compiled.
    Load,
    /// It was built for another version of the contract.
    Version,
    /// It imports something that this host does not have.
    Import,
    /// It wants something that no plugin is granted.
    Grant,
    /// It is a component, but no plugin or not of the wanted kind.
    WrongKind,
}

impl LoadError {
    pub(crate) fn new(
        problem: LoadProblem,
        message: impl Into<String>,
        hint: impl Into<String>,
    ) -> Self {
        Self {
            problem,
            message: message.into(),
            hint: hint.into(),
        }
    }

    /// The same refusal with the name of the plugin in front.
    pub(crate) fn of(mut self, plugin: &str) -> Self {
        self.message = format!("{plugin}: {}", self.message);
        self
    }
}
