//! The scheduler `pbt-replay`: follows a schedule of configurations, such as the one that population
//! based training found on the way to one of its members.
//!
//! A lineage (a member, the one that it was copied from, the one that *that* was copied from, ..) is
//! one training whose configuration changed at some iterations. With `lineage = { run, trial }` the
//! host looks it up and hands it over as `steps`; written by hand, `steps` is any schedule. As in
//! Ray Tune's `PopulationBasedTrainingReplay` the changes come where the donors were copied; other
//! than there, a trial that was never copied is a lineage too (of no steps), and the host gives
//! every change the seed that it had, so that the training repeats bit for bit.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Map, Value as Json};
use tune_plugin::{
    Action, Config, Creation, OptionError, PluginOptions, Report, Scheduler, Setup, Space, TrialId,
    Turn, Value,
    schedule::{Queue, refused},
};

/// Filled in by the host: reports of a trial, those of its donors included.
const ITERATION: &str = "training_iteration";

/// One change as the experiment holds it.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Step {
    /// The report after which the configuration changes, from 1.
    iteration: u64,
    /// Dotted names and values; what is not in the space, such as constants, is passed over.
    config: Map<String, Json>,
}

/// What a `[scheduler]` table may hold.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Options {
    steps: Vec<Step>,
}

// Written by hand: the attribute `options` knows no lists of tables.
impl PluginOptions for Options {
    const SCHEMA: &'static str = concat!(
        r#"{"type":"object","properties":{"steps":{"type":"array","items":{"type":"object","#,
        r#""properties":{"iteration":{"type":"integer","minimum":1},"config":{"type":"object"}},"#,
        r#""required":["iteration","config"],"additionalProperties":false},"#,
        r#""description":"Changes, each { iteration = N, config = { name = value, .. } }: after "#,
        r#"iteration N every trial goes on with this configuration. `lineage = { run = \"..\", "#,
        r#"trial = N }` fills it in from a run."}},"#,
        r#""required":["steps"],"additionalProperties":false}"#
    );
}

/// The schedule and who waits for a slot.
#[derive(Debug)]
pub struct PbtReplay {
    /// By iteration; of several at the same one the last.
    steps: BTreeMap<u64, Config>,
    queue: Queue,
}

/// The part of a table that is in the space, as a configuration of it.
fn configuration(space: &Space, table: &Map<String, Json>) -> Result<Config, String> {
    let mut config = Config::new();
    for (name, json) in table.iter().filter(|(name, _)| space.get(name).is_some()) {
        let value = Value::from_json(json).ok_or_else(|| format!("`{name}` is {json}"))?;
        config.insert(name.as_str(), value);
    }
    match space.check(&config) {
        Ok(()) => Ok(config),
        Err(error) => Err(error.to_string()),
    }
}

impl Scheduler for PbtReplay {
    const NAME: &'static str = "pbt-replay";
    const SUMMARY: &'static str =
        "Follows a schedule of configurations, such as the lineage of a pbt run's trial";
    const CHANGES_CONFIG: bool = true;
    type Options = Options;

    fn init(setup: &Setup, options: Options) -> Result<Self, Vec<OptionError>> {
        let space = Space::new(setup.space.clone()).map_err(|error| vec![error.into()])?;
        let mut errors = Vec::new();
        let mut steps = BTreeMap::new();
        for (number, step) in options.steps.iter().enumerate() {
            if step.iteration == 0 {
                errors.push(refused(
                    &format!("steps[{number}].iteration"),
                    "there is no report 0",
                    "iterations are counted from 1; the first configuration is a point to evaluate",
                ));
            }
            match configuration(&space, &step.config) {
                Ok(config) => {
                    steps.insert(step.iteration, config);
                }
                Err(message) => errors.push(refused(
                    &format!("steps[{number}].config"),
                    message,
                    "a step holds the whole configuration, as `[space]` allows it",
                )),
            }
        }
        if errors.is_empty() {
            Ok(Self {
                steps,
                queue: Queue::default(),
            })
        } else {
            Err(errors)
        }
    }

    fn on_add(&mut self, trial: TrialId, _: &Config) -> Vec<Action> {
        self.queue.add(trial)
    }

    fn on_result(&mut self, trial: TrialId, report: &Report) -> Vec<Action> {
        // Grows by one a report.
        let iteration = report.get(ITERATION).unwrap_or(0.0) as u64;
        let change = self.steps.get(&iteration);
        let action = change.map(|config| Action::SetConfig(trial, config.clone()));
        action.into_iter().collect()
    }

