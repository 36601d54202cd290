//! `bench`: searchers and schedulers beside those of other programs.
//!
//! `bench schedulers`: schedulers on recorded curves, many seeds at once. The same sandboxed plugins
//! decide through the same engine as in a run; only training is looked up instead of done.

mod arena;
mod contest;
mod entries;
mod incumbent;
mod peers;
mod plot;
mod problems;
mod searchers;
mod streams;
mod summary;
mod tables;

use std::fs;
use std::num::NonZero;
use std::path::Path;
use std::thread;
use std::time::Instant;

use crate::args::{BenchCommand, BenchSchedulersArgs};
use crate::catalog::Catalog;
use crate::conversation;
use crate::failure::{Failure, Verdict};
use crate::output::{self, Page};
use crate::prepare;
use tune_experiment::HostLimits;

use arena::Arena;

pub(crate) fn bench(command: &BenchCommand) -> Result<Verdict, Failure> {
    match command {
        BenchCommand::Schedulers(args) => schedulers(args)?,
        BenchCommand::Searchers(args) => searchers::searchers(args)?,
        BenchCommand::Problems => conversation::hold(&mut problems::Server::new()?)?,
    }
    Ok(Verdict::Done)
}

fn schedulers(args: &BenchSchedulersArgs) -> Result<(), Failure> {
    let tables = tables::open(&args.table)?;
    let peers = args.peers.as_deref().map(peers::read).transpose()?;
    let mut slots = args.slots.clone();
    slots.sort_unstable();
    slots.dedup();
    let catalog = Catalog::open(args.plugins.dir.as_deref(), None)?;
    let entries = entries::choose(&catalog, args.schedulers.as_deref())?;
    if let Some(path) = &args.streams {
        write(
            path,
            &streams::text(&tables, &slots, args.seeds, args.trainings),
        )?;
    }
    let runtime = prepare::runtime(&HostLimits::default())?;
    let field = entries::load(&catalog, &runtime, entries)?;
    let mut arenas: Vec<Arena<'_>> = Vec::new();
    for table in &tables {
        for slots in &slots {
            arenas.push(Arena::new(table, *slots, args.trainings));
        }
    }
    let threads = args.threads.map_or_else(
        || thread::available_parallelism().map_or(1, NonZero::get),
        |threads| threads as usize,
    );
    let began = Instant::now();
    let reports = output::while_waiting(
        &format!(
            "{} simulated runs on {threads} threads",
            arenas.len() * field.entries.len() * args.seeds as usize
        ),
        || contest::run(&mut arenas, &field, args.seeds, threads),
    )?;
    let speed = summary::Speed {
        reports,
        seconds: began.elapsed().as_secs_f64(),
        threads,
    };
    for arena in &mut arenas {
        for note in arena.join(peers.as_ref(), args.seeds) {
            output::note(&note);
        }
    }
    if let Some(path) = &args.json {
        let json = summary::json(&arenas, args, &speed, peers.as_ref(), true);
        write(path, &format!("{json}\n"))?;
    }
    if let Some(path) = &args.svg {
        write(path, &plot::svg(&arenas, args.seeds))?;
    }
    if args.format.is_json() {
        output::json(&summary::json(&arenas, args, &speed, peers.as_ref(), false))?;
    } else {
        output::lines(summary::lines(&arenas, args, &speed, Page::of_stdout()))?;
    }
    Ok(())
}

fn write(path: &Path, text: &str) -> Result<(), Failure> {
    fs::write(path, text).map_err(|error| {
        Failure::usage(format!(
            "cannot write {}: {error}\n  hint: name a file in a directory that is there",
            path.display()
        ))
    })
}
