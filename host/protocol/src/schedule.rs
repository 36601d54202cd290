//! The protocol `schedule`: the client has the trials and the slots, a scheduler says who runs,
//! who goes on, who waits and who ends.

use serde_json::{Map, Value, json};
use tune_core::Deciders;
use tune_space::{Config, Creation, FailureKind, Next, Objective, Report, Setup, TrialId};

use crate::protocol::{Launch, Protocol};
use crate::request::Request;
use crate::trials::{METRIC, Over, Phase, TIME, Trials};
use crate::trouble::Trouble;

/// Calls of `next-to-run` for one request, as in the engine.
const MAX_TURNS: u32 = 64;

/// The state machine of `tune-host schedule`.
pub struct Schedule {
    launch: Launch,
    run: Result<Run, String>,
}

struct Run {
    plugin: Box<dyn Deciders>,
    max_t: Option<f64>,
    trials: Trials,
    /// Trials at `max_t` whose end the client has not confirmed; it need not.
    unconfirmed: Vec<TrialId>,
}

impl Schedule {
    /// A conversation in which no run has begun.
    #[must_use]
    pub fn new(launch: Launch) -> Self {
        Self {
            launch,
            run: Err("no run has begun".to_owned()),
        }
    }

    fn start(&mut self, request: &Request) -> Result<Value, Trouble> {
        request.only(&["direction", "max_t", "reduction_factor", "slots", "seed"])?;
        let directions = request.directions()?;
        let [maximize] = directions.as_slice() else {
            return Err(Trouble::bad(
                "`start`: a scheduler compares trials by one objective\n  hint: give one `direction`",
            ));
        };
        let max_t = request.positive("max_t")?;
        let mut options = Map::new();
        if let Some(factor) = request.positive("reduction_factor")? {
            options.insert("reduction_factor".to_owned(), factor.into());
        }
        let setup = Setup {
            space: Vec::new(),
            objectives: vec![Objective {
                metric: METRIC.to_owned(),
                maximize: *maximize,
            }],
            constraints: Vec::new(),
            time_attr: TIME.to_owned(),
            max_t,
            trials: None,
            slots: request.whole("slots", 1)?.unwrap_or(1),
            seed: request.whole("seed", 0)?.unwrap_or(0),
            options: Value::Object(options).to_string(),
        };
        let plugin = (self.launch)(&setup).map_err(Trouble::Bad)?;
        self.run = Ok(Run {
            plugin,
            max_t,
            trials: Trials::default(),
            unconfirmed: Vec::new(),
        });
        Ok(json!({"ok": true}))
    }
}

impl Protocol for Schedule {
    const COMMANDS: &'static [&'static str] = &["start", "next", "result", "complete", "error"];

    fn handle(&mut self, request: &Request) -> Result<Value, Trouble> {
        if request.command() == "start" {
            return self.start(request);
        }
        let run = self.run.as_mut().map_err(|why| not_running(request, why))?;
        match request.command() {
            "next" => run.next(request),
            "result" => run.result(request),
            "complete" => run.complete(request),
            _ => run.error(request),
        }
    }

    fn end(&mut self, why: String) {
        self.run = Err(why);
    }
}

/// There is no run that the request could be about: the first line of the reason, as all of it,
/// backtraces too, was said when the run ended.
pub(crate) fn not_running(request: &Request, why: &str) -> Trouble {
    let why = why.lines().next().unwrap_or_default();
    Trouble::bad(format!(
        "`{}` without a run: {why}\n  hint: send `start` first",
        request.command()
    ))
}

/// A result as plugins see it.
pub(crate) fn report(value: f64, t: f64) -> Report {
    Report::default().with(METRIC, value).with(TIME, t)
}

impl Run {
    fn next(&mut self, request: &Request) -> Result<Value, Trouble> {
        request.only(&["new_trial", "params"])?;
        let offered = match request.get("new_trial") {
            Some(_) => Some(request.id("new_trial")?),
            None => None,
        };
        if let Some(params) = request.get("params")
            && !params.is_object()
        {
            return Err(Trouble::bad(
                "`next`: `params` must be an object of names and values",
            ));
        }
        let known = offered.and_then(|name| Some((name, self.trials.get(self.trials.id(name)?)?)));
        if let Some((name, trial)) = known
            && trial.phase != Phase::Pending
        {
            return Err(Trouble::bad(format!(
                "`next`: trial {name} {}, it cannot be new\n  hint: offer an id that was never run",
                trial.phase.words()
            )));
        }
        // An id that the scheduler took and has not run yet is no second new trial.
        let mut creation = match (offered, known) {
            (Some(_), None) => Creation::Possible,
            (Some(_), Some(_)) => Creation::Waiting,
            (None, _) => Creation::Closed,
        };
        let config = params(request.get("params"));
        let mut stopped = Vec::new();
        for _ in 0..MAX_TURNS {
            let turn = self.plugin.next_to_run(creation)?;
            stopped.extend(self.trials.carry_out(turn.actions, None)?);
            match turn.next {
                Next::Run(id) => match self.trials.get(id).map(|t| (t.name, t.phase)) {
                    Some((name, phase @ (Phase::Pending | Phase::Paused))) => {
                        self.trials.set_phase(id, Phase::Running);
                        let is_new = phase == Phase::Pending && offered == Some(name);
                        let run = if is_new { json!("new") } else { json!(name) };
                        return Ok(with_actions("run", run, &stopped));
                    }
                    _ => self
                        .trials
                        .illegal(format!("run of trial {id}, which does not wait"))?,
                },
                Next::Create if creation == Creation::Possible => {
                    let name = offered.unwrap_or_default();
                    let id = self.trials.add(name, Phase::Pending)?;
                    creation = Creation::Waiting;
                    let actions = self.plugin.on_add(id, &config)?;
                    stopped.extend(self.trials.carry_out(actions, None)?);
                }
                Next::Create => self
                    .trials
                    .illegal("create, though no trial can be created".to_owned())?,
                next @ (Next::Idle | Next::Done) => {
                    return self.nothing(creation, next == Next::Done, &stopped);
                }
            }
        }
        self.nothing(creation, false, &stopped)
    }

