//! The searcher `auto`: chooses one of the others by what the space and the run are, says why in its
//! log, and hands over everything that is known when another one's time comes.
//!
//! Which one, when and why is the [`plan`]; what is handed over is in the [`ledger`]; how is in
//! [`stage`]; whose turn it is where several search is in [`turns`]. It links the others: nothing is composed of several plugins.

mod ledger;
mod plan;
mod stage;
mod turns;

use ledger::Ledger;
use plan::Plan;
use tune_plugin::{
    Config, Failure, Objective, Observation, OptionError, Outcome, Report, Searcher, Setup, Space,
    Stream, Suggestion, TrialId, TrialState, log,
};
use tune_search::Judge;
use turns::Turns;

/// Options of `auto`.
#[tune_plugin::options]
#[derive(Debug)]
pub struct Options {
    /// Failed trials count as the worst, or not at all.
    #[option(default = "worst", one_of = ["worst", "ignore"])]
    pub on_error: String,
    /// Suggest no configuration of a discrete space twice, and end when all were suggested.
    #[option(default = true)]
    pub unique: bool,
}

/// The searcher.
#[derive(Debug)]
pub struct Auto {
    setup: Setup,
    options: Options,
    plan: Plan,
    ledger: Ledger,
    /// Each algorithm has a seed of its own.
    seeds: Stream,
    /// Stages of the plan that have begun.
    begun: usize,
    turns: Turns,
}

impl Searcher for Auto {
    const NAME: &'static str = "auto";
    const SUMMARY: &'static str = "Chooses among grid, sobol, gp, tpe and cmaes, and says why";
    type Options = Options;

    fn init(setup: &Setup, options: Options) -> Result<Self, Vec<OptionError>> {
        let space = Space::new(setup.space.clone()).map_err(|error| vec![error.into()])?;
        let plan = Plan::of(&space, setup);
        log::info!("{}", plan.describe());
        let nothing = || Objective {
            metric: String::new(),
            maximize: false,
        };
        let judge = Judge {
            objective: setup.objectives.first().cloned().unwrap_or_else(nothing),
            constraints: setup.constraints.clone(),
            time_attr: setup.time_attr.clone(),
            failures_count: options.on_error == "worst",
        };
        let ledger = Ledger::new(judge.clone());
        let mut seeds = Stream::new(setup.seed);
        let setup = Setup {
            seed: seeds.u64(),
            ..setup.clone()
        };
        let mut turns = Turns::new(judge);
        turns.join(stage::begin(plan.first(), &setup, &options, &ledger)?);
        Ok(Self {
            begun: 1,
            turns,
            setup,
            options,
            plan,
            ledger,
            seeds,
        })
    }

    fn suggest(&mut self, trial: TrialId, pinned: &Config) -> Result<Suggestion, Failure> {
        self.hand_over()?;
        let suggestion = self.turns.suggest(trial, pinned)?;
        if let Suggestion::Configure(proposal) = &suggestion {
            self.ledger.ask(trial, proposal.config.clone());
        }
        Ok(suggestion)
    }

    fn observe(&mut self, trial: TrialId, report: &Report, state: TrialState) {
        if state == TrialState::Paused {
            self.ledger.pause(trial, report);
        }
        self.turns.observe(trial, report, state);
    }

    fn complete(&mut self, trial: TrialId, outcome: &Outcome) {
        self.ledger.end(trial, outcome);
        self.turns.complete(trial, outcome);
    }

    fn seed_with(&mut self, known: &[Observation]) {
        for observation in known {
            self.ledger.add(observation.clone());
        }
        self.turns.seed_with(known);
    }

    fn regret_bound(&mut self) -> Option<f64> {
        self.turns.regret_bound()
    }
}

impl Auto {
    /// Others take over, or join, if it is their turn.
    fn hand_over(&mut self) -> Result<(), Failure> {
        let results = self.ledger.results();
        let (stages, begun) = self.plan.next(self.begun, results);
        for stage in stages {
            self.setup.seed = self.seeds.u64();
            let new = stage::begin(stage.algorithm, &self.setup, &self.options, &self.ledger);
            let new = new.map_err(|errors| {
                let messages: Vec<String> = errors.into_iter().map(|error| error.message).collect();
                Failure::Other(messages.join("; "))
            })?;
            if stage.joins() {
                self.turns.join(new);
            } else {
                self.turns.replace(new);
            }
            log::info!("{stage} from here on: {results} results are known");
        }
        self.begun = begun;
        Ok(())
    }
}
