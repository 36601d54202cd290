//! How long a suggestion takes after many finished trials: native code, the same in the sandbox, and
//! Optuna where a Python with it is named. That the first two suggest the same must hold everywhere.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use serde_json::Value;
use tune_core::records::{
    Config, Domain, Ending, Objective, Observation, Outcome, Parameter, RealRange, Report, Setup,
    Stream, Suggestion, TrialId,
};
use tune_core::{Limits, Metering};
use tune_plugin::{Searcher, parse_options};
use tune_runtime::SearcherInstance;
use tune_searcher_bohb::Bohb;
use tune_searcher_evolution::Evolution;
use tune_searcher_halton::HaltonSearch;
use tune_searcher_random::Random;
use tune_searchers::{Cmaes, Dehb, GpSearch, Grid, SobolSearch, Tpe};

use crate::python::Python;
use crate::show;
use crate::stage::Stage;

/// The benchmark of all searchers; with the name of one behind it, of that.
pub(crate) const NAME: &str = "suggest";
/// The same measurement of Optuna's samplers.
const OPTUNA: &str = include_str!("suggest.py");
/// Suggestions after the results, before both sides begin anew.
const ROUNDS: usize = 15;
/// How often both begin anew. Of all suggestions the middle one counts.
const PASSES: usize = 20;
/// Once the native side took so long for suggestions, or both for everything, no more of them are asked for: the middle is
/// clear by then.
const ENOUGH: Duration = Duration::from_secs(4);
/// Results that are told in one call: a call has a limit of fuel.
const CHUNK: usize = 100;
const SEED: u64 = 1;
const METRIC: &str = "loss";

/// Searcher, dimensions, finished trials; whether Optuna is measured too.
const SIZES: [(&str, u32, u32, bool); 40] = [
    ("tpe", 2, 100, true),
    ("tpe", 2, 1_000, true),
    ("tpe", 2, 10_000, true),
    ("tpe", 10, 100, true),
    ("tpe", 10, 1_000, true),
    ("tpe", 10, 10_000, true),
    ("tpe", 50, 100, true),
    ("tpe", 50, 1_000, true),
    ("tpe", 50, 10_000, true),
    ("gp", 2, 100, true),
    ("gp", 2, 200, true),
    ("gp", 2, 1_000, false),
    ("gp", 2, 10_000, false),
    ("gp", 10, 100, true),
    ("gp", 10, 200, true),
    ("gp", 10, 1_000, false),
    ("gp", 10, 10_000, false),
    ("gp", 50, 100, true),
    ("gp", 50, 200, true),
    ("gp", 50, 1_000, false),
    ("gp", 50, 10_000, false),
    ("cmaes", 2, 10_000, false),
    ("cmaes", 10, 100, false),
    ("cmaes", 10, 10_000, false),
    ("cmaes", 50, 10_000, false),
    // The rest of the table of docs/searchers.md.
    ("random", 10, 100, false),
    ("random", 10, 10_000, false),
    ("grid", 10, 100, false),
    ("grid", 10, 10_000, false),
    ("sobol", 10, 100, false),
    ("sobol", 10, 10_000, false),
    ("halton", 10, 100, false),
    ("halton", 10, 10_000, false),
    ("evolution", 10, 100, false),
    ("evolution", 10, 10_000, false),
    ("bohb", 10, 100, false),
    ("bohb", 10, 1_000, false),
    ("bohb", 10, 10_000, false),
    ("dehb", 10, 100, false),
    ("dehb", 10, 10_000, false),
];

/// One that suggests.
trait Side {
    fn seed_with(&mut self, known: &[Observation]) -> Result<()>;
    fn suggest(&mut self, trial: TrialId) -> Result<Suggestion>;
    fn complete(&mut self, trial: TrialId, outcome: &Outcome) -> Result<()>;
}

struct Native<S>(S);

impl<S: Searcher> Side for Native<S> {
    fn seed_with(&mut self, known: &[Observation]) -> Result<()> {
        self.0.seed_with(known);
        Ok(())
    }

    fn suggest(&mut self, trial: TrialId) -> Result<Suggestion> {
        let suggestion = self.0.suggest(trial, &Config::new());
        suggestion.map_err(|failure| anyhow::anyhow!("{failure}"))
    }

