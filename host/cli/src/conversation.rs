//! A conversation over JSON lines with sandboxed plugins: finds and loads them, starts them afresh
//! for every run, and carries lines from standard input to the protocol and replies to standard
//! output, one flush each. What a request means is decided in `tune-protocol`.

use std::io::{self, BufRead, Read, Write};
use std::path::Path;

use serde_json::{Map, Value};
use tune_core::records::{
    Action, Config, Creation, Failure as PluginError, FailureKind, Observation, OptionError,
    Outcome, Report, Setup, Suggestion, TrialId, TrialState, Turn,
};
use tune_core::{Deciders, Limits, PluginFault, Stop, host_bug, seeds};
use tune_experiment::HostLimits;
use tune_protocol::{Launch, MAX_LINE, Protocol};
use tune_report::clean;
use tune_runtime::{InitError, Plugin, PluginKind, Runtime, SchedulerInstance, SearcherInstance};

use crate::catalog::{Catalog, Source};
use crate::failure::Failure;
use crate::{output, prepare};

/// Where plugins are found and how they are loaded.
pub(crate) struct Opening {
    catalog: Catalog,
    runtime: Runtime,
}

/// A plugin and the options that the command line gives it.
#[derive(Clone)]
pub(crate) struct Part {
    plugin: Plugin,
    options: Map<String, Value>,
}

/// The plugins of a conversation.
pub(crate) struct Parts {
    pub(crate) searcher: Option<Part>,
    pub(crate) scheduler: Option<Part>,
    /// What they log goes to standard error; else nowhere.
    pub(crate) logs: bool,
}

impl Opening {
    pub(crate) fn new(directory: Option<&Path>) -> Result<Self, Failure> {
        let catalog = Catalog::open(directory, None)?;
        for warning in &catalog.warnings {
            output::note(&format!("warning: {warning}"));
        }
        let runtime = prepare::runtime(&HostLimits::default())?;
        Ok(Self { catalog, runtime })
    }

    /// The names of all plugins of a kind.
    pub(crate) fn names_of(&self, kind: PluginKind) -> Vec<&str> {
        self.catalog.names_of(Some(kind))
    }

    /// A plugin, loaded, with its options checked.
    pub(crate) fn part(
        &self,
        kind: PluginKind,
        name: &str,
        options: &[(String, String)],
    ) -> Result<Part, Failure> {
        let found = self.catalog.find(name, Some(kind), Path::new(""));
        let candidate = found.map_err(|unknown| {
            Failure::usage(format!("{}\n  hint: {}", unknown.message, unknown.hint))
        })?;
        let inspection = candidate
            .inspect()
            .map_err(|error| prepare::rejected(&error))?;
        if inspection.kind != kind {
            return Err(Failure::usage(format!(
                "`{name}` is a {}, not a {kind}\n  hint: there are {}",
                inspection.kind,
                self.catalog.names_of(Some(kind)).join(", ")
            )));
        }
        let options = read_options(options);
        let checked = inspection.manifest.check_options(&options);
        checked.map_err(|errors| Failure::usage(wrong_options(name, &errors)))?;
        let metering = match candidate.source {
            Source::Embedded => tune_core::Metering::Fuel,
            Source::File(_) => tune_core::Metering::Full,
        };
        let limits = Limits::default();
        let (runtime, name) = (&self.runtime, &candidate.name);
        let plugin = prepare::load_from(runtime, &candidate, name, metering, false, &limits)
            .map_err(|error| prepare::rejected(&error))?;
        Ok(Part { plugin, options })
    }
}

/// `name=value`: the value is JSON, or else text.
fn read_options(given: &[(String, String)]) -> Map<String, Value> {
    let value = |text: &String| serde_json::from_str(text).unwrap_or_else(|_| text.clone().into());
    given
        .iter()
        .map(|(name, text)| (name.clone(), value(text)))
        .collect()
}

