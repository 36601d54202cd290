//! How a command ends: the meaning of the exit codes. `main` turns them into numbers, nobody else.

use std::error::Error;
use std::fmt::Write as _;
use std::io;

use tune_report::clean;

/// A command did what it was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// All is well.
    Done,
    /// The run came to its end, but some trials failed.
    SomeFailed,
    /// What was done again came out differently.
    Different,
    /// The run stopped before its end and can be resumed.
    Resumable,
}

impl Verdict {
    /// As a process exit code.
    pub(crate) fn code(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::SomeFailed | Self::Different => 1,
            Self::Resumable => 4,
        }
    }
}

/// Why a command could not do what it was asked for.
#[derive(Debug)]
pub(crate) struct Failure {
    kind: FailureKind,
    error: anyhow::Error,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum FailureKind {
    Usage,
    PluginRejected,
    Resumable,
}

impl<E: Into<anyhow::Error>> From<E> for Failure {
    fn from(error: E) -> Self {
        Self {
            kind: FailureKind::Usage,
            error: error.into(),
        }
    }
}

impl Failure {
    /// Wrong usage or a wrong file.
    pub(crate) fn usage(message: impl Into<String>) -> Self {
        anyhow::Error::msg(message.into()).into()
    }

    /// A plugin cannot be used.
    pub(crate) fn rejected(error: impl Into<anyhow::Error>) -> Self {
        Self {
            kind: FailureKind::PluginRejected,
            error: error.into(),
        }
    }

    /// A run stopped before its end and can be resumed.
    pub(crate) fn resumable(error: impl Into<anyhow::Error>) -> Self {
        Self {
            kind: FailureKind::Resumable,
            error: error.into(),
        }
    }

    /// As a process exit code.
    pub(crate) fn code(&self) -> u8 {
        match self.kind {
            FailureKind::Usage => 2,
            FailureKind::PluginRejected => 3,
            FailureKind::Resumable => 4,
        }
    }

    /// Whoever read the output has gone away: `tune-host show x | head`.
    pub(crate) fn is_broken_pipe(&self) -> bool {
        self.error.chain().any(|cause| {
            cause
                .downcast_ref::<io::Error>()
                .is_some_and(|e| e.kind() == io::ErrorKind::BrokenPipe)
        })
    }

    /// The message and its causes, for people, harmless to a terminal.
    pub(crate) fn message(&self) -> String {
        message_of(self.error.as_ref())
    }
}

/// A message and its causes over several lines. Causes that the message quotes are left out.
pub(crate) fn message_of(error: &(dyn Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let message = error.to_string();
        if !text.contains(&message) {
            // Writing to a string cannot fail.
            let _ = write!(text, "\n  caused by: {message}");
        }
        cause = error.source();
    }
    let lines: Vec<_> = text.lines().map(clean).collect();
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_harmless_and_name_each_cause_once() {
        let inner = io::Error::other("disk \u{1b}[31mon fire");
        let error = anyhow::Error::new(inner).context("reading");
        let failure = Failure::from(error);
        assert_eq!(
            failure.message(),
            "reading\n  caused by: disk \u{fffd}[31mon fire"
        );
        let quoted = Failure::usage("reading: gone\n  hint: look");
        assert_eq!(quoted.message(), "reading: gone\n  hint: look");
    }

    #[test]
    fn a_reader_that_goes_away_is_told_apart() {
        let broken = io::Error::from(io::ErrorKind::BrokenPipe);
        assert!(Failure::from(anyhow::Error::new(broken).context("printing")).is_broken_pipe());
        assert!(!Failure::usage("no").is_broken_pipe());
    }
}
