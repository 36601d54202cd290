//! Population based training without its exploration: who is compared when, who goes on from whom,
//! and who runs next. What the new configuration is, an [`Explore`] says.
//!
//! The trials are a population that trains side by side. Every [`Pace::interval`] a member comes to
//! a perturbation point: its state is kept, and if it is among the worst, it goes on from the kept
//! state of one of the best, with a changed copy of that one's configuration. Asynchronous: each
//! member on its own; [`Pace::synch`]: all of them when the last one has come to its point.
//!
//! A result that is not a finite number is ranked worst; a member that took over a state is not
//! ranked until it has a result of its own; nothing is copied from an equal.

mod members;

pub use members::Member;

use std::cmp::Reverse;

use tune_space::{
    Action, Config, Creation, Exploit, Next, OptionError, Report, Setup, Stream, TrialId, Turn,
};

use self::members::{Doing, Members, Rank, quantile_size};
use super::{Goal, Score, turn};

/// Says with what a member goes on that took over another one's state.
pub trait Explore {
    /// Called at every perturbation point of a member but its first: what training from its base
    /// has brought. By default nothing.
    fn observe(&mut self, _stretch: &Stretch<'_>) {}

    /// A configuration of the space for `target`, which goes on from the state of `donor` at
    /// [`Member::perturbed`]. `stream` is the only source of randomness.
    fn explore(&mut self, target: TrialId, donor: &Member, stream: &mut Stream) -> Config;

    /// The trial has left the population. By default nothing.
    fn forget(&mut self, _trial: TrialId) {}
}

/// Training from one perturbation point to the next, with one configuration.
#[derive(Clone, Copy, Debug)]
pub struct Stretch<'a> {
    /// Who trained.
    pub trial: TrialId,
    /// With what.
    pub config: &'a Config,
    /// Time and score of the state that it started from.
    pub from: (f64, Score),
    /// Time and score that it came to; later than `from`.
    pub to: (f64, Score),
}

/// When members are compared, and how many of them.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    /// Time between two perturbation points of a member, in units of `time_attr`, above 0.
    pub interval: f64,
    /// No perturbation point before this time.
    pub burn_in: f64,
    /// Share of the population that is the best, and as much the worst, 0 to 0.5.
    pub quantile_fraction: f64,
    /// Members wait for each other at every perturbation point.
    pub synch: bool,
}

/// A population and its rule.
#[derive(Debug)]
pub struct Population<E> {
    explorer: E,
    goal: Goal,
    pace: Pace,
    stream: Stream,
    members: Members,
    /// Members may be created yet.
    growing: bool,
    created: u32,
    trials: Option<u32>,
    /// Time of the next barrier of a synchronous population.
    barrier: f64,
    exploits: u64,
}

impl<E: Explore> Population<E> {
    /// A population without members yet. Takes the explorer as it was made, so that all options
    /// that are wrong are named at once.
    ///
    /// # Errors
    /// Those of the explorer, and if the experiment has no objective.
    pub fn new(
        setup: &Setup,
        pace: Pace,
        explorer: Result<E, Vec<OptionError>>,
    ) -> Result<Self, Vec<OptionError>> {
        let (goal, explorer) = match (Goal::of(setup), explorer) {
            (Ok(goal), Ok(explorer)) => (goal, explorer),
            (goal, explorer) => {
                let errors = explorer.err().unwrap_or_default().into_iter();
                return Err(errors.chain(goal.err()).collect());
            }
        };
        Ok(Self {
            explorer,
            goal,
            pace,
            stream: Stream::new(setup.seed),
            members: Members::default(),
            growing: true,
            created: 0,
            trials: setup.trials,
            barrier: pace.interval.max(pace.burn_in),
            exploits: 0,
        })
    }

    /// A new member.
    pub fn add(&mut self, trial: TrialId, config: &Config) {
        self.created += 1;
        self.growing = self.trials.is_none_or(|trials| self.created < trials);
        self.members.add(trial, config.clone());
    }

    /// The trial has ended: it is no longer counted, copied, or waited for.
    pub fn remove(&mut self, trial: TrialId) {
        self.members.remove(trial);
        self.explorer.forget(trial);
    }

    /// A member that is there.
    #[must_use]
    pub fn member(&self, trial: TrialId) -> Option<&Member> {
        self.members.get(trial)
    }

    /// Members with a score, the best first, the earlier one first among equals.
    #[must_use]
    pub fn ranked(&self) -> Vec<(TrialId, Score)> {
        let ranked = self.members.ranked().iter();
        ranked
            .map(|(Reverse(score), trial)| (*trial, *score))
            .collect()
    }

    /// What says how configurations change.
    pub fn explorer(&self) -> &E {
        &self.explorer
    }

    /// A report of a member, and what follows if it is then at a perturbation point.
    pub fn report(&mut self, trial: TrialId, report: &Report) -> Vec<Action> {
        let Some((time, score)) = self.goal.read(report) else {
            return Vec::new();
        };
        let Some(member) = self.members.get(trial) else {
            return Vec::new();
        };
        let due = if self.pace.synch {
            time >= self.barrier
        } else {
            time >= self.pace.burn_in && time - member.perturbed >= self.pace.interval
        };
        if !due {
            self.members.change(trial, |member| member.time = time);
            return Vec::new();
        }
        if let Some(from) = member.base.filter(|(start, _)| *start < time) {
            self.explorer.observe(&Stretch {
                trial,
                config: &member.config,
                from,
                to: (time, score),
            });
        }
        self.members.change(trial, |member| {
            (member.time, member.perturbed) = (time, time);
            member.score = Some(score);
            member.base = Some((time, score));
        });
        if self.pace.synch {
            self.set(trial, Doing::AtBarrier);
            vec![Action::Pause(trial)]
        } else {
            self.perturb(trial)
        }
    }