fn wrong_options(plugin: &str, errors: &[OptionError]) -> String {
    let lines = errors.iter().map(|error| {
        let option = match error.key.as_str() {
            "" => plugin.to_owned(),
            key => format!("option `{key}` of {plugin}"),
        };
        match error.hint.as_str() {
            "" => format!("{option}: {}", error.message),
            hint => format!("{option}: {}\n  hint: {hint}", error.message),
        }
    });
    lines.collect::<Vec<_>>().join("\n")
}

impl Part {
    /// It is a searcher that learns from results.
    pub(crate) fn learns(&self) -> bool {
        self.plugin.manifest().learns
    }

    /// A scheduler that copies trials or changes their configurations needs a host that holds them.
    pub(crate) fn refuse_changes(&self) -> Result<(), Failure> {
        let manifest = self.plugin.manifest();
        if !manifest.clones && !manifest.changes_config {
            return Ok(());
        }
        let does = if manifest.clones {
            "clones trials"
        } else {
            "changes configurations of trials in mid-training"
        };
        Err(Failure::usage(format!(
            "the scheduler `{}` {does}, which a program that trains by itself cannot be told over this \
             protocol\n  hint: use it in an experiment file with `tune-host run`, or another scheduler \
             here",
            self.plugin.name()
        )))
    }

    /// The setup of a run: its own seed, and options, of which those of the request go first.
    fn setup(&self, setup: &Setup, role: &str) -> Setup {
        let mut options = self.options.clone();
        let asked: Map<String, Value> = serde_json::from_str(&setup.options).unwrap_or_default();
        let known = self.plugin.manifest().options.get("properties").cloned();
        for (name, value) in asked {
            if known
                .as_ref()
                .is_some_and(|known| known.get(&name).is_some())
            {
                options.insert(name, value);
            }
        }
        Setup {
            seed: seeds::role(setup.seed, role),
            options: Value::Object(options).to_string(),
            ..setup.clone()
        }
    }
}

impl Parts {
    /// Starts them afresh, once a run.
    pub(crate) fn launch(self) -> Launch {
        Box::new(move |setup| {
            let limits = Limits::default();
            let mut live = Live {
                searcher: None,
                scheduler: None,
                logs: self.logs,
            };
            if let Some(part) = &self.searcher {
                let setup = part.setup(setup, "searcher");
                let started = part.plugin.searcher(&setup, &limits);
                live.searcher = Some(started.map_err(|error| refusal(part, &error))?);
            }
            if let Some(part) = &self.scheduler {
                let mut setup = part.setup(setup, "scheduler");
                setup.objectives.truncate(1);
                let started = part.plugin.scheduler(&setup, &limits);
                live.scheduler = Some(started.map_err(|error| refusal(part, &error))?);
            }
            live.tell_logs();
            Ok(Box::new(live))
        })
    }
}

fn refusal(part: &Part, error: &InitError) -> String {
    match error {
        InitError::Options(errors) => wrong_options(part.plugin.name(), errors),
        InitError::Fault(_) => error.details(),
    }
}

/// The plugins of a run.
struct Live {
    searcher: Option<SearcherInstance>,
    scheduler: Option<SchedulerInstance>,
    logs: bool,
}

fn stop(fault: Box<PluginFault>) -> Stop {
    Stop::Plugin(fault)
}

/// The protocol calls a plugin that it did not ask for.
fn missing(what: &str) -> Stop {
    Stop::Damaged(host_bug(format!("this conversation has no {what}")).message)
}

impl Live {
    /// What plugins log goes to standard error, if it is wanted.
    fn tell_logs(&mut self) {
        let logs = [
            self.searcher.as_mut().map(SearcherInstance::take_log),
            self.scheduler.as_mut().map(SchedulerInstance::take_log),
        ];
        let wanted = |log: &Vec<u8>| self.logs && !log.is_empty();
        for log in logs.into_iter().flatten().filter(wanted) {
            for line in String::from_utf8_lossy(&log).lines() {
                output::note(&clean(line));
            }
        }
    }

