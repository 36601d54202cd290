//! Free slots: the scheduler chooses who runs, the searcher is asked for new trials.

use tune_space::{Change, Config, Creation, Next, Proposal, Suggestion, TrialId};

use crate::handover::Turnover;
use crate::trial::{Phase, Trial};
use crate::{Deciders, Kept, Note, Origin, Stop, seeds};

/// Bad suggestions in a row before the run stops.
const MAX_REJECTED: u32 = 3;
/// Calls of `next-to-run` a slot and handover.
const MAX_TURNS: u32 = 64;

impl Turnover<'_> {
    pub(crate) fn fill_slots(&mut self) -> Result<(), Stop> {
        if self.engine.finished {
            return Ok(());
        }
        let mut waiting = false;
        let mut last = Next::Idle;
        let illegal = self.engine.illegal_actions;
        while self.engine.flight.len() < self.engine.plan.slots as usize {
            last = self.fill_slot(&mut waiting)?;
            if matches!(last, Next::Idle | Next::Done) {
                break;
            }
        }
        if self.engine.flight.len() > 0 {
            return Ok(());
        }
        let closed = self.engine.creation() == Creation::Closed;
        let all_ended = self.engine.waiting.is_empty();
        if closed && (last == Next::Done || all_ended) {
            self.engine.finished = true;
            return Ok(());
        }
        let illegal = self.engine.illegal_actions - illegal;
        Err(Stop::Deadlock(self.deadlock(waiting, illegal)))
    }

    /// Nothing is in flight and nothing was chosen: why? `illegal`: answers that could not be carried
    /// out meanwhile.
    fn deadlock(&self, waiting: bool, illegal: u32) -> String {
        let counts = self.engine.counts;
        let dropped = self.out.notes.iter().rev().find_map(|note| match note {
            Note::Dropped(reason) => Some(reason),
            _ => None,
        });
        if illegal > 0
            && let Some(last) = dropped
        {
            format!(
                "{} paused and {} pending, nothing runs, and {illegal} answers of the scheduler `{}` \
                 cannot be carried out, the last one: {last}",
                counts.paused, counts.pending, self.engine.plan.scheduler.0
            )
        } else if waiting {
            format!(
                "the searcher `{}` says `wait` while nothing runs\n  hint: it may wait only for \
                 results of trials that run",
                self.engine.plan.searcher.0
            )
        } else {
            format!(
                "{} paused and {} pending, nothing runs, and the scheduler `{}` says idle\n  hint: \
                 it must run a waiting trial, create one, or say `done`",
                counts.paused, counts.pending, self.engine.plan.scheduler.0
            )
        }
    }

    /// Fills one free slot; `Run` if it is filled.
    fn fill_slot(&mut self, waiting: &mut bool) -> Result<Next, Stop> {
        for _ in 0..MAX_TURNS {
            let creation = match self.engine.creation() {
                Creation::Possible if *waiting => Creation::Waiting,
                creation => creation,
            };
            let turn = self.calls.next_to_run(creation)?;
            self.current = None;
            self.carry_out(turn.actions)?;
            self.tell_completes()?;
            if self.settle()? {
                continue;
            }
            match turn.next {
                Next::Run(id) => match self.engine.trial(id).map(|t| t.phase) {
                    Some(phase @ (Phase::Pending | Phase::Paused)) => {
                        if phase == Phase::Paused {
                            self.out.notes.push(Note::Resumed(id));
                        }
                        self.start(id)?;
                        return Ok(turn.next);
                    }
                    _ => self.illegal(format!(
                        "run of trial {id}, which does not wait: name a pending or paused one"
                    ))?,
                },
                Next::Create if creation == Creation::Possible => {
                    *waiting = !self.create()? && !self.engine.exhausted;
                }
                Next::Create => {
                    self.illegal(
                        "create, though no trial can be created: that is possible when \
                         `next-to-run` says so"
                            .to_owned(),
                    )?;
                }
                Next::Idle | Next::Done => return Ok(turn.next),
            }
        }
        Ok(Next::Idle)
    }

    /// Asks the searcher for a trial; false if there is none.
    fn create(&mut self) -> Result<bool, Stop> {
        let id = self.engine.trials.len() as TrialId;
        let pinned = self
            .engine
            .plan
            .points_to_evaluate
            .get(id as usize)
            .cloned()
            .unwrap_or_default();
        let mut reason = String::new();
        for _ in 0..MAX_REJECTED {
            match self.calls.suggest(id, &pinned)? {
                Ok(Suggestion::Configure(proposal)) => match self.consider(&proposal, &pinned) {
                    Ok(full) => {
                        self.add(id, proposal, full)?;
                        return Ok(true);
                    }
                    Err(why) => reason = why,
                },
                Ok(Suggestion::Wait) => return Ok(false),
                Ok(Suggestion::Exhausted) => {
                    self.engine.exhausted = true;
                    return Ok(false);
                }
                Err(failure) => reason = failure.to_string(),
            }
            self.out.notes.push(Note::Rejected(format!(
                "suggestion for trial {id}: {reason}"
            )));
        }
        Err(Stop::Rejected {
            searcher: self.engine.plan.searcher.0.clone(),
            count: MAX_REJECTED,
            trial: id,
            reason,
        })
    }

    /// The whole configuration of a proposal, or what is wrong with it.
    fn consider(&self, proposal: &Proposal, pinned: &Config) -> Result<Config, String> {
        let full = self.whole_config(&proposal.config)?;
        let differs = *pinned != proposal.config;
        for (name, value) in pinned.iter().filter(|_| differs) {
            // A pinned parameter may be inactive under what the searcher chose for the rest.
            if let Some(given) = proposal.config.get(name)
                && given != value
            {
                return Err(format!(
                    "`{name}` is pinned to {value}, the searcher gave {given}"
                ));
            }
        }
        if let Some(budget) = proposal.budget {
            if self.engine.plan.scheduler.0 != "fifo" {
                return Err("a budget is legal only under the scheduler `fifo`".to_owned());
            }
            if budget.is_nan() {
                return Err("the budget is NaN".to_owned());
            }
        }
        if let Some(source) = proposal.start_from {
            self.start_state(source)?;
        }
        Ok(full)
    }

    /// The state that a trial can be started from, or why there is none.
    fn start_state(&self, source: TrialId) -> Result<Kept, String> {
        if !self.engine.plan.clones {
            return Err(format!(
                "it starts from trial {source}, but the searcher `{}` does not say in its manifest \
                 that it starts trials from earlier ones; set `CLONES`",
                self.engine.plan.searcher.0
            ));
        }
        let donor = self.engine.trial(source).ok_or_else(|| {
            format!("it starts from the unknown trial {source}: name one that was created")
        })?;
        donor.source().ok_or_else(|| {
            format!(
                "it starts from trial {source}, which was never kept or paused nor reached a \
                 budget: there is no state to start from"
            )
        })
    }

    fn add(&mut self, id: TrialId, proposal: Proposal, full: Config) -> Result<(), Stop> {
        let sequence = self.engine.sequence();
        let start = match proposal.start_from {
            Some(source) => Some(self.start_state(source).map_err(Stop::Damaged)?),
            None => None,
        };
        let imported = self.engine.plan.imported.as_ref().filter(|_| id == 0);
        let lineage = self.engine.plan.lineage.as_ref().filter(|_| id == 0);
        let run_seed = self.engine.plan.seed;
        let seed = lineage.map(|l| l.seed).or(proposal.seed);
        let seed = seed.unwrap_or_else(|| match imported {
            Some(imported) => seeds::imported(run_seed, &imported.state),
            None => seeds::trial(run_seed, id, 0),
        });
        let suggested = proposal.config.clone();
        let mut trial = Trial::new(id, proposal.config, full.clone(), seed, sequence);
        trial.budget = proposal.budget;
        // A state that was not set up here learns of its configuration and seed by a change.
        if let Some(state) = &start {
            trial.take_over(Origin::Clone(state.point), state, sequence);
            trial.set_change(first_change(&full, seed));
        } else if let Some(imported) = imported {
            let state = Kept {
                point: trial.point(),
                iteration: imported.iteration,
                fuel_total: imported.fuel_total,
                axis: imported
                    .last
                    .as_ref()
                    .and_then(|last| last.get(&self.engine.plan.time_attr)),
            };
            trial.take_over(Origin::Imported, &state, sequence);
            trial.setup_config = imported.config.clone();
            // With nothing to be told it goes on as it would have, also if it cannot be told anything.
            if full != imported.config {
                trial.set_change(first_change(&full, seed));
            }
        }
        self.engine.add_trial(trial);
        self.out.created.push((id, full));
        self.out.notes.push(Note::Created(id));
        if let Some(state) = &start {
            self.cloned(id, state);
        }
        let actions = self.calls.on_add(id, &suggested)?;
        self.carry_out(actions)?;
        self.tell_completes()
    }
}

fn first_change(config: &Config, seed: u64) -> Change {
    Change {
        config: config.clone(),
        seed,
        workers: 1,
    }
}
