//! The scheduler `pbt`: population based training (Jaderberg et al. 2017, arXiv 1711.09846).
//!
//! The trials are a population that trains side by side. Every `perturbation_interval` a member
//! comes to a perturbation point: its state is kept, and if it is among the worst, it goes on from
//! the kept state of one of the best, with a changed copy of that one's configuration. Asynchronous:
//! each member on its own; `synch`: all of them when the last one has come to its point.
//!
//! Options, quantiles and changes are Ray Tune's, except that values stay in their range and on
//! their grid; a result that is not a finite number is ranked worst; every member is a donor at
//! each of its points (Ray: only what was saved while it was among the best); a member that took
//! over a state is not ranked until it has a result of its own; nothing is copied from an equal.

mod explore;
mod population;

use tune_plugin::{
    Action, Config, Creation, Exploit, FailureKind, Next, OptionError, Report, Scheduler, Setup,
    Stream, TrialId, Turn,
    schedule::{Goal, Score, turn},
};

use crate::{
    explore::Explorer,
    population::{Doing, Population, quantile_size},
};

/// What a `[scheduler]` table may hold.
#[tune_plugin::options]
#[derive(Debug)]
pub struct Options {
    /// Time between two perturbation points of a member, in units of `time_attr`.
    #[option(default = 4.0, exclusive_minimum = 0.0)]
    perturbation_interval: f64,
    /// No perturbation point before this time.
    #[option(default = 0.0, minimum = 0.0)]
    burn_in_period: f64,
    /// Share of the population that is the best, and as much the worst.
    #[option(default = 0.25, minimum = 0.0, maximum = 0.5)]
    quantile_fraction: f64,
    /// Probability with which a changed parameter is drawn anew from its domain.
    #[option(default = 0.25, minimum = 0.0, maximum = 1.0)]
    resample_probability: f64,
    /// Otherwise a number is multiplied by one of these, drawn for each parameter.
    #[option(default = [1.2, 0.8], exclusive_minimum = 0.0)]
    perturbation_factors: Vec<f64>,
    /// Members wait for each other at every perturbation point.
    #[option(default = false)]
    synch: bool,
    /// Names of the parameters that change; none named: all of the space.
    hyperparam_mutations: Vec<String>,
}

/// The rule and its population.
#[derive(Debug)]
pub struct Pbt {
    options: Options,
    goal: Goal,
    explorer: Explorer,
    stream: Stream,
    population: Population,
    /// Members may be created yet.
    growing: bool,
    created: u32,
    trials: Option<u32>,
    /// Time of the next barrier of a synchronous population.
    barrier: f64,
    exploits: u64,
}

impl Pbt {
    /// The exploit of a member among the worst: a donor drawn among the best that are better than
    /// it. The member then is where its donor was when that was kept.
    fn exploit(&mut self, target: TrialId, ranked: &[(TrialId, Score)]) -> Option<Action> {
        let size = quantile_size(ranked.len(), self.options.quantile_fraction);
        let rank = ranked.iter().position(|(trial, _)| *trial == target)?;
        if rank + size < ranked.len() {
            return None;
        }
        let (_, own) = ranked.get(rank)?;
        let best = ranked.get(..size)?;
        let better = best.partition_point(|(_, score)| score > own);
        if better == 0 {
            return None;
        }
        let (source, _) = *best.get(self.stream.below(better as u64) as usize)?;
        let donor = self.population.get(source)?;
        let (time, base) = (donor.perturbed, &donor.config);
        let config = self.explorer.explore(base, &mut self.stream);
        let member = self.population.get_mut(target)?;
        member.config = config.clone();
        member.time = time;
        member.perturbed = time;
        member.score = None;
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
        let yields = self.growing || self.population.any(Doing::Waiting);
        let ranked = self.population.ranked();
        let mut actions: Vec<Action> = self.exploit(trial, &ranked).into_iter().collect();
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
        let ranked = self.population.ranked();
        let reached = self.population.iter().map(|(_, member)| member.time);
        let furthest = reached.fold(self.barrier, f64::max);
        self.barrier = (self.barrier + self.options.perturbation_interval).max(furthest);
        let actions = ranked
            .iter()
            .filter_map(|(trial, _)| self.exploit(*trial, &ranked))
            .collect();
        for member in self.population.iter_mut() {
            member.doing = Doing::Waiting;
        }
        actions
    }

    fn set(&mut self, trial: TrialId, doing: Doing) {
        if let Some(member) = self.population.get_mut(trial) {
            member.doing = doing;
        }
    }
}

