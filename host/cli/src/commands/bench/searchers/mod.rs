//! `bench searchers`: searchers on problems whose optimum is known, many seeds at once, beside those of
//! other programs. The same sandboxed plugins answer through the same protocol as in `ask-tell`.

mod cell;
mod contest;
mod field;
mod picture;
mod results;
mod standings;
mod tables;

use std::num::NonZero;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use tune_study::Problem;

use super::{problems, write};
use crate::args::BenchSearchersArgs;
use crate::conversation::Opening;
use crate::failure::Failure;
use crate::output::{self, Page};

use cell::{Cell, Terms};
use standings::{Role, Study};

/// After so many trials results are kept, as far as a run goes, and at its end.
const MARKS: [u32; 10] = [10, 20, 50, 100, 150, 200, 500, 1_000, 2_000, 5_000];
/// Those at which results are compared; at the end if a run is shorter than all of them.
const SHOWN: [u32; 3] = [50, 100, 200];

pub(super) fn searchers(args: &BenchSearchersArgs) -> Result<(), Failure> {
    let problems = choose(problems::all()?, args.problems.as_deref())?;
    let peers = args.peers.iter().map(|path| results::read(path));
    let peers = peers.collect::<Result<Vec<_>, _>>()?;
    let known = args.known.as_deref().map(results::read).transpose()?;
    let open = Opening::new(args.plugins.dir.as_deref())?;
    let entries = field::choose(&open, args.searchers.as_deref())?;
    let mut batches = args.batch.clone();
    batches.sort_unstable();
    batches.dedup();
    let threads = args.threads.map_or_else(
        || thread::available_parallelism().map_or(1, NonZero::get),
        |threads| threads as usize,
    );
    let terms = Terms {
        trials: args.trials,
        marks: marks(args.trials),
        limit: Duration::from_secs_f64(args.limit),
    };
    let mut study = Study::new(&problems, args.seeds, batches, shown(args.trials));
    for entry in &entries {
        let role = if entry.learns {
            Role::Learner
        } else {
            Role::Baseline
        };
        study.join(&entry.name, role);
    }
    let known = known.map_or_else(Vec::new, |known| known.cells).into_iter();
    let whole = |cell: &Cell| {
        terms
            .marks
            .iter()
            .all(|mark| cell.regret.contains_key(mark))
    };
    let (ours, mut others): (Vec<_>, Vec<_>) = known
        .partition(|cell| study.is_ours(&cell.searcher) && whole(cell) && study.asks_for(cell));
    study.add(ours);
    let began = Instant::now();
    let mut jobs = contest::jobs(&problems, &entries, args.seeds, &study.batches);
    jobs.retain(|job| !study.has(&job.entry.name, job.problem.name(), job.seed, job.batch));
    let cells = output::while_waiting(&format!("{} runs on {threads} threads", jobs.len()), || {
        contest::run(&jobs, &terms, threads)
    });
    let seconds = began.elapsed().as_secs_f64();
    study.add(cells);
    for (path, peers) in args.peers.iter().zip(peers) {
        study.versions.extend(peers.versions);
        study.add_peers(stem(path), peers.cells);
    }
    for note in study.settle() {
        output::note(&format!("warning: {note}"));
    }
    if let Some(path) = &args.json {
        // What was not asked for this time is kept: hours may have gone into it.
        others.retain(|cell| !study.has(&cell.searcher, &cell.problem, cell.seed, cell.batch));
        write(path, &results::text(&study, &others))?;
    }
    if let Some(path) = &args.svg {
        write(path, &picture::svg(&study, &terms.marks))?;
    }
    if args.format.is_json() {
        output::json(&tables::json(&study))?;
    } else {
        let mut lines = tables::lines(&study, Page::of_stdout());
        let trials = jobs.len() as u64 * u64::from(args.trials);
        lines.push(format!(
            "{} runs, {trials} trials in {seconds:.1} s on {threads} threads",
            jobs.len()
        ));
        output::lines(lines)?;
    }
    Ok(())
}

/// The marks of a run of so many trials.
fn marks(trials: u32) -> Vec<u32> {
    let mut marks: Vec<u32> = MARKS.into_iter().filter(|mark| *mark < trials).collect();
    marks.push(trials);
    marks
}

/// The marks at which runs of so many trials are compared.
fn shown(trials: u32) -> Vec<u32> {
    let mut shown: Vec<u32> = SHOWN.into_iter().filter(|mark| *mark <= trials).collect();
    if shown.is_empty() {
        shown.push(trials);
    }
    shown
}

fn stem(path: &Path) -> String {
    path.file_stem()
        .map_or_else(String::new, |stem| stem.to_string_lossy().into_owned())
}

/// The problems whose name has one of these texts in it; all if there are none.
fn choose(all: Vec<Problem>, texts: Option<&[String]>) -> Result<Vec<Problem>, Failure> {
    let Some(texts) = texts else {
        return Ok(all);
    };
    for text in texts {
        if all.iter().all(|problem| !problem.name().contains(text)) {
            let names: Vec<&str> = all.iter().map(Problem::name).collect();
            return Err(Failure::usage(format!(
                "no problem has `{}` in its name\n  hint: there are {}",
                tune_report::clean(text),
                names.join(", ")
            )));
        }
    }
    let wanted = |problem: &Problem| texts.iter().any(|text| problem.name().contains(text));
    Ok(all.into_iter().filter(wanted).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_short_run_is_looked_at_where_it_ends() {
        assert_eq!((marks(30), shown(30)), (vec![10, 20, 30], vec![30]));
        assert_eq!(marks(200), [10, 20, 50, 100, 150, 200]);
        assert_eq!(shown(120), [50, 100]);
    }
}