    fn complete(&mut self, trial: TrialId, outcome: &Outcome) -> Result<()> {
        self.0.complete(trial, outcome);
        Ok(())
    }
}

impl Side for SearcherInstance {
    fn seed_with(&mut self, known: &[Observation]) -> Result<()> {
        Ok(Self::seed_with(self, known)?)
    }

    fn suggest(&mut self, trial: TrialId) -> Result<Suggestion> {
        let suggestion = Self::suggest(self, trial, &Config::new())?;
        suggestion.map_err(|failure| anyhow::anyhow!("{failure}"))
    }

    fn complete(&mut self, trial: TrialId, outcome: &Outcome) -> Result<()> {
        Ok(Self::complete(self, trial, outcome)?)
    }
}

/// Prints the times of all.
pub(crate) fn run(stage: &Stage) -> Result<bool> {
    print(stage, |_| true)
}

/// Prints the times of one searcher.
pub(crate) fn of(stage: &Stage, searcher: &str) -> Result<bool> {
    if SIZES.iter().all(|(name, ..)| *name != searcher) {
        bail!("no rows of a searcher `{searcher}`");
    }
    print(stage, |name| name == searcher)
}

fn print(stage: &Stage, chosen: impl Fn(&str) -> bool) -> Result<bool> {
    let python = Python::named("Optuna");
    let mut table = show::table(&[
        "a suggestion and its result",
        "dimensions",
        "trials",
        "native",
        "sandbox",
        "sandbox / native",
        "Optuna",
        "Optuna / sandbox",
    ]);
    let mut same = true;
    for (name, dims, trials, with_optuna) in SIZES.into_iter().filter(|size| chosen(size.0)) {
        let times = times(stage, name, dims, trials)
            .with_context(|| format!("{name}, {dims} dimensions, {trials} trials"))?;
        same &= times.equal;
        if let Some(failure) = &times.failure {
            println!("{name}, {dims} dimensions, {trials} trials: {failure}\n");
        }
        let optuna = match &python {
            Some(python) if with_optuna => Some(optuna(python, name, dims, trials)?),
            _ => None,
        };
        let quotient = |a: Duration, b: Duration| a.as_secs_f64() / b.as_secs_f64().max(1e-9);
        table.rows.push(vec![
            name.to_owned(),
            dims.to_string(),
            show::number(f64::from(trials)),
            show::milliseconds(times.native),
            times
                .sandboxed
                .map_or_else(|| "failed".to_owned(), show::milliseconds),
            times.sandboxed.map_or_else(String::new, |sandboxed| {
                show::ratio(quotient(sandboxed, times.native))
            }),
            optuna.map_or_else(String::new, show::milliseconds),
            optuna
                .zip(times.sandboxed)
                .map_or_else(String::new, |(optuna, sandboxed)| {
                    show::ratio(quotient(optuna, sandboxed))
                }),
        ]);
    }
    show::print(&table);
    let word = if same { "OK: equal" } else { "NOT EQUAL" };
    println!("{word}: what is suggested natively and in the sandbox");
    Ok(same)
}

/// How long one side and the other took.
struct Times {
    native: Duration,
    sandboxed: Option<Duration>,
    /// What ended the one in the sandbox.
    failure: Option<String>,
    /// Both suggested the same, as long as both lived.
    equal: bool,
}

fn times(stage: &Stage, name: &str, dims: u32, trials: u32) -> Result<Times> {
    let mut setup = setup(dims);
    if name == "grid" {
        // Points of a real parameter are an option without a default.
        setup.options = r#"{"points": 5}"#.to_owned();
    }
    let plugin = stage.plugin(name, Metering::Fuel)?;
    let mut stream = Stream::new(SEED);
    let known: Vec<Observation> = (0..trials)
        .map(|_| observation(&setup, &mut stream))
        .collect();
    let (mut natively, mut inside) = (Vec::new(), Vec::new());
    let (mut equal, mut failure) = (true, None);
    let began = Instant::now();
    for _ in 0..PASSES {
        let mut native = library(name, &setup)?;
        let sandboxed = plugin.searcher(&setup, &Limits::default());
        let mut sandboxed = sandboxed.map_err(|error| anyhow::anyhow!("{}", error.details()))?;
        for known in known.chunks(CHUNK) {
            native.seed_with(known)?;
            Side::seed_with(&mut sandboxed, known)?;
        }
        for round in 0..ROUNDS {
            let trial = TrialId::try_from(round)?;
            let (time, first) = one(native.as_mut(), trial)?;
            natively.push(time);
            if failure.is_none() {
                match one(&mut sandboxed, trial) {
                    Ok((time, second)) => {
                        inside.push(time);
                        equal &= first == second;
                    }
                    Err(error) => failure = Some(error.to_string()),
                }
            }
            if natively.iter().sum::<Duration>() > ENOUGH {
                break;
            }
        }
        if began.elapsed() > ENOUGH {
            break;
        }
    }
    let middle = |times: &[Duration]| show::median(times, Duration::as_secs_f64);
    Ok(Times {
        native: middle(&natively).context("no times")?,
        sandboxed: middle(&inside).filter(|_| failure.is_none()),
        failure,
        equal,
    })
}

