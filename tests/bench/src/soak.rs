//! Ten thousand trials, a third of them hostile: nothing may leak, be lost or stand still.

use std::cell::RefCell;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::rc::Rc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use tune_core::records::{Config, Value};
use tune_core::{EnginePlan, Note};
use tune_runner::How;
use tune_runtime::Grants;
use tune_store::RunDir;

use crate::ending::{Ending, Endings};
use crate::stage::{Manner, Ran, Stage, plan};
use crate::{machine, show, ways};

/// As the command line names it.
pub(crate) const NAME: &str = "soak";
/// Not for people: the same without hostile trials, in a process of its own, whose memory nobody has
/// warmed up.
pub(crate) const PEACEFUL: &str = "soak-without-hostile-trials";

const TRIALS: usize = 10_000;
/// Trials that end between two looks at the memory.
const EVERY: usize = 500;
const SLOTS: usize = 8;
const THREADS: usize = 2;
/// Every third trial is hostile.
const HOSTILE: usize = 3;
/// Steps of a good trial.
const GOOD_STEPS: u32 = 4;

/// Memory grows with the number of trials: the engine keeps each one's configuration, last report and
/// history. Hostile trials may add so little to it: an instance that is kept has a megabyte and more,
/// its page tables and mappings some kilobytes.
const MORE_BYTES_A_TRIAL: f64 = 1024.0;
/// Mappings and files come and go with 8 live instances and the journal; a leak of one in a hundred
/// trials is seen.
const GROWTH_OF_COUNTS: usize = TRIALS / 2 / 100;

/// Prints the memory over time and what must hold.
pub(crate) fn run(stage: &Stage) -> Result<bool> {
    of(stage, TRIALS)
}

/// The same with another number of trials.
pub(crate) fn of(stage: &Stage, trials: usize) -> Result<bool> {
    let way = |trial: usize| match trial % HOSTILE {
        2 => ways::TRAINABLE.get(trial / HOSTILE % ways::TRAINABLE.len()),
        _ => None,
    };
    let mixed = soak(stage, trials, &|trial| {
        way(trial).map_or(ways::GOOD, |w| w.0)
    })?;
    show::print(&mixed.table);
    let peaceful = soak(stage, trials, &|_| ways::GOOD)?;

    let mut wrong = Vec::new();
    let mut hostile = 0;
    for trial in 0..trials {
        let ending = mixed.endings.get(trial);
        let other = peaceful.endings.get(trial);
        let as_it_must = match way(trial) {
            Some((_, kind)) => {
                hostile += 1;
                ending.steps == 1 && ending.failure == *kind
            }
            None => is_good(&ending) && ending == other && mixed.same_files(&peaceful, trial)?,
        };
        if !as_it_must {
            let how = way(trial).map_or(ways::GOOD, |w| w.0);
            wrong.push(format!("trial {trial} ({how}): {ending:?}"));
        }
    }
    let lost = mixed.lost(&|trial| if way(trial).is_some() { 1 } else { GOOD_STEPS })?;
    let (memory, counts) = mixed.growth(trials);
    let quiet = growth_of_peaceful(trials)?;

    let mut table = show::table(&["what must hold", "found", "allowed", ""]);
    let mut holds = true;
    let mut row = |what: &str, found: String, allowed: String, good: bool| {
        holds &= good;
        let word = if good { "OK" } else { "WRONG" };
        table
            .rows
            .push(vec![what.to_owned(), found, allowed, word.to_owned()]);
    };
    row(
        "growth, B a trial",
        show::number(memory.max(0.0)),
        show::number(quiet + MORE_BYTES_A_TRIAL),
        memory <= quiet + MORE_BYTES_A_TRIAL,
    );
    row(
        "more mappings, files, threads",
        counts.to_string(),
        GROWTH_OF_COUNTS.to_string(),
        counts <= GROWTH_OF_COUNTS,
    );
    row("rows lost", lost.to_string(), "0".to_owned(), lost == 0);
    row(
        "trials with another end",
        wrong.len().to_string(),
        "0".to_owned(),
        wrong.is_empty(),
    );
    row(
        "handovers with an empty slot",
        mixed.idle.to_string(),
        "0".to_owned(),
        mixed.idle == 0 && mixed.ran.how == How::Finished,
    );
    show::print(&table);
    for line in wrong.iter().take(10) {
        println!("{line}");
    }
    println!(
        "{hostile} of {trials} trials hostile, in {} ways; {SLOTS} slots, {THREADS} threads; {} against \
         {} without them, {} against {} of CPU time; longest time between two handovers {}. Growth: of \
         resident memory, from the mean of the second fifth of the trials to that of the last. Without \
         hostile trials, in a process of its own, it is {} B: what engine, journal and logs keep of a \
         trial; of the {} B here, {} B are the texts of failures.",
        ways::TRAINABLE.len(),
        show::seconds(mixed.ran.wall),
        show::seconds(peaceful.ran.wall),
        show::seconds(mixed.ran.cpu),
        show::seconds(peaceful.ran.cpu),
        show::milliseconds(mixed.longest),
        show::number(quiet),
        show::number(memory),
        mixed.stories / trials.max(1),
    );
    Ok(holds)
}

