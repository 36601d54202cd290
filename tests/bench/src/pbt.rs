//! Population based training: what it costs, beside Ray Tune's figures, and what it finds, beside the
//! same members left alone.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use anyhow::{Context, Result, ensure};
use tune_core::records::TrialId;
use tune_core::{Engine, EnginePlan, Handover};

use crate::show;
use crate::stage::{Manner, Ran, Stage, plan};

/// Members of every population.
const MEMBERS: usize = 16;
/// Perturbation intervals of the runs whose time counts.
const INTERVALS: u64 = 100;
/// Ray Tune 2.60.0, 16 members on 2 CPUs, class trainable, interval 1, whole run by the steps of all
/// members, in ms: the better one where a quiet and a loaded machine of the same kind were measured.
const RAY: [(u64, f64); 3] = [(1, 265.0), (16, 462.0), (64, 1_146.0)];
/// Seeds of the pairs.
const SEEDS: u64 = 10;

/// Prints all tables.
pub(crate) fn run(stage: &Stage) -> Result<bool> {
    time(stage)?;
    quality(stage)
}

fn time(stage: &Stage) -> Result<()> {
    let mut table = show::table(&[
        "16 members, 100 intervals",
        "alone",
        "pbt",
        "exploits",
        "an interval",
        "an exploit",
        "on disk",
        "Ray Tune, an interval",
        "Ray / ours",
    ]);
    for (mb, ray) in RAY {
        let plan = |scheduler: &str| {
            plan(&format!(
                "version = 1\nmetric = \"loss\"\nmode = \"min\"\nslots = {MEMBERS}\nseed = 1\n\
                 max_t = {INTERVALS}\ntrials = {MEMBERS}\nsearcher = \"random\"\n\
                 trainable = \"trial-ballast\"\n\
                 [space]\nrate = {{ uniform = [0.5, 2.0] }}\nmb = {mb}\ndirty = 1.0\n\
                 [scheduler]\n{scheduler}\n"
            ))
        };
        let alone = stage.run(&plan("plugin = \"fifo\"")?, &Manner::threads(2))?;
        let pbt = plan("plugin = \"pbt\"\nperturbation_interval = 1")?;
        let pbt = stage.run(&pbt, &Manner::threads(2))?;
        ensure!(
            pbt.tally.failed == 0 && pbt.tally.reports >= MEMBERS as u64 * INTERVALS,
            "{} reports, {} failed",
            pbt.tally.reports,
            pbt.tally.failed
        );
        let exploits = pbt.tally.exploits.max(1) as u32;
        let interval = pbt.wall / INTERVALS as u32;
        table.rows.push(vec![
            format!("{mb} MB of state"),
            show::seconds(alone.wall),
            show::seconds(pbt.wall),
            show::number(f64::from(exploits)),
            show::milliseconds(interval),
            show::milliseconds(pbt.wall.saturating_sub(alone.wall) / exploits),
            show::megabytes(pbt.snapshot_bytes),
            format!("{ray} ms"),
            show::ratio(ray / (interval.as_secs_f64() * 1e3)),
        ]);
    }
    show::print(&table);
    println!(
        "2 threads; all of the state is rewritten by every step, which moves its bytes and computes \
         nothing. An interval: whole run / {INTERVALS}. An exploit: what pbt takes longer than the \
         same members alone, keeping all states included, by exploits.\n"
    );
    Ok(())
}

/// Something to train.
struct Task {
    name: &'static str,
    plan: &'static str,
    rounds: u64,
}

const TASKS: [Task; 2] = [
    Task {
        name: "toy of the paper",
        plan: "trainable = \"pbt-toy\"\nmetric = \"objective\"\nmode = \"max\"\n\
               [space]\nh0 = { uniform = [0.0, 1.0] }\nh1 = { uniform = [0.0, 1.0] }\n",
        rounds: 100,
    },
    Task {
        name: "digits-mlp",
        plan: "trainable = \"digits-mlp\"\nmetric = \"accuracy\"\nmode = \"max\"\n\
               [space]\nlr = { loguniform = [1e-4, 1.0] }\nmomentum = { uniform = [0.0, 0.99] }\n\
               weight_decay = { loguniform = [1e-6, 1e-2] }\nhidden = 32\n\
               optimizer = \"sgd\"\n\
               [[data]]\nname = \"digits\"\npath = \"data/digits\"\n",
        rounds: 80,
    },
];

/// What a population had reached.
#[derive(Clone, Copy, Debug)]
struct Reached {
    /// The best of the members as they are after a quarter and a half of the rounds.
    quarter: f64,
    half: f64,
    /// The best of all results until then.
    quarter_so_far: f64,
    half_so_far: f64,
    /// Of the members after all rounds.
    mean: f64,
    /// Of all results.
    best: f64,
}

impl Default for Reached {
    fn default() -> Self {
        let nothing = f64::NEG_INFINITY;
        Self {
            quarter: nothing,
            half: nothing,
            quarter_so_far: nothing,
            half_so_far: nothing,
            mean: nothing,
            best: nothing,
        }
    }
}