impl Scheduler for Pbt {
    const NAME: &'static str = "pbt";
    const SUMMARY: &'static str =
        "Population based training: the worst go on from the best with changed configurations";
    const PAUSES: bool = true;
    const CLONES: bool = true;
    const CHANGES_CONFIG: bool = true;
    type Options = Options;

    fn init(setup: &Setup, options: Options) -> Result<Self, Vec<OptionError>> {
        let explorer = Explorer::new(
            setup,
            &options.hyperparam_mutations,
            options.resample_probability,
            &options.perturbation_factors,
        );
        let (goal, explorer) = match (Goal::of(setup), explorer) {
            (Ok(goal), Ok(explorer)) => (goal, explorer),
            (goal, explorer) => {
                let errors = explorer.err().unwrap_or_default().into_iter();
                return Err(errors.chain(goal.err()).collect());
            }
        };
        Ok(Self {
            goal,
            explorer,
            stream: Stream::new(setup.seed),
            population: Population::default(),
            growing: true,
            created: 0,
            trials: setup.trials,
            barrier: options.perturbation_interval.max(options.burn_in_period),
            options,
            exploits: 0,
        })
    }

    fn on_add(&mut self, trial: TrialId, config: &Config) -> Vec<Action> {
        self.created += 1;
        self.growing = self.trials.is_none_or(|trials| self.created < trials);
        self.population.add(trial, config.clone());
        Vec::new()
    }

    fn on_result(&mut self, trial: TrialId, report: &Report) -> Vec<Action> {
        let Some((time, score)) = self.goal.read(report) else {
            return Vec::new();
        };
        let Some(member) = self.population.get_mut(trial) else {
            return Vec::new();
        };
        member.time = time;
        let due = if self.options.synch {
            time >= self.barrier
        } else {
            time >= self.options.burn_in_period
                && time - member.perturbed >= self.options.perturbation_interval
        };
        if !due {
            return Vec::new();
        }
        member.perturbed = time;
        member.score = Some(score);
        if self.options.synch {
            self.set(trial, Doing::AtBarrier);
            vec![Action::Pause(trial)]
        } else {
            self.perturb(trial)
        }
    }

    fn on_complete(&mut self, trial: TrialId, _: Option<&Report>) -> Vec<Action> {
        self.population.remove(trial);
        Vec::new()
    }

    fn on_error(&mut self, trial: TrialId, _: FailureKind, will_retry: bool) -> Vec<Action> {
        if !will_retry {
            self.population.remove(trial);
        }
        Vec::new()
    }

    fn on_remove(&mut self, trial: TrialId) -> Vec<Action> {
        self.population.remove(trial);
        Vec::new()
    }

    fn next_to_run(&mut self, creation: Creation) -> Turn {
        self.growing = creation != Creation::Closed;
        // New members first, so that the population is whole as early as it can be.
        let unstarted = self.population.next_waiting().filter(|trial| {
            let member = self.population.get(*trial);
            member.is_some_and(|member| member.time == 0.0)
        });
        if creation == Creation::Possible && unstarted.is_none() {
            return turn(Next::Create);
        }
        // Here nobody else can come to the barrier: whoever could has left, or is there. A searcher
        // that waits may wait for what stands at the barrier.
        let busy = self.population.any(Doing::Running) || self.population.any(Doing::Waiting);
        let actions = if !busy && self.population.any(Doing::AtBarrier) {
            self.pass_barrier()
        } else {
            Vec::new()
        };
        let next = match self.population.next_waiting() {
            Some(trial) => {
                self.set(trial, Doing::Running);
                Next::Run(trial)
            }
            None if creation == Creation::Closed => Next::Done,
            None => Next::Idle,
        };
        Turn { actions, next }
    }

    fn describe(&self) -> String {
        let kind = if self.options.synch {
            "synchronous"
        } else {
            "asynchronous"
        };
        let ranked = self.population.ranked();
        let best = ranked.first().map_or_else(String::new, |(trial, score)| {
            let time = self.population.get(*trial).map_or(0.0, |m| m.perturbed);
            format!(
                ", best {} of trial {trial} at {time}",
                self.goal.show(*score)
            )
        });
        format!(
            "pbt ({kind}): {} members, {} exploits{best}",
            self.population.len(),
            self.exploits
        )
    }
}

tune_plugin::export_scheduler!(Pbt);

#[cfg(test)]
mod tests;
