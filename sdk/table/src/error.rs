//! What is wrong with a table, and where.

/// Characters of a cell that a message repeats.
const SHOWN: usize = 60;

/// Something in a file of a table that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{file}:{line}:{column}: {message}\n  hint: {hint}")]
pub struct TableError {
    /// Name of the file within the table.
    pub file: String,
    /// From 1.
    pub line: u64,
    /// In characters, from 1.
    pub column: u64,
    /// What is wrong.
    pub message: String,
    /// What to do.
    pub hint: String,
}

impl TableError {
    pub(crate) fn new(
        file: &str,
        (line, column): (u64, u64),
        message: impl Into<String>,
        hint: impl Into<String>,
    ) -> Self {
        Self {
            file: file.to_owned(),
            line,
            column,
            message: message.into(),
            hint: hint.into(),
        }
    }
}

/// Text of a file as a message may repeat it: short and without control characters.
pub(crate) fn shown(text: &str) -> String {
    let clean = |c: char| if c.is_control() { ' ' } else { c };
    let mut short: String = text.chars().take(SHOWN).map(clean).collect();
    if text.chars().nth(SHOWN).is_some() {
        short.push_str("..");
    }
    short
}
