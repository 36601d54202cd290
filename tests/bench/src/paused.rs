//! What a paused trial holds, and how long a long run takes to go on.

use std::cell::Cell;
use std::path::Path;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use tune_core::{Engine, EnginePlan, Handover, Note};
use tune_runner::Shutdown;

use crate::machine;
use crate::show;
use crate::stage::{Manner, Stage, plan};

/// Paused trials at the end; memory is counted from the first thousand on, when all that does not
/// grow with them is there.
const PAUSED: usize = 10_000;
const FIRST: usize = 1_000;
/// Results of the run that goes on.
const RESULTS: u64 = 100_000;
/// Times that it goes on, with and without snapshots in turns; the middle one counts.
const TURNS: usize = 3;
/// All live trials together: room for all, and for a few at a time.
const ROOMY: u64 = 16 << 30;
const TIGHT: u64 = 512 << 20;

/// Prints both tables.
pub(crate) fn run(stage: &Stage) -> Result<bool> {
    paused(stage)?;
    resumed(stage)
}

/// Every trial pauses at its first report, as none is among the best of a hundred thousand.
fn pausing(trainable: &str) -> Result<EnginePlan> {
    plan(&format!(
        "version = 1\nmetric = \"loss\"\nmode = \"min\"\nslots = 8\nseed = 1\nmax_t = 1e9\n\
         trials = {PAUSED}\nsearcher = \"random\"\ntrainable = \"{trainable}\"\n\
         [space]\nx = {{ uniform = [0.0, 1.0] }}\n\
         [scheduler]\nplugin = \"asha\"\ntype = \"promotion\"\nreduction_factor = 100000\n\
         [limits]\nmemory = \"16 MiB\"\n"
    ))
}

fn paused(stage: &Stage) -> Result<()> {
    let mut table = show::table(&[
        "10,000 paused trials",
        "run_memory",
        "wall",
        "resident, each",
        "on disk, each",
        "peak memory",
    ]);
    for (trainable, room, run_memory) in [
        ("trial-steps", "16 GiB", ROOMY),
        ("trial-steps", "512 MiB", TIGHT),
        ("trial-ballast", "512 MiB", TIGHT),
    ] {
        let plan = pausing(trainable)?;
        let seen = Rc::new(Cell::new((0, 0, 0)));
        let watch = Rc::clone(&seen);
        let manner = Manner {
            run_memory,
            watch: Some(Rc::new(move |_: &Engine, handover: &Handover, _| {
                for note in &handover.notes {
                    let (mut count, mut first, mut last) = watch.get();
                    count += usize::from(matches!(note, Note::Paused(_)));
                    match count {
                        FIRST if first == 0 => first = machine::memory(),
                        PAUSED if last == 0 => last = machine::memory(),
                        _ => {}
                    }
                    watch.set((count, first, last));
                }
            })),
            ..Manner::threads(2)
        };
        let path = stage.new_directory()?;
        let ran = stage.run_in(&path, &plan, &manner)?;
        let (count, first, last) = seen.get();
        ensure!(count == PAUSED, "{count} trials were paused");
        let each = u64::saturating_sub(last, first) / (PAUSED - FIRST) as u64;
        table.rows.push(vec![
            trainable.to_owned(),
            room.to_owned(),
            show::seconds(ran.wall),
            show::kilobytes(each),
            show::kilobytes((ran.journal_bytes + ran.snapshot_bytes) / PAUSED as u64),
            show::megabytes(ran.peak_memory),
        ]);
    }
    show::print(&table);
    println!(
        "resident, each: growth of the process from {FIRST} to {PAUSED} paused trials, divided by \
         their number: journal, engine and searcher included. trial-steps has 1.1 MB of linear \
         memory, trial-ballast 2.2 MB, of which 1 MB is incompressible.\n"
    );
    Ok(())
}

fn resumed(stage: &Stage) -> Result<bool> {
    let mut table = show::table(&[
        "resume after 100,000 results",
        "trials",
        "journal",
        "open",
        "until the next result",
        "without snapshots",
    ]);
    let head = "version = 1\nmetric = \"loss\"\nmode = \"min\"\nslots = 8\nseed = 1\n\
                searcher = \"random\"\ntrainable = \"trial-steps\"\ntrials = 1000000\n";
    let space = "[space]\nx = { uniform = [0.0, 1.0] }\n";
    for (name, scheduler) in [
        ("10,000 each, fifo", "max_t = 10000\nscheduler = \"fifo\"\n"),
        (
            "up to 81 each, asha",
            "max_t = 81\nscheduler = { plugin = \"asha\", reduction_factor = 3 }\n",
        ),
    ] {
        let plan = plan(&format!("{head}{scheduler}{space}"))?;
        let path = stage.new_directory()?;
        let begun = stage.run_in(&path, &plan, &until(RESULTS))?;
        ensure!(begun.tally.reports >= RESULTS, "it ended too early");
        let copy = stage.new_directory()?;
        copy_folder(&path, &copy)?;
        let mut times = [Vec::new(), Vec::new()];
        for _ in 0..TURNS {
            for entry in std::fs::read_dir(copy.join("chunks"))? {
                std::fs::remove_file(entry?.path())?;
            }
            for (path, times) in [&path, &copy].into_iter().zip(&mut times) {
                times.push(first_result(stage, path, &plan)?);
            }
        }
        let [with, without] =
            times.map(|times| show::median(&times, |(_, first)| first.as_secs_f64()));
        let (with, without) = with.zip(without).context("no turn was made")?;
        table.rows.push(vec![
            name.to_owned(),
            show::number(begun.tally.suggested.len() as f64),
            show::megabytes(begun.journal_bytes),
            show::seconds(with.0),
            show::seconds(with.1),
            show::seconds(without.1),
        ]);
    }
    show::print(&table);
    println!(
        "without snapshots: searcher and scheduler are asked everything again, trials step again"
    );
    Ok(true)
}

/// Stops after so many results.
fn until(results: u64) -> Manner {
    let shutdown: Arc<Shutdown> = Arc::default();
    let count = Cell::new(0);
    let ask = Arc::clone(&shutdown);
    Manner {
        shutdown,
        watch: Some(Rc::new(move |_: &Engine, handover: &Handover, _| {
            if handover.report.is_some() {
                count.set(count.get() + 1);
                if count.get() == results {
                    ask.request();
                }
            }
        })),
        ..Manner::threads(2)
    }
}

/// How long it takes to open a run, and from the beginning until the first new result.
fn first_result(stage: &Stage, path: &Path, plan: &EnginePlan) -> Result<(Duration, Duration)> {
    let began = Instant::now();
    let opened = tune_store::RunDir::open_writable(path)?;
    let open = began.elapsed();
    drop(opened);

    let first = Rc::new(Cell::new(None));
    let seen = Rc::clone(&first);
    let shutdown: Arc<Shutdown> = Arc::default();
    let ask = Arc::clone(&shutdown);
    let manner = Manner {
        shutdown,
        watch: Some(Rc::new(move |_: &Engine, _: &Handover, _| {
            if seen.get().is_none() {
                seen.set(Some(Instant::now()));
                ask.request();
            }
        })),
        ..Manner::threads(2)
    };
    let began = Instant::now();
    stage.run_in(path, plan, &manner)?;
    Ok((open, first.get().context("no result came")? - began))
}

fn copy_folder(from: &Path, to: &Path) -> Result<()> {
    std::fs::create_dir_all(to)?;
    for entry in std::fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy_folder(&entry.path(), &target)?;
        } else {
            std::fs::copy(entry.path(), target)?;
        }
    }
    Ok(())
}
