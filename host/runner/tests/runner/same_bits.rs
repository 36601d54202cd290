//! The same code gives the same bits natively and in the sandbox.

use std::sync::Arc;

use cap_std::ambient_authority;
use cap_std::fs::Dir;
use tune_core::Limits;
use tune_core::records::{
    Config, Ending, Outcome, Report, Setup, Suggestion, TrialInfo, TrialState,
};
use tune_runtime::{Control, DataSet, DataSets, Grants, TrialStart};

use crate::{BRANIN, plan, plugin};

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
                .map(|m| (m.name.clone(), m.value.to_bits()))
                .collect()
        };
        for form in ["digits-mlp", "digits-coroutine"] {
            let reports = sandboxed(form, &info, &config, 4);
            assert_eq!(bits(&reports), bits(&native), "{form} with {optimizer}");
        }
    }
}

#[test]
fn suggestions_of_tpe_for_a_whole_run() {
    use tune_plugin::Searcher;
    let plan = plan(BRANIN);
    let setup = Setup {
        space: plan.space.clone(),
        objectives: plan.objectives.clone(),
        constraints: vec![],
        time_attr: plan.time_attr.clone(),
        max_t: plan.max_t,
        trials: Some(60),
        slots: 4,
        seed: 5,
        options: "{}".to_owned(),
    };
    let mut inside = plugin("tpe").searcher(&setup, &Limits::default()).unwrap();
    let options = tune_plugin::parse_options("{}").unwrap();
    let mut outside = tune_searchers::Tpe::init(&setup, options).unwrap();
    for trial in 0..60 {
        let suggestion = outside.suggest(trial, &Config::new()).unwrap();
        let other = inside.suggest(trial, &Config::new()).unwrap().unwrap();
        assert_eq!(suggestion, other, "trial {trial}");
        let Suggestion::Configure(proposal) = suggestion else {
            panic!("{suggestion:?}");
        };
        let x = proposal.config.get("x0").unwrap().as_f64().unwrap();
        let report = Report::default()
            .with("value", x * x)
            .with("training_iteration", 1.0);
        let outcome = Outcome {
            ending: Ending::Finished,
            last: Some(report.clone()),
        };
        outside.observe(trial, &report, TrialState::Ended);
        outside.complete(trial, &outcome);
        inside.observe(trial, &report, TrialState::Ended).unwrap();
        inside.complete(trial, &outcome).unwrap();
    }
}
