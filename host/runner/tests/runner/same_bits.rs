//! The same code gives the same bits natively and in the sandbox.

use std::collections::VecDeque;
use std::sync::Arc;

use cap_std::ambient_authority;
use cap_std::fs::Dir;
use tune_core::Limits;
use tune_core::records::{
    Config, Ending, FailureKind, Observation, Outcome, Report, Setup, Suggestion, TrialInfo,
    TrialState,
};
use tune_plugin::Searcher;
use tune_runtime::{Control, DataSet, DataSets, Grants, TrialStart};

use crate::{plan, plugin};

const DIGITS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../data/digits");

fn info(seed: u64) -> TrialInfo {
    TrialInfo {
        trial: 0,
        seed,
        workers: 1,
        restoring: false,
    }
}

fn sandboxed(name: &str, info: &TrialInfo, config: &Config, steps: usize) -> Vec<Report> {
    let mut data = DataSets::new();
    let dir = Dir::open_ambient_dir(DIGITS, ambient_authority()).unwrap();
    data.grant("digits", DataSet::Folder(dir)).unwrap();
    let mut trial = plugin(name)
        .trial(TrialStart {
            info: info.clone(),
            config: config.clone(),
            limits: Limits::default(),
            data: Arc::new(data),
            grants: Grants::default(),
            control: Arc::new(Control::new()),
        })
        .unwrap();
    trial.setup(0).unwrap();
    (0..steps).map(|_| trial.step(0).unwrap()).collect()
}

#[test]
fn training_on_digits_in_both_forms() {
    tune_plugin::data::native::mount("digits", DIGITS);
    for (optimizer, lr) in [("adam", 0.003), ("sgd", 0.1)] {
        let mut config = Config::new();
        config.insert("optimizer", optimizer);
        config.insert("lr", lr);
        config.insert("hidden", 32);
        let info = info(99);
        let mut native = tune_digits_model::Training::of(&info, &config).unwrap();
        let native: Vec<Report> = (0..4).map(|_| Report::from(native.epoch())).collect();
        let bits = |reports: &[Report]| -> Vec<(String, u64)> {
            let metrics = reports.iter().flat_map(|r| &r.metrics);
            metrics
                .map(|m| (m.name.to_string(), m.value.to_bits()))
                .collect()
        };
        for form in ["digits-mlp", "digits-coroutine"] {
            let reports = sandboxed(form, &info, &config, 4);
            assert_eq!(bits(&reports), bits(&native), "{form} with {optimizer}");
        }
    }
}

/// Every kind of parameter, and one that is not always active.
const SPACE: &str = r#"
version = 1
trainable = "functions"
metric = "loss"
mode = "min"
trials = 40
slots = 4
seed = 11
max_t = 9
[space]
x = { uniform = [-5.0, 10.0] }
rate = { loguniform = [1e-6, 1.0] }
spread = { normal = [0.0, 2.0] }
width = { lograndint = [4, 512] }
step = { quniform = [0.0, 1.0, 0.1] }
kind = { choice = ["a", "b", "c"] }
order = { grid = [1, 2, 3] }
inner = { uniform = [0.0, 1.0], when = { kind = ["a", "b"] } }
"#;

