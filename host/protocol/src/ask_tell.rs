//! The protocol `ask-tell`: the client has the objective, a searcher says what to try, and with a
//! scheduler what is not worth going on with.

use serde_json::{Value, json};
use tune_core::Deciders;
use tune_space::{
    Config, Creation, Ending, FailureKind, Next, Objective, Observation, Outcome, Report, Setup,
    Space, Suggestion, TrialId, TrialState,
};

use crate::protocol::{Launch, Protocol};
use crate::request::Request;
use crate::schedule::not_running;
use crate::space;
use crate::trials::{METRIC, Over, Phase, TIME, Trials};
use crate::trouble::Trouble;

/// Bad suggestions in a row before the run is over, as in the engine.
const MAX_REJECTED: u32 = 3;
/// Calls of `next-to-run` for one request, as in the engine.
const MAX_TURNS: u32 = 64;

/// The state machine of `tune-host ask-tell`.
pub struct AskTell {
    launch: Launch,
    /// There is a scheduler.
    schedules: bool,
    run: Result<Run, String>,
}

struct Run {
    plugins: Box<dyn Deciders>,
    schedules: bool,
    space: Space,
    metrics: Vec<String>,
    budget: Option<u32>,
    max_t: Option<f64>,
    /// The searcher has nothing more.
    exhausted: bool,
    trials: Trials,
    configs: Vec<Config>,
    /// Told, by the id of the plugins.
    told: Vec<bool>,
    /// Not told yet.
    open: usize,
    /// Told without having been asked.
    elsewhere: std::collections::BTreeSet<u64>,
}

impl AskTell {
    /// A conversation in which no run has begun, with a scheduler or without.
    #[must_use]
    pub fn new(launch: Launch, schedules: bool) -> Self {
        Self {
            launch,
            schedules,
            run: Err("no run has begun".to_owned()),
        }
    }

    fn start(&mut self, request: &Request) -> Result<Value, Trouble> {
        request.only(&["direction", "seed", "budget", "space", "max_t", "slots"])?;
        let directions = request.directions()?;
        let metrics: Vec<String> = match directions.len() {
            1 => vec![METRIC.to_owned()],
            count => (0..count).map(|i| format!("{METRIC}_{i}")).collect(),
        };
        let space = space::space(request.required("space", "a list of parameters")?)?;
        let objectives = metrics.iter().zip(&directions);
        let objectives = objectives.map(|(metric, maximize)| Objective {
            metric: metric.clone(),
            maximize: *maximize,
        });
        let budget = request.whole("budget", 1)?;
        let max_t = request.positive("max_t")?;
        let setup = Setup {
            space: space.parameters().to_vec(),
            objectives: objectives.collect(),
            constraints: Vec::new(),
            time_attr: TIME.to_owned(),
            max_t,
            trials: budget,
            slots: request.whole("slots", 1)?.unwrap_or(1),
            seed: request.whole("seed", 0)?.unwrap_or(0),
            options: "{}".to_owned(),
        };
        let plugins = (self.launch)(&setup).map_err(Trouble::Bad)?;
        self.run = Ok(Run {
            plugins,
            schedules: self.schedules,
            space,
            metrics,
            budget,
            max_t,
            exhausted: false,
            trials: Trials::default(),
            configs: Vec::new(),
            told: Vec::new(),
            open: 0,
            elsewhere: std::collections::BTreeSet::new(),
        });
        Ok(json!({"ok": true}))
    }
}

impl Protocol for AskTell {
    const COMMANDS: &'static [&'static str] = &["start", "ask", "tell", "report"];

    fn handle(&mut self, request: &Request) -> Result<Value, Trouble> {
        if request.command() == "start" {
            return self.start(request);
        }
        let run = self.run.as_mut().map_err(|why| not_running(request, why))?;
        match request.command() {
            "ask" => run.ask(request),
            "tell" => run.tell(request),
            _ => run.report(request),
        }
    }

    fn end(&mut self, why: String) {
        self.run = Err(why);
    }
}