    /// What a free slot does next: new members first, so that the population is whole as early as
    /// it can be, then whoever is least far.
    pub fn next_to_run(&mut self, creation: Creation) -> Turn {
        self.growing = creation != Creation::Closed;
        let unstarted = self.members.next_waiting().filter(|trial| {
            let member = self.members.get(*trial);
            member.is_some_and(|member| member.time == 0.0)
        });
        if creation == Creation::Possible && unstarted.is_none() {
            return turn(Next::Create);
        }
        // Here nobody else can come to the barrier: whoever could has left, or is there. A searcher
        // that waits may wait for what stands at the barrier.
        let busy = self.members.any(Doing::Running) || self.members.any(Doing::Waiting);
        let actions = if !busy && self.members.any(Doing::AtBarrier) {
            self.pass_barrier()
        } else {
            Vec::new()
        };
        let next = match self.members.next_waiting() {
            Some(trial) => {
                self.set(trial, Doing::Running);
                Next::Run(trial)
            }
            None if creation == Creation::Closed => Next::Done,
            None => Next::Idle,
        };
        Turn { actions, next }
    }

    /// Members, exploits and the best: "pbt (asynchronous): 5 members, 1 exploits, best ..".
    #[must_use]
    pub fn describe(&self, name: &str) -> String {
        let kind = if self.pace.synch {
            "synchronous"
        } else {
            "asynchronous"
        };
        let best = self.members.ranked().first();
        let best = best.map_or_else(String::new, |(Reverse(score), trial)| {
            let time = self.members.get(*trial).map_or(0.0, |m| m.perturbed);
            format!(
                ", best {} of trial {trial} at {time}",
                self.goal.show(*score)
            )
        });
        format!(
            "{name} ({kind}): {} members, {} exploits{best}",
            self.members.len(),
            self.exploits
        )
    }

    /// A member takes over the state of another one: it then is where its donor was when that was
    /// kept.
    fn exploit(&mut self, target: TrialId, source: TrialId) -> Option<Action> {
        let donor = self.members.get(source)?;
        let (time, base) = (donor.perturbed, donor.base);
        let config = self.explorer.explore(target, donor, &mut self.stream);
        self.members.change(target, |member| {
            member.config = config.clone();
            (member.time, member.perturbed) = (time, time);
            member.score = None;
            member.base = base;
        });
        self.exploits += 1;
        Some(Action::Exploit(Exploit {
            target,
            source,
            config,
        }))
    }

    /// A perturbation point of an asynchronous member: exploit, or keep the state for others; then
    /// make room for whoever waits.
    fn perturb(&mut self, trial: TrialId) -> Vec<Action> {
        let yields = self.growing || self.members.any(Doing::Waiting);
        let (rank, ranked) = (self.members.rank(trial), self.members.ranked());
        let fraction = self.pace.quantile_fraction;
        let source = rank.and_then(|rank| donor(ranked, rank, fraction, &mut self.stream));
        let exploit = source.and_then(|source| self.exploit(trial, source));
        let mut actions: Vec<Action> = exploit.into_iter().collect();
        if yields {
            // Keeps the state as well.
            self.set(trial, Doing::Waiting);
            actions.push(Action::Pause(trial));
        } else if actions.is_empty() {
            actions.push(Action::Keep(trial));
        }
        actions
    }

    /// All members have come to the barrier: the worst take over the best, and all go on.
    fn pass_barrier(&mut self) -> Vec<Action> {
        let reached = self.members.iter().map(|(_, member)| member.time);
        let furthest = reached.fold(self.barrier, f64::max);
        self.barrier = (self.barrier + self.pace.interval).max(furthest);
        // As they stand now, whoever takes over a state meanwhile.
        let ranked = self.members.ranked().to_vec();
        let mut actions = Vec::new();
        for (rank, (_, target)) in ranked.iter().enumerate() {
            let fraction = self.pace.quantile_fraction;
            let source = donor(&ranked, rank, fraction, &mut self.stream);
            actions.extend(source.and_then(|source| self.exploit(*target, source)));
        }
        let all: Vec<TrialId> = self.members.iter().map(|(trial, _)| trial).collect();
        all.iter()
            .for_each(|trial| self.set(*trial, Doing::Waiting));
        actions
    }

    fn set(&mut self, trial: TrialId, doing: Doing) {
        self.members.change(trial, |member| member.doing = doing);
    }
}

/// From whom the member at `rank` takes over a state, if it is among the worst: drawn among the best
/// that are better than it.
fn donor(ranked: &[Rank], rank: usize, fraction: f64, stream: &mut Stream) -> Option<TrialId> {
    let size = quantile_size(ranked.len(), fraction);
    if rank + size < ranked.len() {
        return None;
    }
    let (own, _) = ranked.get(rank)?;
    let better = ranked.get(..size)?.partition_point(|(best, _)| best < own);
    let drawn = (better > 0).then(|| stream.below(better as u64))?;
    ranked.get(drawn as usize).map(|(_, trial)| *trial)
}
