//! The searcher `auto`: chooses one of the others by what the space and the run are, says why in its
//! log, and hands over everything that is known when another one's time comes.
//!
//! Which one, when and why is the [`plan`]; what is handed over is in the [`ledger`]; how is in
//! [`stage`]. It links the others: nothing is composed of several plugins.

mod ledger;
mod pair;
mod plan;
mod stage;

use ledger::Ledger;
use plan::{Algorithm, Plan};
use stage::Stage;
use tune_plugin::{
    Config, Failure, Objective, Observation, OptionError, Outcome, Report, Searcher, Setup, Space,
    Stream, Suggestion, TrialId, TrialState, log,
};
use tune_search::Judge;

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
    algorithm: Algorithm,
    stage: Box<dyn Stage>,
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
        let ledger = Ledger::new(Judge {
            objective: setup.objectives.first().cloned().unwrap_or_else(nothing),
            constraints: setup.constraints.clone(),
            time_attr: setup.time_attr.clone(),
            failures_count: options.on_error == "worst",
        });
        let mut seeds = Stream::new(setup.seed);
        let setup = Setup {
            seed: seeds.u64(),
            ..setup.clone()
        };
        let algorithm = plan.at(0);
        Ok(Self {
            stage: stage::begin(algorithm, &setup, &options, &ledger)?,
            setup,
            options,
            plan,
            ledger,
            seeds,
            algorithm,
        })
    }

    fn suggest(&mut self, trial: TrialId, pinned: &Config) -> Result<Suggestion, Failure> {
        self.hand_over()?;
        let suggestion = self.stage.suggest(trial, pinned)?;
        if let Suggestion::Configure(proposal) = &suggestion {
            self.ledger.ask(trial, proposal.config.clone());
        }
        Ok(suggestion)
    }

    fn observe(&mut self, trial: TrialId, report: &Report, state: TrialState) {
        if state == TrialState::Paused {
            self.ledger.pause(trial, report);
        }
        self.stage.observe(trial, report, state);
    }

    fn complete(&mut self, trial: TrialId, outcome: &Outcome) {
        self.ledger.end(trial, outcome);
        self.stage.complete(trial, outcome);
    }

    fn seed_with(&mut self, known: &[Observation]) {
        for observation in known {
            self.ledger.add(observation.clone());
        }
        self.stage.seed_with(known);
    }

    fn regret_bound(&mut self) -> Option<f64> {
        self.stage.regret_bound()
    }
}

impl Auto {
    /// Another algorithm takes over if it is its turn.
    fn hand_over(&mut self) -> Result<(), Failure> {
        let results = self.ledger.results();
        let next = self.plan.at(results);
        if next == self.algorithm {
            return Ok(());
        }
        self.setup.seed = self.seeds.u64();
        let begun = stage::begin(next, &self.setup, &self.options, &self.ledger);
        self.stage = begun.map_err(|errors| {
            let messages: Vec<String> = errors.into_iter().map(|error| error.message).collect();
            Failure::Other(messages.join("; "))
        })?;
        log::info!("{} from here on: {results} results are known", next.name());
        self.algorithm = next;
        Ok(())
    }
}