/// Prints the growth of a run without hostile trials: see [`PEACEFUL`].
pub(crate) fn peaceful(stage: &Stage, trials: usize) -> Result<()> {
    let ran = soak(stage, trials, &|_| ways::GOOD)?;
    println!("{}", ran.growth(trials).0);
    Ok(())
}

fn growth_of_peaceful(trials: usize) -> Result<f64> {
    let output = Command::new(std::env::current_exe()?)
        .args([PEACEFUL, &trials.to_string()])
        .output()?;
    let text = String::from_utf8(output.stdout)?;
    let growth = text.trim().parse::<f64>();
    Ok(growth
        .with_context(|| String::from_utf8_lossy(&output.stderr).into_owned())?
        .max(0.0))
}

fn is_good(ending: &Ending) -> bool {
    ending.steps == GOOD_STEPS && ending.failure.is_none()
}

/// What the process holds.
#[derive(Clone, Copy, Debug)]
struct Sample {
    ended: usize,
    memory: u64,
    /// Mappings, open files and threads together.
    counts: usize,
}

struct Soaked {
    ran: Ran,
    path: PathBuf,
    endings: Endings,
    samples: Vec<Sample>,
    table: tune_report::Table,
    /// Handovers after which a slot was empty though trials were left.
    idle: usize,
    longest: Duration,
    stories: usize,
}

/// What the watch of a run gathers.
struct Watched {
    samples: Vec<Sample>,
    table: tune_report::Table,
    idle: usize,
    longest: Duration,
    /// The last handover; none before the first, when plugins are still compiled.
    last: Option<Instant>,
    began: Instant,
    /// Bytes of what is said of failures, which the engine keeps.
    stories: usize,
}

fn soak(stage: &Stage, trials: usize, how: &dyn Fn(usize) -> &'static str) -> Result<Soaked> {
    let endings = Endings::of(trials);
    let watched = Rc::new(RefCell::new(Watched {
        samples: Vec::new(),
        table: show::table(&[
            "trials ended",
            "of these failed",
            "time",
            "resident",
            "mappings",
            "files",
            "threads",
            "live instances",
        ]),
        idle: 0,
        longest: Duration::ZERO,
        last: None,
        began: Instant::now(),
        stories: 0,
    }));
    let (seen, kept) = (Rc::clone(&watched), endings.clone());
    let manner = Manner {
        grants: Grants {
            artifact: true,
            ..Grants::default()
        },
        snapshots: true,
        watch: Some(Rc::new(move |engine, handover, wall| {
            kept.note(handover, wall);
            let watched = &mut *seen.borrow_mut();
            let now = Instant::now();
            let last = *watched.last.get_or_insert(now);
            watched.longest = watched.longest.max(now - last);
            watched.last = Some(now);
            for note in &handover.notes {
                if let Note::Failed(_, failed) = note {
                    watched.stories += failed.message.len();
                }
            }
            let counts = engine.counts();
            let ended = counts.ended();
            watched.idle += usize::from(counts.running != SLOTS.min(trials - ended));
            if ended / EVERY >= watched.samples.len() {
                let files = (
                    machine::mappings(),
                    machine::open_files(),
                    machine::threads(),
                );
                let sample = Sample {
                    ended,
                    memory: machine::memory(),
                    counts: files.0 + files.1 + files.2,
                };
                watched.samples.push(sample);
                watched.table.rows.push(vec![
                    ended.to_string(),
                    counts.failed.to_string(),
                    show::seconds(watched.began.elapsed()),
                    show::megabytes(sample.memory),
                    files.0.to_string(),
                    files.1.to_string(),
                    files.2.to_string(),
                    counts.running.to_string(),
                ]);
            }
        })),
        ..Manner::threads(THREADS)
    };
    let path = stage.new_directory()?;
    let ran = stage.run_in(&path, &experiment(trials, how)?, &manner)?;
    drop(manner);
    let watched = Rc::into_inner(watched).context("the watch is still held")?;
    let Watched {
        samples,
        table,
        idle,
        longest,
        stories,
        ..
    } = watched.into_inner();
    Ok(Soaked {
        ran,
        path,
        endings,
        samples,
        table,
        idle,
        longest,
        stories,
    })
}

