//! What of usage is in the journal already: a row says only what is greater than all before it in
//! this process, so that a run whose trials are alike writes little.

use std::collections::BTreeMap;

use tune_core::records::TrialId;
use tune_core::{CallUsage, RowUsage, Usage};

/// What of usage was written.
#[derive(Debug, Default)]
pub(crate) struct UsageBook {
    trials: BTreeMap<TrialId, Usage>,
    searcher: CallUsage,
    scheduler: CallUsage,
}

impl UsageBook {
    /// What the next row says.
    pub(crate) fn row(
        &mut self,
        step: Option<(TrialId, Usage)>,
        [searcher, scheduler]: [CallUsage; 2],
    ) -> RowUsage {
        RowUsage {
            trial: step.and_then(|(trial, now)| {
                let most = self.trials.entry(trial).or_default();
                most.raise(&now).then_some(*most)
            }),
            searcher: self.searcher.raise(&searcher).then_some(searcher),
            scheduler: self.scheduler.raise(&scheduler).then_some(scheduler),
        }
    }

    /// The trial has ended.
    pub(crate) fn forget(&mut self, trial: TrialId) {
        self.trials.remove(&trial);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_says_only_what_is_greater_than_before() {
        let mut book = UsageBook::default();
        let step = |memory_bytes, handles| {
            Some((
                3,
                Usage {
                    memory_bytes,
                    handles,
                    ..Usage::default()
                },
            ))
        };
        let call = |fuel| CallUsage {
            fuel,
            ..CallUsage::default()
        };
        let first = book.row(step(10, 0), [call(1), call(0)]);
        assert_eq!(first.trial.unwrap().memory_bytes, 10);
        assert_eq!((first.searcher, first.scheduler), (Some(call(1)), None));
        let same = book.row(step(10, 0), [call(1), call(0)]);
        assert_eq!(same, RowUsage::default());
        let more = book.row(step(5, 2), [call(1), call(4)]).trial.unwrap();
        assert_eq!((more.memory_bytes, more.handles), (10, 2));
        book.forget(3);
        let again = book.row(step(5, 0), [call(1), call(4)]);
        assert_eq!(again.trial.unwrap().memory_bytes, 5);
    }
}