/// What became of a question for a new trial.
enum Created {
    Yes(TrialId),
    Wait,
    Exhausted,
}

impl Run {
    fn ask(&mut self, request: &Request) -> Result<Value, Trouble> {
        request.only(&["id"])?;
        let name = request.id("id")?;
        if self.trials.id(name).is_some() || self.elsewhere.contains(&name) {
            return Err(Trouble::bad(format!(
                "`ask`: the id {name} was used before\n  hint: every trial has an id of its own"
            )));
        }
        let created = if self.schedules {
            self.ask_scheduler(name)?
        } else {
            self.create(name)?
        };
        match created {
            Created::Yes(id) => {
                self.trials.set_phase(id, Phase::Running);
                let config = self.configs.get(id as usize);
                Ok(json!({"params": config.map(Config::to_json)}))
            }
            Created::Exhausted => Ok(json!({"exhausted": true})),
            Created::Wait if self.open > 0 => Ok(json!({"wait": true})),
            Created::Wait => Err(Trouble::Over(
                "deadlock: the plugins wait for results, and no trial is open".to_owned(),
            )),
        }
    }

    /// A slot is free: the scheduler says whether a trial is created, as in the engine.
    fn ask_scheduler(&mut self, name: u64) -> Result<Created, Trouble> {
        let mut creation = if self.closed() {
            Creation::Closed
        } else {
            Creation::Possible
        };
        for _ in 0..MAX_TURNS {
            let turn = self.plugins.next_to_run(creation)?;
            self.trials.carry_out(turn.actions, None)?;
            match turn.next {
                Next::Run(id) => match self.trials.get(id).map(|t| (t.name, t.phase)) {
                    Some((new, Phase::Pending)) if new == name => return Ok(Created::Yes(id)),
                    _ => self
                        .trials
                        .illegal(format!("run of trial {id}, which does not wait"))?,
                },
                Next::Create if creation == Creation::Possible => match self.create(name)? {
                    Created::Yes(_) | Created::Wait => creation = Creation::Waiting,
                    Created::Exhausted => creation = Creation::Closed,
                },
                Next::Create => self
                    .trials
                    .illegal("create, though no trial can be created".to_owned())?,
                Next::Idle | Next::Done if creation == Creation::Closed => {
                    return Ok(Created::Exhausted);
                }
                Next::Idle | Next::Done => break,
            }
        }
        if self.trials.id(name).is_some() {
            return Err(Trouble::Over(
                "the scheduler does not run a trial that it created: it pauses trials, which ask-tell \
                 cannot\n  hint: use a scheduler that stops trials, such as asha or median-stopping"
                    .to_owned(),
            ));
        }
        Ok(Created::Wait)
    }

    fn closed(&self) -> bool {
        let used = self.trials.len();
        self.exhausted || self.budget.is_some_and(|budget| used >= budget as usize)
    }

    /// Asks the searcher for a trial.
    fn create(&mut self, name: u64) -> Result<Created, Trouble> {
        if self.closed() {
            return Ok(Created::Exhausted);
        }
        let id = self.trials.next_id()?;
        let mut reason = String::new();
        for _ in 0..MAX_REJECTED {
            match self.plugins.suggest(id, &Config::new())? {
                Ok(Suggestion::Configure(proposal)) => {
                    if proposal.budget.is_some() || proposal.start_from.is_some() {
                        reason =
                            "it gives a budget or a trial to start from, which ask-tell cannot \
                                  carry out"
                                .to_owned();
                        continue;
                    }
                    if let Err(error) = self.space.check(&proposal.config) {
                        reason = error.to_string();
                        continue;
                    }
                    self.trials.add(name, Phase::Pending)?;
                    self.configs.push(proposal.config.clone());
                    self.told.push(false);
                    self.open += 1;
                    if self.schedules {
                        let actions = self.plugins.on_add(id, &proposal.config)?;
                        self.trials.carry_out(actions, None)?;
                    }
                    return Ok(Created::Yes(id));
                }
                Ok(Suggestion::Wait) => return Ok(Created::Wait),
                Ok(Suggestion::Exhausted) => {
                    self.exhausted = true;
                    return Ok(Created::Exhausted);
                }
                Err(failure) => reason = failure.to_string(),
            }
        }
        Err(Trouble::Over(format!(
            "the searcher gave {MAX_REJECTED} bad suggestions in a row, the last one: {reason}"
        )))
    }

