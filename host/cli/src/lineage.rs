//! The reserved option `lineage = { run, trial }` of a scheduler that follows one: looked up in the
//! other run and turned into the first configuration, the changes that followed, and their seeds, so
//! that one trial repeats bit for bit what that trial and its donors did.

use std::path::Path;

use serde_json::{Map, Value, json};
use tune_core::records::{Config, Space};
use tune_core::{Base, EnginePlan, Lineage};
use tune_experiment::{ExperimentPlan, LineageOf};
use tune_store::{Header, PluginRecord};

use crate::failure::Failure;
use crate::history::History;
use crate::runs_dir;

/// The option that the scheduler is given the changes in.
pub(crate) const STEPS: &str = "steps";

/// Fills the plan in from the run that the experiment names, if it names one. Returns what that run
/// was made of.
///
/// # Errors
/// There is no such run or trial, it does not begin with `setup`, or its configurations do not fit
/// the file.
pub(crate) fn resolve(
    experiment: &mut ExperimentPlan,
    runs: &Path,
) -> Result<Option<Header>, Failure> {
    let Some(of) = experiment.lineage.clone() else {
        return Ok(None);
    };
    let refuse = |key: &str, message: String, hint: String| -> Failure {
        let key = format!("scheduler.lineage{key}");
        let diagnostic = experiment.diagnostic(&key, message, hint);
        experiment.diagnostics(vec![diagnostic]).into()
    };
    let history = runs_dir::find(runs, &of.run)
        .and_then(|path| History::read(&path))
        .map_err(|failure| {
            let message = failure.message();
            let (message, hint) = message.split_once("\n  hint: ").unwrap_or((&message, ""));
            refuse(".run", message.to_owned(), hint.to_owned())
        })?;
    let engine = &history.engine;
    let trial = engine.trial(of.trial).ok_or_else(|| {
        refuse(
            ".trial",
            format!("run {} has no trial {}", history.view.name, of.trial),
            format!("it has {} trials", engine.trials().len()),
        )
    })?;
    let recipe = engine.recipe(trial.point(), &|_| false)?;
    let Base::Setup { info, config } = recipe.base else {
        return Err(refuse(
            "",
            format!(
                "trial {} of {} began with a state of another run",
                of.trial, history.view.name
            ),
            "follow the lineage in the run that it was forked from".to_owned(),
        ));
    };
    let fit = |config: &Config| {
        fitting(&experiment.engine, config).map_err(|message| {
            refuse(
                "",
                format!("a configuration of the lineage does not fit this file: {message}"),
                format!("use the [space] of the run {}", history.view.name),
            )
        })
    };
    let first = fit(&config)?;
    let (mut steps, mut changes) = (Vec::new(), Vec::new());
    for (iteration, step) in (0..).zip(&recipe.steps) {
        if let Some(change) = &step.change {
            let config = fit(&change.config)?;
            steps.push(json!({ "iteration": iteration, "config": flat(&config) }));
            changes.push((iteration, change.seed));
        }
    }
    let mut options: Map<String, Value> =
        serde_json::from_str(&experiment.engine.scheduler.1).unwrap_or_default();
    if options.contains_key(STEPS) {
        return Err(refuse(
            "",
            format!("`{STEPS}` and `lineage` are both given"),
            "remove one: the lineage is turned into the steps".to_owned(),
        ));
    }
    options.insert(STEPS.to_owned(), steps.into());
    let plan = &mut experiment.engine;
    plan.scheduler.1 = Value::Object(options).to_string();
    plan.points_to_evaluate = vec![first];
    plan.lineage = Some(Lineage {
        seed: info.seed,
        changes,
    });
    Ok(Some(history.header))
}

