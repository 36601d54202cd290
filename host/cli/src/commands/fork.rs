//! `fork RUN TRIAL[@ITERATION]`: a new run that begins with the state of a trial and changed
//! parameters; with `--search` also, or only, the search of the run with what it has found.

use std::path::Path;
use std::time::Duration;

use tune_core::records::Report;
use tune_core::{EnginePlan, Imported, Trial, WALL_METRICS, hex};
use tune_runner::{Observer, Silent, import_state, state_at};
use tune_runtime::{Inspection, Snapshot, Snapshotable};
use tune_store::{ChunkStore, Header, Parent, RunReader};

use crate::args::{ForkArgs, TrialAt};
use crate::assignments::{Assigned, assign};
use crate::catalog::Catalog;
use crate::compatibility::{fixed_parameters, quoted, what_can_change};
use crate::failure::{Failure, Verdict};
use crate::history::{History, name_of, start_digest};
use crate::old_run::forked;
use crate::origin::Origin;
use crate::prepare::Prepared;
use crate::session::{self, Session, now_ms};
use crate::settings::Settings;
use crate::{output, prepare, runs_dir, version, warm_start};

/// What a run with one given trial needs, and no more.
const SEARCHER: &str = "random";
const SCHEDULER: &str = "fifo";

pub(crate) fn fork(args: &ForkArgs) -> Result<Verdict, Failure> {
    let path = runs_dir::find(&args.runs.dir, &args.run)?;
    let reader = RunReader::open(&path)?;
    let accepted = session::accepted(&reader.status()?);
    let history = History::read(&path)?;
    let mut settings = Settings::from_header(&history.header)?;
    let begin = match args.from {
        Some(at) => Some(Begin::find(&history, at, &args.set)?),
        None if args.set.is_empty() => None,
        None => {
            return Err(Failure::usage(
                "--set without a trial\n  hint: name the trial whose configuration is changed: \
                 `tune-host fork RUN 3 --set lr=0.1`",
            ));
        }
    };
    let plan = plan(&history, begin.as_ref(), args)?;
    version::is_builder(&history.header.build);

    let catalog = Catalog::open(args.plugins.dir.as_deref(), None)?;
    let runtime = prepare::runtime(&settings.host_limits)?;
    let mut prepared = forked(
        plan,
        &history,
        &settings,
        &catalog,
        &runtime,
        &accepted,
        args.search,
    )?;
    let options = session::options(&prepared.plan, &settings, args.machine)?;
    let state = match begin.as_ref().filter(|begin| begin.is_imported) {
        Some(begin) => {
            begin.check_trainable(prepared.parts.trainable.inspection(), &prepared.plan)?;
            let state = begin.state(&history, &prepared, &reader.chunks()?)?;
            prepared.plan.imported = Some(begin.imported(&history, &state)?);
            prepared.digest = start_digest(&prepared.plan, &prepared.records)?;
            Some(state)
        }
        None => None,
    };

    let name = name_of(&path);
    settings.experiment = format!("{name}-fork");
    settings.seed_drawn = false;
    settings.plugins.clone_from(&prepared.plugin_files);
    settings.threads = args.machine.threads.or(settings.threads);
    let header = Header {
        format: tune_store::FORMAT,
        build: version::build(),
        plan: serde_json::to_string(&prepared.plan)?,
        experiment: history.header.experiment.clone(),
        plugins: prepared.records.clone(),
        created_ms: now_ms(),
        parent: begin
            .as_ref()
            .map(|begin| begin.parent(&path, &prepared.plan)),
        extra: settings.to_extra()?,
    };
    let beside = path.parent().unwrap_or(Path::new(""));
    let explicit = args.name.as_deref();
    let (directory, journal) = runs_dir::create(beside, explicit, &settings.experiment, &header)?;
    if let Some(state) = &state {
        import_state(directory.chunks(), state)?;
    }
    if let Some(begin) = &begin {
        output::note(&format!(
            "fork of {name} trial {}, iteration {}",
            begin.origin.point.trial, begin.origin.iteration
        ));
    }
    let options = settings.equip(options, &directory, args.machine);
    Session {
        path: directory.path(),
        journal,
        header: &header,
        settings: &settings,
        prepared,
        rows: &[],
        extend: None,
        options,
        elapsed_before: Duration::ZERO,
        accepted: serde_json::Map::new(),
        quiet: args.machine.quiet,
        format: args.format,
    }
    .carry_out()
}

/// What trial 0 of the new run begins with.
struct Begin<'a> {
    origin: Origin,
    trial: &'a Trial,
    assigned: Assigned,
    /// With a state; else it is set up afresh.
    is_imported: bool,
}

impl<'a> Begin<'a> {
    fn find(history: &'a History, at: TrialAt, set: &[(String, String)]) -> Result<Self, Failure> {
        let origin = Origin::find(&history.view, at)?;
        let found = history.engine.trial(at.trial);
        let trial =
            found.ok_or_else(|| Failure::usage(format!("there is no trial {}", at.trial)))?;
        let config = trial.config_at(origin.point.reports);
        Ok(Self {
            origin,
            trial,
            assigned: assign(&history.plan, config, set)?,
            is_imported: origin.point.reports > 0 || origin.iteration > 0,
        })
    }