/// The searcher as native code.
fn library(name: &str, setup: &Setup) -> Result<Box<dyn Side>> {
    match name {
        "tpe" => native::<Tpe>(setup),
        "gp" => native::<GpSearch>(setup),
        "cmaes" => native::<Cmaes>(setup),
        "random" => native::<Random>(setup),
        "grid" => native::<Grid>(setup),
        "sobol" => native::<SobolSearch>(setup),
        "halton" => native::<HaltonSearch>(setup),
        "evolution" => native::<Evolution>(setup),
        "bohb" => native::<Bohb>(setup),
        "dehb" => native::<Dehb>(setup),
        _ => bail!("no library {name}"),
    }
}

fn native<S: Searcher + 'static>(setup: &Setup) -> Result<Box<dyn Side>> {
    let wrong = |errors| anyhow::anyhow!("{errors:?}");
    let options = parse_options(&setup.options).map_err(wrong)?;
    Ok(Box::new(Native(S::init(setup, options).map_err(wrong)?)))
}

/// A suggestion and its result.
fn one(side: &mut dyn Side, trial: TrialId) -> Result<(Duration, Config)> {
    let began = Instant::now();
    let Suggestion::Configure(proposal) = side.suggest(trial)? else {
        bail!("no suggestion");
    };
    let asked = began.elapsed();
    let outcome = Outcome {
        ending: Ending::Finished,
        last: Some(report(&proposal.config)),
    };
    let began = Instant::now();
    side.complete(trial, &outcome)?;
    Ok((asked + began.elapsed(), proposal.config))
}

/// A space of so many numbers, and one loss.
pub(crate) fn setup(dims: u32) -> Setup {
    let parameter = |i: u32| Parameter {
        name: format!("x{i}"),
        domain: Domain::Real(RealRange {
            low: -5.0,
            high: 5.0,
            log: false,
            step: None,
        }),
        conditions: Vec::new(),
    };
    Setup {
        space: (0..dims).map(parameter).collect(),
        objectives: vec![Objective {
            metric: METRIC.to_owned(),
            maximize: false,
        }],
        constraints: Vec::new(),
        time_attr: "training_iteration".to_owned(),
        max_t: None,
        trials: None,
        slots: 1,
        seed: SEED,
        options: "{}".to_owned(),
    }
}

/// A trial somewhere.
fn observation(setup: &Setup, stream: &mut Stream) -> Observation {
    let draw = |p: &Parameter| (p.name.clone(), p.domain.sample(stream));
    let config: Config = setup.space.iter().map(draw).collect();
    Observation {
        last: Some(report(&config)),
        config,
        ending: Ending::Finished,
    }
}

/// The sum of squares.
fn report(config: &Config) -> Report {
    let squares = config.iter().filter_map(|(_, x)| x.as_f64()).map(|x| x * x);
    let report = Report::default().with(METRIC, squares.sum());
    report.with("training_iteration", 1.0).finished()
}

fn optuna(python: &Python, name: &str, dims: u32, trials: u32) -> Result<Duration> {
    let [dims, trials] = [dims, trials].map(|number| number.to_string());
    let said = python.json(OPTUNA, &[name, &dims, &trials])?;
    let seconds = said
        .get("seconds")
        .and_then(Value::as_f64)
        .context("no time")?;
    Ok(Duration::from_secs_f64(seconds))
}
