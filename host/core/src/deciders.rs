//! The searcher and the scheduler as the engine sees them, and three ways to answer for them: by
//! the plugins, from the journal, and by both with every answer compared.

use std::collections::VecDeque;

use tune_space::{
    Action, Config, Creation, Failure, FailureKind, Observation, Outcome, Report, Suggestion,
    TrialId, TrialState, Turn,
};

use crate::{Answer, Stop};

/// Calls into the searcher and the scheduler of a run, documented in the WIT.
///
/// # Errors
/// Every method: a failed plugin stops the run.
#[expect(
    missing_docs,
    reason = "each is documented in wit/searcher.wit and wit/scheduler.wit"
)]
pub trait Deciders {
    fn seed_with(&mut self, known: &[Observation]) -> Result<(), Stop>;
    fn suggest(
        &mut self,
        trial: TrialId,
        pinned: &Config,
    ) -> Result<Result<Suggestion, Failure>, Stop>;
    fn observe(&mut self, trial: TrialId, report: &Report, state: TrialState) -> Result<(), Stop>;
    fn complete(&mut self, trial: TrialId, outcome: &Outcome) -> Result<(), Stop>;
    fn regret_bound(&mut self) -> Result<Option<f64>, Stop>;
    fn on_add(&mut self, trial: TrialId, config: &Config) -> Result<Vec<Action>, Stop>;
    fn on_result(&mut self, trial: TrialId, report: &Report) -> Result<Vec<Action>, Stop>;
    fn on_complete(&mut self, trial: TrialId, last: Option<&Report>) -> Result<Vec<Action>, Stop>;
    fn on_error(
        &mut self,
        trial: TrialId,
        kind: FailureKind,
        will_retry: bool,
    ) -> Result<Vec<Action>, Stop>;
    fn on_remove(&mut self, trial: TrialId) -> Result<Vec<Action>, Stop>;
    fn next_to_run(&mut self, creation: Creation) -> Result<Turn, Stop>;
    fn describe(&mut self) -> Result<String, Stop>;
}

/// Answers of an earlier run, in the order of the calls. It makes the engine fold a journal
/// without a plugin.
#[derive(Debug)]
pub struct Recorded {
    answers: VecDeque<Answer>,
}

impl Recorded {
    /// The answers of one entry.
    #[must_use]
    pub fn new(answers: &[Answer]) -> Self {
        Self {
            answers: answers.iter().cloned().collect(),
        }
    }

    /// Every answer was used.
    #[must_use]
    pub fn is_exhausted(&self) -> bool {
        self.answers.is_empty()
    }

    fn next(&mut self, call: &str) -> Result<Answer, Stop> {
        self.answers
            .pop_front()
            .ok_or_else(|| Stop::damaged(format!("the journal holds no answer of `{call}`")))
    }

    fn actions(&mut self, call: &str) -> Result<Vec<Action>, Stop> {
        match self.next(call)? {
            Answer::Actions(actions) => Ok(actions),
            other => Err(Stop::unexpected(call, &other)),
        }
    }
}

impl Deciders for Recorded {
    fn seed_with(&mut self, _: &[Observation]) -> Result<(), Stop> {
        Ok(())
    }

    fn suggest(&mut self, _: TrialId, _: &Config) -> Result<Result<Suggestion, Failure>, Stop> {
        match self.next("suggest")? {
            Answer::Suggested(suggestion) => Ok(suggestion),
            other => Err(Stop::unexpected("suggest", &other)),
        }
    }

    fn observe(&mut self, _: TrialId, _: &Report, _: TrialState) -> Result<(), Stop> {
        Ok(())
    }

    fn complete(&mut self, _: TrialId, _: &Outcome) -> Result<(), Stop> {
        Ok(())
    }

    fn regret_bound(&mut self) -> Result<Option<f64>, Stop> {
        match self.next("regret-bound")? {
            Answer::Bound(bound) => Ok(bound),
            other => Err(Stop::unexpected("regret-bound", &other)),
        }
    }

    fn on_add(&mut self, _: TrialId, _: &Config) -> Result<Vec<Action>, Stop> {
        self.actions("on-add")
    }

    fn on_result(&mut self, _: TrialId, _: &Report) -> Result<Vec<Action>, Stop> {
        self.actions("on-result")
    }