/// What is not the same as in the run that the lineage is taken from, so that results may differ.
pub(crate) fn differences(of: &LineageOf, then: &Header, now: &[PluginRecord]) -> Option<String> {
    let different: Vec<String> = then
        .plugins
        .iter()
        .filter(|record| record.role != "searcher" && record.role != "scheduler")
        .filter(|record| {
            !now.iter()
                .any(|n| n.role == record.role && n.hash == record.hash)
        })
        .map(|record| format!("`{}`", record.name))
        .collect();
    (!different.is_empty()).then(|| {
        format!(
            "warning: {} of {} is not what this run uses; its results may differ from the lineage's",
            different.join(", "),
            of.run
        )
    })
}

/// The part of a recorded configuration that a plan would suggest; the rest must be what the plan
/// adds to it.
fn fitting(plan: &EnginePlan, recorded: &Config) -> Result<Config, String> {
    let space = Space::new(plan.space.clone()).map_err(|e| e.to_string())?;
    let mut suggested = Config::new();
    for (name, value) in recorded
        .iter()
        .filter(|(name, _)| space.get(name).is_some())
    {
        suggested.insert(name, value.clone());
    }
    space.check(&suggested).map_err(|e| e.to_string())?;
    let mut whole = suggested.clone();
    for (name, value) in plan.constants.iter() {
        whole.insert(name, value.clone());
    }
    tune_core::evaluate(&plan.derived, &mut whole).map_err(|e| e.to_string())?;
    let changes = tune_report::value_changes(recorded, &whole);
    match changes.first() {
        None => Ok(suggested),
        Some(change) => {
            let text = |value: &Option<tune_core::records::Value>| {
                value
                    .as_ref()
                    .map_or_else(|| "none".to_owned(), ToString::to_string)
            };
            Err(format!(
                "`{}` was {}, here it is {}",
                change.name,
                text(&change.before),
                text(&change.after)
            ))
        }
    }
}

/// Dotted names and values.
fn flat(config: &Config) -> Value {
    config
        .iter()
        .map(|(name, value)| (name.to_owned(), value.to_json()))
        .collect::<Map<_, _>>()
        .into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_recorded_configuration_must_be_what_the_plan_would_make_of_it() {
        let text = "version = 1\ntrainable = \"t\"\nmetric = \"m\"\nmode = \"max\"\ntrials = 1\n\
                    [space]\nlr = { uniform = [0, 1] }\nbatch = 32\ntwice = { derived = \"lr * 2\" }\n";
        let plan = tune_experiment::parse(text, "x.toml", 0).unwrap().engine;
        let mut recorded = Config::new();
        recorded.insert("lr", 0.5);
        recorded.insert("batch", 32_i64);
        recorded.insert("twice", 1.0);
        let suggested = fitting(&plan, &recorded).unwrap();
        assert_eq!(flat(&suggested), json!({ "lr": 0.5 }));
        recorded.insert("batch", 64_i64);
        let message = fitting(&plan, &recorded).unwrap_err();
        assert_eq!(message, "`batch` was 64, here it is 32");
        recorded.insert("batch", 32_i64);
        recorded.insert("lr", 3.0);
        assert!(fitting(&plan, &recorded).unwrap_err().contains("`lr`"));
    }

    #[test]
    fn another_trainable_or_other_data_are_named() {
        let record = |role: &str, hash: &str| PluginRecord {
            role: role.to_owned(),
            name: role.to_owned(),
            version: String::new(),
            hash: hash.to_owned(),
        };
        let header = Header {
            plugins: vec![
                record("trainable", "a"),
                record("scheduler", "b"),
                record("data:d", "c"),
            ],
            ..Header::default()
        };
        let of = LineageOf {
            run: "toy".to_owned(),
            trial: 0,
        };
        let now = [record("trainable", "a"), record("data:d", "x")];
        let warning = differences(&of, &header, &now).unwrap();
        assert!(
            warning.starts_with("warning: `data:d` of toy is not"),
            "{warning}"
        );
        assert_eq!(differences(&of, &header, &header.plugins), None);
    }
}
