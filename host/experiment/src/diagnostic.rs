//! What is wrong with an experiment file, where, and what would be right; and how that is shown.
//! Text from the file is shown without its control characters: a file must not drive a terminal.

use std::fmt;

/// Longest message or hint that is shown, in characters; a message quotes keys of any length.
const MAX_MESSAGE: usize = 600;
/// Widest part of a source line that is shown.
const MAX_SHOWN: usize = 100;

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// Line, from 1.
    pub line: usize,
    /// Column in characters, from 1.
    pub column: usize,
    /// Dotted path of the key, such as `scheduler.grace_period` or `data[0].path`; empty for the
    /// file as a whole.
    pub key: String,
    /// What is wrong.
    pub message: String,
    /// What would be right; may be empty.
    pub hint: String,
}

/// All that is wrong with one file, never empty, in the order of its lines.
///
/// Shown as `file:line:column: message`, the source line with a caret, and the hint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostics {
    /// Where the text comes from.
    pub file_name: String,
    /// The text of the file.
    pub text: String,
    /// What is wrong.
    pub all: Vec<Diagnostic>,
}

impl std::error::Error for Diagnostics {}

impl fmt::Display for Diagnostics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, one) in self.all.iter().enumerate() {
            if i > 0 {
                f.write_str("\n\n")?;
            }
            let file = printable(&self.file_name, MAX_MESSAGE);
            let message = printable(&one.message, MAX_MESSAGE);
            write!(f, "{file}:{}:{}: {message}", one.line, one.column)?;
            if let Some(line) = self.text.lines().nth(one.line.saturating_sub(1)) {
                excerpt(f, line, one)?;
            }
            if !one.hint.is_empty() {
                write!(f, "\n  hint: {}", printable(&one.hint, MAX_MESSAGE))?;
            }
        }
        Ok(())
    }
}

/// The source line with a caret under the column; of a long line the part around it.
fn excerpt(f: &mut fmt::Formatter<'_>, line: &str, one: &Diagnostic) -> fmt::Result {
    let column = one.column.saturating_sub(1);
    let skipped = if column < MAX_SHOWN {
        0
    } else {
        column - MAX_SHOWN / 2
    };
    let rest: String = line.chars().skip(skipped).take(MAX_SHOWN).collect();
    let number = one.line.to_string();
    let caret = " ".repeat(column - skipped);
    write!(
        f,
        "\n  {number} | {}\n  {} | {caret}^",
        printable(rest.trim_end(), MAX_SHOWN),
        " ".repeat(number.len())
    )
}

/// At most so many characters, control characters as spaces.
fn printable(text: &str, most: usize) -> String {
    let mut shown: String = text
        .chars()
        .take(most)
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect();
    if text.chars().nth(most).is_some() {
        shown.push_str("...");
    }
    shown
}

/// Line and column of a byte of the text, both from 1; a byte past its end is moved there.
pub(crate) fn place(text: &str, at: usize) -> (usize, usize) {
    let mut at = at.min(text.len());
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    let before = text.get(..at).unwrap_or_default();
    let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
    let line = before.matches('\n').count() + 1;
    let column = before.get(line_start..).unwrap_or_default().chars().count() + 1;
    (line, column)
}