    /// A state goes on only with what the trainable can change in it.
    fn check_trainable(&self, trainable: &Inspection, plan: &EnginePlan) -> Result<(), Failure> {
        let afresh = format!(
            "{}@0 begins afresh with that configuration",
            self.origin.point.trial
        );
        if let Snapshotable::No { constructs } = &trainable.snapshot {
            return Err(Failure::usage(format!(
                "states of `{}` cannot be copied: it uses {}\n  hint: {afresh}",
                plan.trainable,
                constructs.join(", ")
            )));
        }
        let changed = self.assigned.changed.iter().map(String::as_str);
        let fixed = fixed_parameters(trainable, changed);
        if fixed.is_empty() {
            return Ok(());
        }
        Err(Failure::usage(format!(
            "`{}` cannot change {} in mid-training: it {}\n  hint: {afresh}",
            plan.trainable,
            quoted(&fixed),
            what_can_change(trainable)
        )))
    }

    /// Makes the state again, from the nearest snapshot on.
    fn state(
        &self,
        history: &History,
        prepared: &Prepared,
        chunks: &ChunkStore,
    ) -> Result<Snapshot, Failure> {
        let digest = start_digest(&history.plan, &history.header.plugins)?;
        let state = output::while_waiting("making the state", || {
            state_at(
                history.plan.clone(),
                digest,
                &prepared.parts,
                Some(chunks),
                &history.rows,
                self.origin.point,
                &mut Remarks(Silent),
            )
        });
        Ok(state?)
    }

    fn imported(&self, history: &History, state: &Snapshot) -> Result<Imported, Failure> {
        let reports = self.origin.point.reports;
        Ok(Imported {
            iteration: self.origin.iteration,
            fuel_total: self.trial.fuel_total_at(reports),
            config: self.trial.config_at(reports).clone(),
            last: report_at(history, self.origin),
            state: state.state_hash()?,
        })
    }

    fn parent(&self, run: &Path, plan: &EnginePlan) -> Parent {
        Parent {
            run: name_of(run),
            trial: self.origin.point.trial,
            iteration: self.origin.iteration,
            reports: self.origin.point.reports,
            state: plan
                .imported
                .as_ref()
                .map_or_else(String::new, |i| hex(&i.state)),
        }
    }
}

/// Says what is remarked on.
struct Remarks(Silent);

impl Observer for Remarks {
    fn handed_over(
        &mut self,
        engine: &tune_core::Engine,
        handover: &tune_core::Handover,
        wall: tune_runner::Wall,
    ) {
        self.0.handed_over(engine, handover, wall);
    }

    fn remark(&mut self, text: &str) {
        output::note(&format!("warning: {}", tune_report::clean(text)));
    }
}

/// The report that led to a state, without what the wall clock said.
fn report_at(history: &History, origin: Origin) -> Option<Report> {
    let trial = history.view.trial(origin.point.trial)?;
    let index = usize::try_from(origin.point.reports).ok()?.checked_sub(1)?;
    let metrics = trial.reports.get(index)?.metrics.iter();
    let metrics = metrics.filter(|metric| !WALL_METRICS.contains(&metric.name.as_str()));
    Some(Report {
        metrics: metrics.cloned().collect(),
        ..Report::default()
    })
}

/// The plan of the fork, still without the state that is imported.
fn plan(
    history: &History,
    begin: Option<&Begin<'_>>,
    args: &ForkArgs,
) -> Result<EnginePlan, Failure> {
    let mut plan = history.plan.clone();
    plan.imported = None;
    plan.lineage = None;
    plan.points_to_evaluate = Vec::new();
    plan.known = Vec::new();
    if let Some(until) = args.until {
        if !(until.is_finite() && until > 0.0) {
            return Err(Failure::usage(format!(
                "--until {until}\n  hint: a number above 0, in units of {}",
                plan.time_attr
            )));
        }
        plan.max_t = Some(until);
    }
    if let Some(begin) = begin {
        check_length(history, begin.origin, &plan)?;
        plan.constants = begin.assigned.constants.clone();
        plan.points_to_evaluate = vec![begin.assigned.suggested.clone()];
    }
    if args.search {
        plan.trials = args.trials.or(plan.trials);
        plan.known = warm_start::known(history);
        plan.seed = args.seed.unwrap_or_else(|| seed_after(history));
    } else {
        plan.trials = Some(1);
        plan.searcher = (SEARCHER.to_owned(), String::new());
        plan.scheduler = (SCHEDULER.to_owned(), String::new());
        plan.clones = false;
        plan.seed = args.seed.unwrap_or(plan.seed);
    }
    Ok(plan)
}

/// A fork must have something to do.
fn check_length(history: &History, origin: Origin, plan: &EnginePlan) -> Result<(), Failure> {
    let Some(max_t) = plan.max_t else {
        return Ok(());
    };
    let reached = report_at(history, origin).and_then(|report| report.get(&plan.time_attr));
    let Some(reached) = reached.filter(|reached| *reached >= max_t) else {
        return Ok(());
    };
    let axis = &plan.time_attr;
    Err(Failure::usage(format!(
        "trial {} has {axis} = {reached} in iteration {}, and the fork would end at {max_t}\n  hint: \
         fork from an earlier iteration, or let it go on: --until T with T above {reached}",
        origin.point.trial, origin.iteration
    )))
}

/// A seed that is not the run's own, which would suggest the same again. Below 2^32, so that it is
/// easily typed again.
fn seed_after(history: &History) -> u64 {
    let hash = blake3::hash(format!("fork {}", history.view.digest).as_bytes());
    let [a, b, c, d, ..] = *hash.as_bytes();
    u64::from(u32::from_le_bytes([a, b, c, d]))
}
