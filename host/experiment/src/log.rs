//! Where everything that is wrong with a file is collected while it is read.

use crate::diagnostic::{Diagnostic, Diagnostics, place};

/// Errors that are kept: nobody reads more, and a file can hold 100,000.
const MAX_ERRORS: usize = 50;

/// Collects errors by byte position.
#[derive(Debug, Default)]
pub(crate) struct Log {
    found: Vec<(usize, Diagnostic)>,
    left_out: usize,
}

impl Log {
    /// Notes an error at a byte of the text.
    pub(crate) fn error(
        &mut self,
        at: usize,
        key: &str,
        message: impl Into<String>,
        hint: impl Into<String>,
    ) {
        if self.found.len() == MAX_ERRORS {
            self.left_out += 1;
            return;
        }
        let diagnostic = Diagnostic {
            line: 1,
            column: 1,
            key: key.to_owned(),
            message: message.into(),
            hint: hint.into(),
        };
        self.found.push((at, diagnostic));
    }

    /// Nothing is wrong so far.
    pub(crate) fn is_empty(&self) -> bool {
        self.found.is_empty()
    }

    /// How many errors so far, to find out whether a part added some.
    pub(crate) fn count(&self) -> usize {
        self.found.len() + self.left_out
    }

    /// The candidate that was probably meant: differs in at most a third of its letters. None once
    /// the log is full, as a file can hold 100,000 misspelled names.
    pub(crate) fn nearest<'a>(
        &self,
        word: &str,
        candidates: impl IntoIterator<Item = &'a str>,
    ) -> Option<&'a str> {
        // The distance costs the product of the lengths; nobody misspells a longer word.
        const MAX_WORD: usize = 64;
        if word.len() > MAX_WORD || self.found.len() == MAX_ERRORS {
            return None;
        }
        let lower = word.to_lowercase();
        candidates
            .into_iter()
            .filter(|c| c.len() <= MAX_WORD)
            .map(|c| (strsim::osa_distance(&lower, &c.to_lowercase()), c))
            .filter(|(distance, c)| *distance <= (c.chars().count() / 3).max(1))
            .min_by_key(|(distance, _)| *distance)
            .map(|(_, c)| c)
    }

    /// All errors in the order of the file.
    pub(crate) fn finish(mut self, text: &str, file_name: &str) -> Diagnostics {
        self.found.sort_by_key(|(at, _)| *at);
        let mut all: Vec<Diagnostic> = Vec::with_capacity(self.found.len());
        for (at, mut diagnostic) in self.found {
            (diagnostic.line, diagnostic.column) = place(text, at);
            all.push(diagnostic);
        }
        if self.left_out > 0
            && let Some(last) = all.last_mut()
        {
            last.hint
                .push_str(&format!(" ({} more errors are not shown)", self.left_out));
        }
        Diagnostics {
            file_name: file_name.to_owned(),
            text: text.to_owned(),
            all,
        }
    }
}