fn quality(stage: &Stage) -> Result<bool> {
    let mut table = show::table(&[
        "16 members, 10 seeds",
        "",
        "best at 1/4",
        "so far",
        "best at 1/2",
        "so far",
        "final mean",
        "best of all",
    ]);
    let mut ahead = true;
    for task in &TASKS {
        let mut pairs = Vec::new();
        for seed in 1..=SEEDS {
            let alone = reached(stage, task, seed, "plugin = \"fifo\"")?;
            pairs.push((alone, reached(stage, task, seed, "plugin = \"pbt\"")?));
        }
        let columns: [fn(&Reached) -> f64; 6] = [
            |r| r.quarter,
            |r| r.quarter_so_far,
            |r| r.half,
            |r| r.half_so_far,
            |r| r.mean,
            |r| r.best,
        ];
        let mean = |which: &dyn Fn(&(Reached, Reached)) -> f64| {
            pairs.iter().map(which).sum::<f64>() / pairs.len() as f64
        };
        let mut rows = [
            vec![task.name.to_owned(), "alone".to_owned()],
            vec![String::new(), "pbt".to_owned()],
            vec![String::new(), "pbt - alone".to_owned()],
            vec![String::new(), "pbt ahead / behind, of 10".to_owned()],
        ];
        let mut differences = Vec::new();
        for column in columns {
            let alone = mean(&|(alone, _)| column(alone));
            let pbt = mean(&|(_, pbt)| column(pbt));
            let wins = pairs.iter().filter(|(a, p)| column(p) > column(a)).count();
            let losses = pairs.iter().filter(|(a, p)| column(p) < column(a)).count();
            let cells = [
                format!("{alone:.4}"),
                format!("{pbt:.4}"),
                format!("{:+.4}", pbt - alone),
                format!("{wins} / {losses}"),
            ];
            for (row, cell) in rows.iter_mut().zip(cells) {
                row.push(cell);
            }
            differences.push(pbt - alone);
        }
        // The goals: the toy at half of the rounds, digits at a quarter, both in the final mean.
        let [quarter, _, half, _, mean, _] = differences.as_slice() else {
            continue;
        };
        let early = if task.name == "digits-mlp" {
            quarter
        } else {
            half
        };
        ahead &= *early > 0.0 && *mean > 0.0;
        table.rows.extend(rows);
    }
    show::print(&table);
    println!(
        "the same {MEMBERS} configurations and seeds in both; means over {SEEDS} seeds. Best: of the \
         members as they are then; so far: of all results until then. Goals: ahead in best at half of the rounds (toy), at a quarter (digits), and in the final mean: {}",
        if ahead { "OK" } else { "MISSED" }
    );
    Ok(ahead)
}

/// A population's way: best so far by rounds, and where its members end. A round is one report of
/// each member: one that took over an earlier state trains longer, and what it does beyond the rounds
/// is more than the population left alone may do.
fn reached(stage: &Stage, task: &Task, seed: u64, scheduler: &str) -> Result<Reached> {
    let (rounds, text) = (task.rounds, task.plan);
    let plan: EnginePlan = plan(&format!(
        "version = 1\nseed = {seed}\nslots = {MEMBERS}\ntrials = {MEMBERS}\nmax_t = {rounds}\n\
         searcher = \"random\"\n{text}[scheduler]\n{scheduler}\n"
    ))?;
    let seen: Rc<RefCell<(Reached, BTreeMap<TrialId, f64>)>> = Rc::default();
    let watch = Rc::clone(&seen);
    let metric = plan.objectives.first().context("a metric")?.metric.clone();
    let manner = Manner {
        watch: Some(Rc::new(move |engine: &Engine, handover: &Handover, _| {
            let Some((trial, report)) = handover.entry.event.trial().zip(handover.report.as_ref())
            else {
                return;
            };
            let value = report.metrics.iter().find(|m| m.name == metric);
            let (Some(value), Some(round)) = (
                value.map(|m| m.value),
                engine.trial(trial).map(tune_core::Trial::reports),
            ) else {
                return;
            };
            let (reached, last) = &mut *watch.borrow_mut();
            let bests = [
                (rounds / 4, rounds / 4, &mut reached.quarter),
                (rounds / 2, rounds / 2, &mut reached.half),
                (1, rounds / 4, &mut reached.quarter_so_far),
                (1, rounds / 2, &mut reached.half_so_far),
                (1, rounds, &mut reached.best),
            ];
            for (from, until, best) in bests {
                if (from..=until).contains(&round) {
                    *best = best.max(value);
                }
            }
            if round <= rounds {
                last.insert(trial, value);
            }
        })),
        ..Manner::threads(2)
    };
    let ran: Ran = stage.run(&plan, &manner)?;
    let (mut reached, last) = (seen.borrow().0, seen.borrow().1.clone());
    ensure!(
        last.len() == MEMBERS && ran.tally.failed == 0,
        "{} members, {} failed",
        last.len(),
        ran.tally.failed
    );
    reached.mean = last.values().sum::<f64>() / last.len() as f64;
    Ok(reached)
}