    fn on_complete(&mut self, _: TrialId, _: Option<&Report>) -> Result<Vec<Action>, Stop> {
        self.actions("on-complete")
    }

    fn on_error(&mut self, _: TrialId, _: FailureKind, _: bool) -> Result<Vec<Action>, Stop> {
        self.actions("on-error")
    }

    fn on_remove(&mut self, _: TrialId) -> Result<Vec<Action>, Stop> {
        self.actions("on-remove")
    }

    fn next_to_run(&mut self, _: Creation) -> Result<Turn, Stop> {
        match self.next("next-to-run")? {
            Answer::Turn(turn) => Ok(turn),
            other => Err(Stop::unexpected("next-to-run", &other)),
        }
    }

    fn describe(&mut self) -> Result<String, Stop> {
        match self.next("describe")? {
            Answer::Described(text) => Ok(text),
            other => Err(Stop::unexpected("describe", &other)),
        }
    }
}

/// Makes every call of an earlier run again and goes on with the journal's answers, each compared
/// with the one that the plugin gives now.
pub struct Checked<'a> {
    plugins: &'a mut dyn Deciders,
    recorded: Recorded,
    compares: bool,
}

impl<'a> Checked<'a> {
    /// The plugins, and the answers that they must give.
    pub fn new(plugins: &'a mut dyn Deciders, answers: &[Answer]) -> Self {
        Self {
            plugins,
            recorded: Recorded::new(answers),
            compares: true,
        }
    }

    /// The same for plugins that are others than those of the journal: they hear of everything, and
    /// what they answer does not matter.
    pub fn without_comparing(plugins: &'a mut dyn Deciders, answers: &[Answer]) -> Self {
        Self {
            compares: false,
            ..Self::new(plugins, answers)
        }
    }

    /// The journal's answer, if the plugin gave it again.
    fn same<T: PartialEq + std::fmt::Debug>(
        &self,
        call: &str,
        journal: T,
        again: &T,
    ) -> Result<T, Stop> {
        if !self.compares || journal == *again {
            Ok(journal)
        } else {
            Err(Stop::Nondeterministic {
                call: call.to_owned(),
                journal: format!("{journal:?}"),
                again: format!("{again:?}"),
            })
        }
    }
}

impl Deciders for Checked<'_> {
    fn seed_with(&mut self, known: &[Observation]) -> Result<(), Stop> {
        self.plugins.seed_with(known)
    }

    fn suggest(
        &mut self,
        trial: TrialId,
        pinned: &Config,
    ) -> Result<Result<Suggestion, Failure>, Stop> {
        let again = self.plugins.suggest(trial, pinned)?;
        let journal = self.recorded.suggest(trial, pinned)?;
        self.same("suggest", journal, &again)
    }

    fn observe(&mut self, trial: TrialId, report: &Report, state: TrialState) -> Result<(), Stop> {
        self.plugins.observe(trial, report, state)
    }

    fn complete(&mut self, trial: TrialId, outcome: &Outcome) -> Result<(), Stop> {
        self.plugins.complete(trial, outcome)
    }

    fn regret_bound(&mut self) -> Result<Option<f64>, Stop> {
        let again = sound(self.plugins.regret_bound()?);
        let journal = self.recorded.regret_bound()?;
        self.same("regret-bound", journal, &again)
    }

    fn on_add(&mut self, trial: TrialId, config: &Config) -> Result<Vec<Action>, Stop> {
        let again = self.plugins.on_add(trial, config)?;
        let journal = self.recorded.on_add(trial, config)?;
        self.same("on-add", journal, &again)
    }

    fn on_result(&mut self, trial: TrialId, report: &Report) -> Result<Vec<Action>, Stop> {
        let again = self.plugins.on_result(trial, report)?;
        let journal = self.recorded.on_result(trial, report)?;
        self.same("on-result", journal, &again)
    }

    fn on_complete(&mut self, trial: TrialId, last: Option<&Report>) -> Result<Vec<Action>, Stop> {
        let again = self.plugins.on_complete(trial, last)?;
        let journal = self.recorded.on_complete(trial, last)?;
        self.same("on-complete", journal, &again)
    }

    fn on_error(
        &mut self,
        trial: TrialId,
        kind: FailureKind,
        will_retry: bool,
    ) -> Result<Vec<Action>, Stop> {
        let again = self.plugins.on_error(trial, kind, will_retry)?;
        let journal = self.recorded.on_error(trial, kind, will_retry)?;
        self.same("on-error", journal, &again)
    }

    fn on_remove(&mut self, trial: TrialId) -> Result<Vec<Action>, Stop> {
        let again = self.plugins.on_remove(trial)?;
        let journal = self.recorded.on_remove(trial)?;
        self.same("on-remove", journal, &again)
    }

    fn next_to_run(&mut self, creation: Creation) -> Result<Turn, Stop> {
        let again = self.plugins.next_to_run(creation)?;
        let journal = self.recorded.next_to_run(creation)?;
        self.same("next-to-run", journal, &again)
    }

    fn describe(&mut self) -> Result<String, Stop> {
        let again = self.plugins.describe()?;
        let journal = self.recorded.describe()?;
        self.same("describe", journal, &again)
    }
}