    fn on_remove(&mut self, trial: TrialId) -> Vec<Action> {
        self.queue.remove(trial)
    }

    fn next_to_run(&mut self, creation: Creation) -> Turn {
        self.queue.next(creation)
    }

    fn describe(&self) -> String {
        let at: Vec<String> = self.steps.keys().take(100).map(u64::to_string).collect();
        format!(
            "pbt-replay: {} changes, at {}",
            self.steps.len(),
            at.join(", ")
        )
    }
}

tune_plugin::export_scheduler!(PbtReplay);

#[cfg(test)]
mod tests {
    use super::*;
    use tune_plugin::{Condition, Domain, Next, Parameter, RealRange, parse_options};

    fn parameter(name: &str, conditions: Vec<Condition>) -> Parameter {
        Parameter {
            name: name.to_owned(),
            domain: Domain::Real(RealRange {
                low: 0.0,
                high: 1.0,
                log: false,
                step: None,
            }),
            conditions,
        }
    }

    fn try_new(options: &str) -> Result<PbtReplay, Vec<OptionError>> {
        let setup = Setup {
            space: vec![parameter("lr", vec![]), parameter("net.drop", vec![])],
            objectives: Vec::new(),
            constraints: Vec::new(),
            time_attr: "training_iteration".to_owned(),
            max_t: Some(10.0),
            trials: Some(1),
            slots: 1,
            seed: 0,
            options: options.to_owned(),
        };
        PbtReplay::init(&setup, parse_options(options)?)
    }

    const STEPS: &str = r#"{"steps":[
        {"iteration":4,"config":{"lr":0.5,"net.drop":0.25,"batch":32}},
        {"iteration":8,"config":{"lr":0.6,"net.drop":0.25}},
        {"iteration":8,"config":{"lr":0.1,"net.drop":0.75}}]}"#;

    fn at(replay: &mut PbtReplay, iteration: f64) -> Vec<Action> {
        replay.on_result(0, &Report::default().with(ITERATION, iteration))
    }

    #[test]
    fn each_change_is_made_at_its_iteration_and_the_last_of_two_at_the_same_one() {
        let mut replay = try_new(STEPS).unwrap();
        replay.on_add(0, &Config::new());
        assert_eq!(replay.next_to_run(Creation::Closed).next, Next::Run(0));
        assert_eq!(replay.next_to_run(Creation::Closed).next, Next::Done);
        let mut changes = Vec::new();
        for iteration in 1..=10 {
            for action in at(&mut replay, f64::from(iteration)) {
                let Action::SetConfig(0, config) = action else {
                    panic!("{action:?}");
                };
                changes.push(format!("{iteration}: {config}"));
            }
        }
        assert_eq!(
            changes,
            ["4: lr=0.5 net.drop=0.25", "8: lr=0.1 net.drop=0.75"]
        );
        assert_eq!(replay.on_result(0, &Report::default()), []);
        assert_eq!(at(&mut replay, f64::NAN), []);
        assert_eq!(replay.describe(), "pbt-replay: 2 changes, at 4, 8");
    }

    #[test]
    fn a_lineage_without_changes_is_one_too() {
        let mut replay = try_new(r#"{"steps":[]}"#).unwrap();
        assert_eq!(at(&mut replay, 1.0), []);
    }

    #[test]
    fn steps_that_cannot_be_followed_are_all_named() {
        let options = r#"{"steps":[
            {"iteration":0,"config":{"lr":0.5,"net.drop":0.5}},
            {"iteration":1,"config":{"lr":7.0,"net.drop":0.5}},
            {"iteration":2,"config":{"lr":0.5}},
            {"iteration":3,"config":{"lr":null,"net.drop":0.5}}]}"#;
        let errors = try_new(options).unwrap_err();
        let keys: Vec<&str> = errors.iter().map(|e| e.key.as_str()).collect();
        let expected = [
            "steps[0].iteration",
            "steps[1].config",
            "steps[2].config",
            "steps[3].config",
        ];
        assert_eq!(keys, expected);
        let error = try_new(r#"{"steps":[{"iteration":-1,"config":{}}]}"#).unwrap_err();
        assert!(
            error.first().unwrap().key.starts_with("steps[0].iteration"),
            "{error:?}"
        );
        let schema: Json = serde_json::from_str(Options::SCHEMA).unwrap();
        assert_eq!(schema["required"][0], "steps");
    }
}