    fn report(&mut self, request: &Request) -> Result<Value, Trouble> {
        request.only(&["id", "step", "value"])?;
        if !self.schedules {
            return Err(Trouble::bad(
                "`report` without a scheduler\n  hint: tune-host ask-tell --searcher .. --scheduler ..",
            ));
        }
        let name = request.id("id")?;
        let step = request.finite(
            "step",
            "the resource that the trial has used so far, a number",
        )?;
        let value = request.measured("value")?;
        let id = self.open_trial(name, "report")?;
        self.trials.check_time(id, "step", step)?;
        let stop = json!({"decision": "stop"});
        if self.trials.get(id).map(|trial| trial.phase) != Some(Phase::Running) {
            // It was told before, or another trial's result stopped it.
            return Ok(stop);
        }
        let first = self.metrics.first().map_or(METRIC, String::as_str);
        let report = Report::default().with(first, value).with(TIME, step);
        self.trials.note(id, step, report.clone());
        if self.max_t.is_some_and(|max_t| step >= max_t) {
            self.trials.set_phase(id, Phase::Ended(Over::AtMost));
            let actions = self.plugins.on_complete(id, Some(&report))?;
            self.trials.carry_out(actions, Some(id))?;
        } else if !self.trials.is_quiet(id, step) {
            let actions = self.plugins.on_result(id, &report)?;
            self.trials.carry_out(actions, Some(id))?;
        }
        let trial = self.trials.get(id);
        let phase = trial.map(|trial| trial.phase);
        if phase == Some(Phase::Paused) || trial.is_some_and(|trial| trial.pause_requested) {
            return Err(Trouble::Over(
                "the scheduler pauses trials, which ask-tell cannot\n  hint: use one that stops trials, \
                 such as asha or median-stopping"
                    .to_owned(),
            ));
        }
        self.plugins.observe(id, &report, TrialState::Running)?;
        Ok(if phase == Some(Phase::Running) {
            json!({"decision": "continue"})
        } else {
            stop
        })
    }

    fn tell(&mut self, request: &Request) -> Result<Value, Trouble> {
        request.only(&["id", "params", "value", "values"])?;
        let name = request.id("id")?;
        let values = self.values(request)?;
        let params = request.get("params");
        let params = params.map(|json| space::config(&self.space, json));
        let params = params.transpose()?;
        let Some(id) = self.trials.id(name) else {
            return self.tell_elsewhere(name, params, values);
        };
        self.open_trial(name, "tell")?;
        if params.is_some_and(|given| self.configs.get(id as usize) != Some(&given)) {
            return Err(Trouble::bad(format!(
                "`tell`: `params` are not those that trial {name} was given\n  hint: leave them out, or \
                 tell results from elsewhere under an id of their own"
            )));
        }
        let trial = self.trials.get(id);
        let (phase, t, last) = match trial {
            Some(trial) => (trial.phase, trial.t, trial.last.clone()),
            None => (Phase::Running, None, None),
        };
        let runs = phase == Phase::Running;
        let (ending, last) = match values {
            None => (Ending::Failed(FailureKind::Reported), last),
            Some(values) => {
                let report = self.final_report(&values, t);
                let told = last.as_ref().map(|last| self.values_of(last));
                if told.as_ref() != Some(&values) {
                    self.plugins.observe(id, &report, TrialState::Ended)?;
                }
                let stopped = phase == Phase::Ended(Over::Stopped);
                let ending = if stopped {
                    Ending::Stopped
                } else {
                    Ending::Finished
                };
                (ending, Some(report))
            }
        };
        if runs {
            let failed = matches!(ending, Ending::Failed(_));
            let over = if failed { Over::Failed } else { Over::Complete };
            self.trials.set_phase(id, Phase::Ended(over));
        }
        if let Some(told) = self.told.get_mut(id as usize) {
            *told = true;
        }
        self.open -= 1;
        if runs && self.schedules {
            let actions = match ending {
                Ending::Failed(kind) => self.plugins.on_error(id, kind, false)?,
                _ => self.plugins.on_complete(id, last.as_ref())?,
            };
            self.trials.carry_out(actions, Some(id))?;
        }
        self.plugins.complete(id, &Outcome { ending, last })?;
        Ok(json!({"ok": true}))
    }