fn experiment(trials: usize, how: &dyn Fn(usize) -> &'static str) -> Result<EnginePlan> {
    let names: Vec<&str> = ways::TRAINABLE.iter().map(|way| way.0).collect();
    let mut plan = plan(&format!(
        "version = 1\nmetric = \"loss\"\nmode = \"min\"\nslots = {SLOTS}\nseed = 1\ntrials = {trials}\n\
         searcher = \"random\"\nscheduler = \"fifo\"\ntrainable = \"hostile-trainable\"\n\
         [space]\nhostile = {{ choice = {:?} }}\n\
         [limits]\nfuel_per_step = 20_000_000\nmemory = \"16 MiB\"\nhostcall_bytes = \"1 MiB\"\n\
         log_bytes = \"64 KiB\"\nartifact_bytes = \"64 KiB\"\nartifact_count = 4\n",
        [&[ways::GOOD], names.as_slice()].concat()
    ))?;
    let point = |trial| {
        let how = Value::Text(how(trial).to_owned());
        Config::from_iter([("hostile".to_owned(), how)])
    };
    plan.points_to_evaluate = (0..trials).map(point).collect();
    Ok(plan)
}

impl Soaked {
    /// Growth of the memory in bytes a trial, and of what is counted, from the second fifth of the
    /// run to the last: the mean of each, so that no single look decides.
    fn growth(&self, trials: usize) -> (f64, usize) {
        let fifth = |n: usize| {
            let range = trials * n / 5..=trials * (n + 1) / 5;
            let samples = self.samples.iter().filter(|s| range.contains(&s.ended));
            let some: Vec<Sample> = samples.copied().collect();
            let mean = |of: &dyn Fn(&Sample) -> f64| {
                some.iter().map(of).sum::<f64>() / some.len().max(1) as f64
            };
            (
                mean(&|s| s.memory as f64),
                mean(&|s| s.counts as f64),
                mean(&|s| s.ended as f64),
            )
        };
        let (first, last) = (fifth(1), fifth(4));
        let memory = (last.0 - first.0) / (last.2 - first.2).max(1.0);
        (memory, (last.1 - first.1).max(0.0) as usize)
    }

    /// Rows that the journal should have and has not.
    fn lost(&self, steps: &dyn Fn(usize) -> u32) -> Result<usize> {
        let opened = RunDir::open_writable(&self.path)?;
        let mut rows = vec![0_u32; self.ran.tally.suggested.len()];
        for row in &opened.rows {
            if let Some(count) = row.trial.and_then(|trial| rows.get_mut(trial as usize)) {
                *count += 1;
            }
        }
        let missing = |(trial, count): (usize, &u32)| steps(trial).saturating_sub(*count) as usize;
        let of_trials: usize = rows.iter().enumerate().map(missing).sum();
        let told = (self.ran.tally.rows as usize).saturating_sub(opened.rows.len());
        let ends_alike = opened
            .rows
            .last()
            .is_some_and(|row| row.digest == self.ran.digest);
        Ok(of_trials + told + usize::from(!ends_alike))
    }

    /// The log and the artifact of a trial are the same in both runs, and there.
    fn same_files(&self, other: &Self, trial: usize) -> Result<bool> {
        let files = [
            format!("logs/{trial:06}.log"),
            format!("artifacts/{trial:06}/drawn.txt"),
        ];
        for file in files {
            let read = |path: &Path| {
                let path = path.join(&file);
                std::fs::read(&path).with_context(|| path.display().to_string())
            };
            let (ours, theirs) = (read(&self.path)?, read(&other.path)?);
            if ours.is_empty() || ours != theirs {
                return Ok(false);
            }
        }
        Ok(true)
    }
}
