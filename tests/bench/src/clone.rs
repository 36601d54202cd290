//! What it costs to keep the state of a trial and to clone it, whatever its size and however much of
//! it changes, beside copying the same bytes and beside state that the guest saves itself.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use tune_runtime::{Snapshot, SnapshotHeader, Trial};

use crate::ballast::{Ballast, Load, step};
use crate::show;
use crate::stage::Stage;

/// Sizes in MB of 2^20 bytes, each with these percentages rewritten by a step.
const SIZES: [u64; 4] = [1, 16, 64, 256];
const DIRTY: [u64; 3] = [1, 10, 100];
/// Each way takes its turn so often; the middle one counts.
const ROUNDS: usize = 5;

/// Milliseconds of each way, and of the first step after it.
#[derive(Default)]
struct Times {
    keep: Vec<Duration>,
    chosen: Vec<Pair>,
    mapped: Vec<Pair>,
    eager: Vec<Pair>,
    over: Vec<Pair>,
    memcpy: Vec<Duration>,
    portable: Vec<Duration>,
}

/// A clone and its first step.
type Pair = (Duration, Duration);

/// Prints the table.
pub(crate) fn run(stage: &Stage) -> Result<bool> {
    let mut table = show::table(&[
        "MB, dirty",
        "keep",
        "clone",
        "+ step",
        "mapped",
        "+ step",
        "eager",
        "+ step",
        "over loser",
        "+ step",
        "memcpy",
        "clone / memcpy",
        "portable",
    ]);
    for mb in SIZES {
        for dirty_percent in DIRTY {
            let load = Load { mb, dirty_percent };
            let times = measure(stage, load)?;
            let [keep, memcpy, portable] =
                [&times.keep, &times.memcpy, &times.portable].map(|times| middle(times));
            let pairs = [&times.chosen, &times.mapped, &times.eager, &times.over]
                .map(|pairs| middle_pair(pairs));
            let clone = pairs.first().map_or(0.0, |(clone, _)| clone.as_secs_f64());
            let mut row = vec![format!("{mb}, {dirty_percent} %"), show::milliseconds(keep)];
            for (clone, step) in pairs {
                row.extend([clone, step].map(show::milliseconds));
            }
            row.extend([
                show::milliseconds(memcpy),
                show::ratio(clone / memcpy.as_secs_f64()),
                show::milliseconds(portable),
            ]);
            table.rows.push(row);
        }
    }
    show::print(&table);
    println!(
        "middle of {ROUNDS}, all ways taking turns; every clone went on as its source did.\nkeep: \
         state captured after a step. clone: a new instance in that state, mapped or eager as the host \
         chooses. mapped: copied on write, if the state was kept so that it can be. eager: copied at once. over loser: into a live instance. + step: the first step after it. memcpy: MB \
         bytes into fresh pages. portable: the guest saves its state, another instance loads it.\n\
         Goals: 256 MB, 1 %: keep and clone below 1 ms; 100 %: at most 2 x memcpy."
    );
    Ok(true)
}

fn measure(stage: &Stage, load: Load) -> Result<Times> {
    let ballast = Ballast::new(stage, load)?;
    let mut source = ballast.trial(0)?;
    let mut loser = ballast.trial(1)?;
    // Its memory is full of what it saved: nothing else is measured with it.
    let mut saver = ballast.trial(2)?;
    let bytes = vec![1_u8; (load.mb as usize) << 20];
    let mut times = Times::default();
    for _ in 0..ROUNDS {
        // From here on one step changes it.
        source.snapshot()?;
        step(&mut source)?;
        step(&mut loser)?;
        let (time, snapshot) = timed(|| Ok(source.snapshot()?))?;
        times.keep.push(time);
        let (_, next) = step(&mut source)?;

        let ways = [
            (snapshot.clone(), &mut times.chosen),
            (with_dirty_ratio(&snapshot, 0.0)?, &mut times.mapped),
            (with_dirty_ratio(&snapshot, 1.0)?, &mut times.eager),
        ];
        for (snapshot, into) in ways {
            let (time, mut clone) = timed(|| ballast.restored(&snapshot))?;
            into.push((time, goes_on(&mut clone, next)?));
        }
        let (time, ()) = timed(|| Ok(loser.restore_over(&snapshot, 0)?))?;
        times.over.push((time, goes_on(&mut loser, next)?));

        let (time, copy) = timed(|| Ok(bytes.clone()))?;
        times.memcpy.push(time);
        drop(copy);

        let (time, (mut clone, next)) = timed(|| portable_clone(&ballast, &mut saver))
            .and_then(|(time, clone)| Ok((time, (clone, step(&mut saver)?.1))))?;
        times.portable.push(time);
        goes_on(&mut clone, next)?;
    }
    Ok(times)
}

/// The state of a trial by its own code, in another instance.
fn portable_clone(ballast: &Ballast, source: &mut Trial) -> Result<Trial> {
    let mut state = Vec::new();
    source.save_portable(&mut |chunk| state.extend_from_slice(chunk))?;
    let mut clone = ballast.restoring()?;
    clone.restore_portable(&mut state.as_slice())?;
    Ok(clone)
}

/// The clone reports what its source reported; how long that step took.
fn goes_on(clone: &mut Trial, next: f64) -> Result<Duration> {
    let (time, sum) = step(clone)?;
    ensure!(sum == next, "a clone went another way: {sum}, not {next}");
    Ok(time)
}

/// The same state as if that share of it had been rewritten since it was captured before: from that
/// the policy chooses how to copy.
fn with_dirty_ratio(snapshot: &Snapshot, ratio: f64) -> Result<Snapshot> {
    let mut header = serde_json::to_value(snapshot.header())?;
    let dirty = snapshot.byte_len() as f64 * ratio;
    if let Some(entry) = header.get_mut("dirty_bytes") {
        *entry = (dirty as u64).into();
    }
    let header: SnapshotHeader = serde_json::from_value(header)?;
    Ok(Snapshot::from_parts(header, snapshot.memories().to_vec())?)
}

fn timed<T>(work: impl FnOnce() -> Result<T>) -> Result<(Duration, T)> {
    let began = Instant::now();
    let done = work()?;
    Ok((began.elapsed(), done))
}

fn middle(times: &[Duration]) -> Duration {
    show::median(times, Duration::as_secs_f64).unwrap_or_default()
}

fn middle_pair(pairs: &[Pair]) -> Pair {
    show::median(pairs, |(clone, step)| (*clone + *step).as_secs_f64()).unwrap_or_default()
}