    /// The scheduler has nothing to run.
    fn nothing(&self, creation: Creation, done: bool, stopped: &[u64]) -> Result<Value, Trouble> {
        if self.trials.any_running() {
            return Ok(with_actions("run", json!("wait"), stopped));
        }
        if creation == Creation::Closed && (done || self.trials.all_ended()) {
            return Ok(with_actions("run", json!("done"), stopped));
        }
        Err(Trouble::Over(format!(
            "deadlock: {} trials wait, nothing runs, and the scheduler runs and creates none",
            self.trials.waiting()
        )))
    }

    fn result(&mut self, request: &Request) -> Result<Value, Trouble> {
        request.only(&["trial", "t", "value"])?;
        let name = request.id("trial")?;
        let t = request.finite(
            "t",
            "the resource that the trial has used so far, a finite number",
        )?;
        let value = request.measured("value")?;
        let id = self.trials.running(name, "result")?;
        self.trials.check_time(id, "t", t)?;
        let (decision, stopped) = self.judge(id, t, value)?;
        Ok(with_actions("decision", json!(decision), &stopped))
    }

    fn judge(
        &mut self,
        id: TrialId,
        t: f64,
        value: f64,
    ) -> Result<(&'static str, Vec<u64>), Trouble> {
        let report = report(value, t);
        self.trials.note(id, t, report.clone());
        if self.max_t.is_some_and(|max_t| t >= max_t) {
            self.trials.set_phase(id, Phase::Ended(Over::AtMost));
            self.unconfirmed.push(id);
            let actions = self.plugin.on_complete(id, Some(&report))?;
            return Ok(("stop", self.trials.carry_out(actions, Some(id))?));
        }
        let actions = if self.trials.is_quiet(id, t) {
            Vec::new()
        } else {
            self.plugin.on_result(id, &report)?
        };
        let pause_requested = self.trials.get(id).is_some_and(|t| t.pause_requested);
        let stopped = self.trials.carry_out(actions, Some(id))?;
        let phase = self.trials.get(id).map(|trial| trial.phase);
        let decision = match phase {
            Some(Phase::Running) if pause_requested => {
                self.trials.set_phase(id, Phase::Paused);
                "pause"
            }
            Some(Phase::Running) => "continue",
            Some(Phase::Paused) => "pause",
            _ => "stop",
        };
        Ok((decision, stopped))
    }

    fn complete(&mut self, request: &Request) -> Result<Value, Trouble> {
        request.only(&["trial", "t", "value"])?;
        let name = request.id("trial")?;
        let value = match request.get("value") {
            Some(_) => Some(request.measured("value")?),
            None => None,
        };
        let t = match request.get("t") {
            Some(_) => Some(request.finite("t", "the resource that the trial has used, a number")?),
            None => None,
        };
        // The end of a trial at `max_t` is no news; a client that tells it anyway is right too.
        let at_most = self.trials.id(name);
        if let Some(place) = self.unconfirmed.iter().position(|id| at_most == Some(*id)) {
            self.unconfirmed.swap_remove(place);
            return Ok(json!({"ok": true}));
        }
        let id = self.trials.running(name, "complete")?;
        if let Some(t) = t {
            self.trials.check_time(id, "t", t)?;
        }
        let (before, last) = match self.trials.get(id) {
            Some(trial) => (trial.t, trial.last.clone()),
            None => (None, None),
        };
        let last = match value {
            Some(value) => Some(report(value, t.or(before).unwrap_or(0.0)).finished()),
            None => last,
        };
        self.trials.set_phase(id, Phase::Ended(Over::Complete));
        let actions = self.plugin.on_complete(id, last.as_ref())?;
        let stopped = self.trials.carry_out(actions, Some(id))?;
        Ok(with_actions("ok", json!(true), &stopped))
    }

    fn error(&mut self, request: &Request) -> Result<Value, Trouble> {
        request.only(&["trial"])?;
        let id = self.trials.running(request.id("trial")?, "error")?;
        self.trials.set_phase(id, Phase::Ended(Over::Failed));
        let actions = self.plugin.on_error(id, FailureKind::Reported, false)?;
        let stopped = self.trials.carry_out(actions, Some(id))?;
        Ok(with_actions("ok", json!(true), &stopped))
    }
}

/// The client's configuration of a new trial, as far as plugins can hold it: no scheduler of this
/// protocol may change it, some look at it.
fn params(given: Option<&Value>) -> Config {
    let mut config = Config::new();
    for (name, json) in given.and_then(Value::as_object).into_iter().flatten() {
        if let Some(value) = tune_space::Value::from_json(json) {
            config.insert(name.as_str(), value);
        }
    }
    config
}

fn with_actions(key: &str, value: Value, stopped: &[u64]) -> Value {
    let mut reply = Map::new();
    reply.insert(key.to_owned(), value);
    if !stopped.is_empty() {
        let actions = stopped.iter().map(|name| json!({"stop": name})).collect();
        reply.insert("actions".to_owned(), Value::Array(actions));
    }
    Value::Object(reply)
}
