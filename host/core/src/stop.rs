//! Why a run cannot go on. All of them leave the journal as it was before the handover: resumable.

use tune_space::TrialId;

use crate::{Answer, PluginFault};

/// Why a run stops before its end.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Stop {
    /// The searcher or the scheduler failed.
    #[error("{}", .0.details())]
    Plugin(Box<PluginFault>),
    /// A call that is made again was answered differently.
    #[error(
        "nondeterministic plugin: `{call}` answered {again}, but the journal says {journal}\n  hint: \
         the plugin must draw randomness from its seed alone and must be the build that began the run"
    )]
    Nondeterministic {
        /// Which call.
        call: String,
        /// The first answer.
        journal: String,
        /// The answer now.
        again: String,
    },
    /// A replayed step of a trial differs from the journal.
    #[error(
        "nondeterministic plugin: step {step} of trial {trial} reported {again}, but the journal \
         says otherwise\n  hint: a trainable must draw randomness from its seed alone"
    )]
    NondeterministicTrial {
        /// Whose.
        trial: TrialId,
        /// Which step, from 1.
        step: u64,
        /// What it reported now.
        again: String,
    },
    /// Nothing runs and nothing will.
    #[error("deadlock: {0}")]
    Deadlock(String),
    /// The searcher gave several bad answers in a row.
    #[error(
        "the searcher `{searcher}` gave {count} bad suggestions in a row, the last one for trial \
         {trial}: {reason}"
    )]
    Rejected {
        /// Its name.
        searcher: String,
        /// How many.
        count: u32,
        /// For which trial.
        trial: TrialId,
        /// What is wrong with the last.
        reason: String,
    },
    /// The scheduler gave too many impossible actions.
    #[error(
        "the scheduler `{scheduler}` gave {count} actions that cannot be carried out, the last one: \
         {reason}"
    )]
    Illegal {
        /// Its name.
        scheduler: String,
        /// How many.
        count: u32,
        /// What is wrong with the last.
        reason: String,
    },
    /// A journal that does not fold, or an event that does not fit the state.
    #[error("the journal is damaged: {0}")]
    Damaged(String),
}

impl Stop {
    pub(crate) fn damaged(what: impl Into<String>) -> Self {
        Self::Damaged(what.into())
    }

    pub(crate) fn unexpected(call: &str, answer: &Answer) -> Self {
        Self::Damaged(format!("`{call}` has the answer {answer:?}"))
    }
}