/// A bound on regret is a finite number of 0 or more; everything else says nothing.
fn sound(bound: Option<f64>) -> Option<f64> {
    bound.filter(|bound| bound.is_finite() && *bound >= 0.0)
}

/// Passes calls on and notes the answers for the journal.
pub(crate) struct Recorder<'a> {
    inner: &'a mut dyn Deciders,
    pub(crate) answers: Vec<Answer>,
}

impl<'a> Recorder<'a> {
    pub(crate) fn new(inner: &'a mut dyn Deciders) -> Self {
        Self {
            inner,
            answers: Vec::new(),
        }
    }

    fn actions(&mut self, answer: Vec<Action>) -> Vec<Action> {
        self.answers.push(Answer::Actions(answer.clone()));
        answer
    }
}

impl Deciders for Recorder<'_> {
    fn seed_with(&mut self, known: &[Observation]) -> Result<(), Stop> {
        self.inner.seed_with(known)
    }

    fn suggest(
        &mut self,
        trial: TrialId,
        pinned: &Config,
    ) -> Result<Result<Suggestion, Failure>, Stop> {
        let answer = self.inner.suggest(trial, pinned)?;
        self.answers.push(Answer::Suggested(answer.clone()));
        Ok(answer)
    }

    fn observe(&mut self, trial: TrialId, report: &Report, state: TrialState) -> Result<(), Stop> {
        self.inner.observe(trial, report, state)
    }

    fn complete(&mut self, trial: TrialId, outcome: &Outcome) -> Result<(), Stop> {
        self.inner.complete(trial, outcome)
    }

    fn regret_bound(&mut self) -> Result<Option<f64>, Stop> {
        let answer = sound(self.inner.regret_bound()?);
        self.answers.push(Answer::Bound(answer));
        Ok(answer)
    }

    fn on_add(&mut self, trial: TrialId, config: &Config) -> Result<Vec<Action>, Stop> {
        let answer = self.inner.on_add(trial, config)?;
        Ok(self.actions(answer))
    }

    fn on_result(&mut self, trial: TrialId, report: &Report) -> Result<Vec<Action>, Stop> {
        let answer = self.inner.on_result(trial, report)?;
        Ok(self.actions(answer))
    }

    fn on_complete(&mut self, trial: TrialId, last: Option<&Report>) -> Result<Vec<Action>, Stop> {
        let answer = self.inner.on_complete(trial, last)?;
        Ok(self.actions(answer))
    }

    fn on_error(
        &mut self,
        trial: TrialId,
        kind: FailureKind,
        will_retry: bool,
    ) -> Result<Vec<Action>, Stop> {
        let answer = self.inner.on_error(trial, kind, will_retry)?;
        Ok(self.actions(answer))
    }

    fn on_remove(&mut self, trial: TrialId) -> Result<Vec<Action>, Stop> {
        let answer = self.inner.on_remove(trial)?;
        Ok(self.actions(answer))
    }

    fn next_to_run(&mut self, creation: Creation) -> Result<Turn, Stop> {
        let answer = self.inner.next_to_run(creation)?;
        self.answers.push(Answer::Turn(answer.clone()));
        Ok(answer)
    }

    fn describe(&mut self) -> Result<String, Stop> {
        let answer = self.inner.describe()?;
        self.answers.push(Answer::Described(answer.clone()));
        Ok(answer)
    }
}
