//! Colours, in the one place that knows their escape sequences.

/// How a piece of text stands out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    /// It does not.
    Plain,
    /// Titles and what matters most.
    Bold,
    /// What matters least.
    Dim,
    /// Good: finished, best.
    Green,
    /// Under way.
    Cyan,
    /// Ended early.
    Yellow,
    /// Failed.
    Red,
}

impl Style {
    /// The text in this style, if there are to be colours.
    #[must_use]
    pub fn paint(self, text: &str, color: bool) -> String {
        let code = match self {
            Self::Plain => return text.to_owned(),
            Self::Bold => "1",
            Self::Dim => "2",
            Self::Green => "32",
            Self::Cyan => "36",
            Self::Yellow => "33",
            Self::Red => "31",
        };
        if color && !text.is_empty() {
            format!("\u{1b}[{code}m{text}\u{1b}[0m")
        } else {
            text.to_owned()
        }
    }

    /// Of the state of a trial or a run, by its word.
    pub(crate) fn of_state(state: &str) -> Self {
        match state.split(' ').next() {
            Some("running") => Self::Cyan,
            Some("finished") => Self::Green,
            Some("stopped" | "paused" | "interrupted") => Self::Yellow,
            Some("failed") => Self::Red,
            _ => Self::Plain,
        }
    }
}