    /// A result that was not asked for.
    fn tell_elsewhere(
        &mut self,
        name: u64,
        params: Option<Config>,
        values: Option<Vec<f64>>,
    ) -> Result<Value, Trouble> {
        if self.elsewhere.contains(&name) {
            return Err(told_twice(name));
        }
        let Some(config) = params else {
            return Err(Trouble::bad(format!(
                "`tell`: the id {name} was never asked, and there are no `params`\n  hint: a result from \
                 elsewhere needs its `params`"
            )));
        };
        let known = Observation {
            config,
            ending: match values {
                Some(_) => Ending::Finished,
                None => Ending::Failed(FailureKind::Reported),
            },
            last: values.map(|values| self.final_report(&values, None)),
        };
        self.elsewhere.insert(name);
        self.plugins.seed_with(&[known])?;
        Ok(json!({"ok": true}))
    }

    /// `value` or `values`; none if the trial failed.
    fn values(&self, request: &Request) -> Result<Option<Vec<f64>>, Trouble> {
        let count = self.metrics.len();
        let Some(list) = request.get("values") else {
            let value = request.required("value", "a number; null if the trial failed")?;
            if value.is_null() {
                return Ok(None);
            }
            if count > 1 {
                return Err(Trouble::bad(format!(
                    "`tell`: there are {count} objectives\n  hint: give `values`, a list"
                )));
            }
            return Ok(Some(vec![request.measured("value")?]));
        };
        if list.is_null() {
            return Ok(None);
        }
        let numbers = list.as_array().filter(|list| list.len() == count);
        let numbers = numbers.and_then(|list| {
            let number = |value: &Value| match value {
                Value::Null => Some(f64::NAN),
                value => value.as_f64().filter(|number| number.is_finite()),
            };
            list.iter().map(number).collect::<Option<Vec<_>>>()
        });
        if request.get("value").is_some() || numbers.is_none() {
            return Err(Trouble::bad(format!(
                "`tell`: `values` must be a list of {count} numbers, without `value` beside it\n  hint: \
                 null in the list is a number that is NaN; `values` null: the trial failed"
            )));
        }
        Ok(numbers)
    }

    fn final_report(&self, values: &[f64], t: Option<f64>) -> Report {
        let mut report = Report::default();
        for (metric, value) in self.metrics.iter().zip(values) {
            report = report.with(metric.as_str(), *value);
        }
        // An evaluation that says nothing of its resource used one unit.
        report.with(TIME, t.unwrap_or(1.0)).finished()
    }

    fn values_of(&self, report: &Report) -> Vec<f64> {
        self.metrics
            .iter()
            .map(|metric| report.get(metric).unwrap_or(f64::NAN))
            .collect()
    }

    /// A trial that was asked for and not told yet.
    fn open_trial(&self, name: u64, what: &str) -> Result<TrialId, Trouble> {
        match self.trials.id(name) {
            Some(id) if self.told.get(id as usize) == Some(&false) => Ok(id),
            Some(_) => Err(told_twice(name)),
            None if self.elsewhere.contains(&name) => Err(told_twice(name)),
            None => Err(Trouble::bad(format!(
                "`{what}`: there is no trial {name}\n  hint: `ask` makes one"
            ))),
        }
    }
}

fn told_twice(name: u64) -> Trouble {
    Trouble::bad(format!(
        "trial {name} was told before\n  hint: a trial has one result"
    ))
}