/// Suggestions of `trials` trials, the oldest of three ending before the next is asked for: some
/// finish, some are stopped, some fail, some report what is no number.
fn same_suggestions<S: Searcher>(options: &str, trials: u32) {
    let plan = plan(SPACE);
    let setup = Setup {
        space: plan.space.clone(),
        objectives: plan.objectives.clone(),
        constraints: vec![],
        time_attr: plan.time_attr.clone(),
        max_t: plan.max_t,
        trials: Some(trials),
        slots: 3,
        seed: 5,
        options: options.to_owned(),
    };
    let searcher = plugin(S::NAME);
    let mut inside = searcher.searcher(&setup, &Limits::default()).unwrap();
    let mut outside = S::init(&setup, tune_plugin::parse_options(options).unwrap()).unwrap();
    let mut running = VecDeque::new();
    for trial in 0..trials {
        let suggestion = outside.suggest(trial, &Config::new()).unwrap();
        let other = inside.suggest(trial, &Config::new()).unwrap().unwrap();
        assert_eq!(suggestion, other, "{} trial {trial}", S::NAME);
        let Suggestion::Configure(proposal) = suggestion else {
            panic!("{suggestion:?}");
        };
        running.push_back((trial, proposal.config));
        if running.len() < 3 {
            continue;
        }
        let (trial, config) = running.pop_front().unwrap();
        let number = |name: &str| config.get(name).and_then(|v| v.as_f64()).unwrap_or(0.5);
        let loss = number("x") * number("x") + number("rate") + number("inner");
        let (ending, loss, t) = match trial % 8 {
            3 => (Ending::Failed(FailureKind::Trap), loss, 1.0),
            5 => (Ending::Finished, f64::NAN, 9.0),
            6 => (Ending::Stopped, loss, 3.0),
            _ => (Ending::Finished, loss, 9.0),
        };
        let report = Report::default()
            .with("loss", loss)
            .with("training_iteration", t);
        let last = Some(report.clone());
        let outcome = Outcome { ending, last };
        outside.observe(trial, &report, TrialState::Ended);
        outside.complete(trial, &outcome);
        inside.observe(trial, &report, TrialState::Ended).unwrap();
        inside.complete(trial, &outcome).unwrap();
    }
}

#[test]
fn suggestions_of_searchers_that_do_not_learn() {
    same_suggestions::<tune_searcher_random::Random>("{}", 40);
    same_suggestions::<tune_searchers::Grid>("{}", 40);
    same_suggestions::<tune_searchers::SobolSearch>("{}", 40);
    same_suggestions::<tune_searcher_halton::HaltonSearch>("{}", 40);
}

#[test]
fn suggestions_of_searchers_with_densities() {
    same_suggestions::<tune_searchers::Tpe>("{}", 60);
    same_suggestions::<tune_searchers::Dehb>("{}", 60);
    same_suggestions::<tune_searchers::Dehb>(r#"{"continue": true, "grace_period": 9}"#, 60);
    same_suggestions::<tune_searcher_bohb::Bohb>(r#"{"random_fraction": 0.1}"#, 60);
}

#[test]
fn suggestions_of_searchers_with_populations() {
    same_suggestions::<tune_searchers::Cmaes>("{}", 60);
    same_suggestions::<tune_searcher_evolution::Evolution>(r#"{"population_size": 12}"#, 60);
}

#[test]
fn suggestions_of_searchers_with_a_gaussian_process() {
    same_suggestions::<tune_searchers::GpSearch>("{}", 30);
    same_suggestions::<tune_searchers::Auto>("{}", 30);
}

/// As after `fork --search` of a long run.
#[test]
fn a_thousand_earlier_results_leave_suggestions_within_the_fuel_of_a_call() {
    let plan = plan(SPACE);
    let space = tune_plugin::Space::new(plan.space.clone()).unwrap();
    let setup = Setup {
        space: plan.space.clone(),
        objectives: plan.objectives.clone(),
        constraints: vec![],
        time_attr: plan.time_attr.clone(),
        max_t: plan.max_t,
        trials: Some(60),
        slots: 3,
        seed: 5,
        options: "{}".to_owned(),
    };
    let mut stream = tune_plugin::Stream::new(2);
    let known: Vec<Observation> = (0..1_000)
        .map(|_| {
            let config = space.sample(&mut stream, &Config::new()).unwrap();
            let x = config.f64("x").unwrap();
            let loss = x * x + config.f64("rate").unwrap();
            let report = Report::default().with("loss", loss);
            Observation {
                config,
                last: Some(report.with("training_iteration", 9.0)),
                ending: Ending::Finished,
            }
        })
        .collect();
    for name in ["gp", "auto"] {
        let searcher = plugin(name);
        let mut inside = searcher.searcher(&setup, &Limits::default()).unwrap();
        inside.seed_with(&known).unwrap();
        for trial in 0..3 {
            inside.suggest(trial, &Config::new()).unwrap().unwrap();
        }
    }
}