    fn search<T>(
        &mut self,
        call: impl FnOnce(&mut SearcherInstance) -> Result<T, Box<PluginFault>>,
    ) -> Result<T, Stop> {
        let searcher = self.searcher.as_mut().ok_or_else(|| missing("searcher"))?;
        let answer = call(searcher).map_err(stop);
        self.tell_logs();
        answer
    }

    fn schedule<T>(
        &mut self,
        call: impl FnOnce(&mut SchedulerInstance) -> Result<T, Box<PluginFault>>,
    ) -> Result<T, Stop> {
        let scheduler = self
            .scheduler
            .as_mut()
            .ok_or_else(|| missing("scheduler"))?;
        let answer = call(scheduler).map_err(stop);
        self.tell_logs();
        answer
    }
}

impl Deciders for Live {
    fn seed_with(&mut self, known: &[Observation]) -> Result<(), Stop> {
        self.search(|searcher| searcher.seed_with(known))
    }

    fn suggest(
        &mut self,
        trial: TrialId,
        pinned: &Config,
    ) -> Result<Result<Suggestion, PluginError>, Stop> {
        self.search(|searcher| searcher.suggest(trial, pinned))
    }

    fn observe(&mut self, trial: TrialId, report: &Report, state: TrialState) -> Result<(), Stop> {
        self.search(|searcher| searcher.observe(trial, report, state))
    }

    fn complete(&mut self, trial: TrialId, outcome: &Outcome) -> Result<(), Stop> {
        self.search(|searcher| searcher.complete(trial, outcome))
    }

    fn regret_bound(&mut self) -> Result<Option<f64>, Stop> {
        self.search(SearcherInstance::regret_bound)
    }

    fn on_add(&mut self, trial: TrialId, config: &Config) -> Result<Vec<Action>, Stop> {
        self.schedule(|scheduler| scheduler.on_add(trial, config))
    }

    fn on_result(&mut self, trial: TrialId, report: &Report) -> Result<Vec<Action>, Stop> {
        self.schedule(|scheduler| scheduler.on_result(trial, report))
    }

    fn on_complete(&mut self, trial: TrialId, last: Option<&Report>) -> Result<Vec<Action>, Stop> {
        self.schedule(|scheduler| scheduler.on_complete(trial, last))
    }

    fn on_error(
        &mut self,
        trial: TrialId,
        kind: FailureKind,
        will_retry: bool,
    ) -> Result<Vec<Action>, Stop> {
        self.schedule(|scheduler| scheduler.on_error(trial, kind, will_retry))
    }

    fn on_remove(&mut self, trial: TrialId) -> Result<Vec<Action>, Stop> {
        self.schedule(|scheduler| scheduler.on_remove(trial))
    }

    fn next_to_run(&mut self, creation: Creation) -> Result<Turn, Stop> {
        self.schedule(|scheduler| scheduler.next_to_run(creation))
    }

    fn describe(&mut self) -> Result<String, Stop> {
        self.schedule(SchedulerInstance::describe)
    }
}

/// Answers every line until `stop` or the end of the input.
pub(crate) fn hold(protocol: &mut impl Protocol) -> io::Result<()> {
    let mut input = io::stdin().lock();
    let mut output = io::BufWriter::new(io::stdout().lock());
    let mut line = Vec::new();
    loop {
        line.clear();
        // One byte more than allowed tells a line that is too long from the longest one.
        let most = MAX_LINE as u64 + 2;
        input.by_ref().take(most).read_until(b'\n', &mut line)?;
        if line.is_empty() {
            return Ok(());
        }
        let is_cut = line.len() as u64 == most && line.last() != Some(&b'\n');
        if line.last() == Some(&b'\n') {
            line.pop();
        }
        let reply = protocol.reply(&line);
        if is_cut {
            input.skip_until(b'\n')?;
        }
        output.write_all(reply.text.as_bytes())?;
        output.write_all(b"\n")?;
        output.flush()?;
        if reply.last {
            return Ok(());
        }
    }
}
