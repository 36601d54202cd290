//! Usage put together from the rows of a journal: what the engine's events say, and what the
//! runtime measured beside them.

use tune_core::records::{Action, Config, Suggestion, Value};
use tune_core::{Answer, Entry, Event, RowUsage};

use crate::usage::{DeciderUse, TrialUse};

/// What was used up to some row.
#[derive(Clone, Debug, Default)]
pub struct UsageFold {
    trials: Vec<TrialUse>,
    /// Of the searcher.
    pub searcher: DeciderUse,
    /// Of the scheduler.
    pub scheduler: DeciderUse,
}

fn raise(most: &mut u64, now: usize) {
    *most = (*most).max(now as u64);
}

impl UsageFold {
    /// Takes the next row: what happened, how long the step took in microseconds, and what the
    /// runtime measured.
    pub fn take(&mut self, entry: &Entry, step_us: u64, measured: &RowUsage) {
        if let Some(trial) = entry.event.trial() {
            self.step(trial, &entry.event, step_us, measured);
        }
        if let Some(call) = &measured.searcher {
            self.searcher.call.raise(call);
        }
        if let Some(call) = &measured.scheduler {
            self.scheduler.call.raise(call);
        }
        for answer in &entry.answers {
            match answer {
                Answer::Suggested(Ok(Suggestion::Configure(proposal))) => {
                    self.searcher.configured(&proposal.config);
                }
                Answer::Actions(actions) => self.scheduler.acted(actions),
                Answer::Turn(turn) => self.scheduler.acted(&turn.actions),
                Answer::Suggested(_) | Answer::Described(_) | Answer::Bound(_) => {}
            }
        }
    }

    fn step(&mut self, trial: u32, event: &Event, step_us: u64, measured: &RowUsage) {
        // Ids are dense; a journal that does not fold never comes here.
        let index = trial as usize;
        if self.trials.len() <= index {
            self.trials.resize(index + 1, TrialUse::default());
        }
        let Some(used) = self.trials.get_mut(index) else {
            return;
        };
        used.step_us = used.step_us.max(step_us);
        used.us = used.us.saturating_add(step_us);
        if let Event::StepEnded { end, .. } = event {
            used.step_fuel = used.step_fuel.max(end.fuel);
            used.instance.memory_bytes = used.instance.memory_bytes.max(end.memory_bytes);
            used.fuel = used.fuel.saturating_add(end.fuel);
            if let Ok(report) = &end.result {
                raise(&mut used.metrics, report.metrics.len());
                for metric in &report.metrics {
                    raise(&mut used.name_bytes, metric.name.len());
                }
            }
        }
        if let Some(now) = &measured.trial {
            used.instance.raise(now);
        }
    }

    /// Of a trial.
    #[must_use]
    pub fn trial(&self, trial: u32) -> TrialUse {
        self.trials.get(trial as usize).copied().unwrap_or_default()
    }
}

impl DeciderUse {
    fn configured(&mut self, config: &Config) {
        raise(&mut self.parameters, config.len());
        self.suggestion_bytes = self.suggestion_bytes.max(config.byte_len());
        for (name, value) in config.iter() {
            raise(&mut self.name_bytes, name.len());
            if let Value::Text(text) | Value::Structured(text) = value {
                raise(&mut self.text_bytes, text.len());
            }
        }
    }

    fn acted(&mut self, actions: &[Action]) {
        raise(&mut self.actions, actions.len());
        for action in actions {
            match action {
                Action::SetConfig(_, config) => self.configured(config),
                Action::Exploit(exploit) => self.configured(&exploit.config),
                Action::Pause(_)
                | Action::Stop(_)
                | Action::Keep(_)
                | Action::SetWorkers(..)
                | Action::QuietUntil(..) => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tune_core::records::{FailureKind, Report};
    use tune_core::{CallUsage, Failed, StepEnd, Usage};

    fn ended(fuel: u64, fails: bool) -> Entry {
        let failed = Failed {
            kind: FailureKind::Memory,
            message: String::new(),
        };
        Entry {
            event: Event::StepEnded {
                trial: 1,
                end: StepEnd {
                    result: if fails {
                        Err(failed)
                    } else {
                        Ok(Report::default().with("loss", 0.0).with("accuracy", 1.0))
                    },
                    fuel,
                    memory_bytes: 10,
                },
            },
            answers: vec![Answer::Actions(vec![Action::Stop(1); 3])],
        }
    }

    #[test]
    fn the_most_of_every_step_and_the_sum_of_all_are_kept() {
        let mut fold = UsageFold::default();
        fold.take(&ended(100, false), 7, &RowUsage::default());
        let measured = RowUsage {
            trial: Some(Usage {
                memory_bytes: 50,
                ..Usage::default()
            }),
            scheduler: Some(CallUsage {
                fuel: 9,
                ..CallUsage::default()
            }),
            ..RowUsage::default()
        };
        fold.take(&ended(30, true), 5, &measured);
        let used = fold.trial(1);
        assert_eq!((used.step_fuel, used.fuel), (100, 130));
        assert_eq!((used.step_us, used.us), (7, 12));
        assert_eq!((used.metrics, used.name_bytes), (2, 8));
        assert_eq!(used.instance.memory_bytes, 50);
        assert_eq!((fold.scheduler.actions, fold.scheduler.call.fuel), (3, 9));
        assert_eq!(fold.trial(0), TrialUse::default());
        assert_eq!(fold.trial(u32::MAX), TrialUse::default());
    }
}
