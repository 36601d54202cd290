//! What it costs to write the state of trials to the disk, and what it takes there.

use std::io::Write as _;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use tune_runtime::{Image, Snapshot};
use tune_store::{
    ChunkStore, Header, Memory, NewSnapshot, Purpose, RunDir, Since, SnapshotInfo, SnapshotKey,
    SnapshotOf,
};

use crate::ballast::{Ballast, Load, step};
use crate::show;
use crate::stage::Stage;

/// In units of 2^20 bytes.
const SIZES: [u64; 3] = [16, 64, 256];
const DIRTY: [u64; 3] = [1, 10, 100];
/// Checkpoints of each row; the middle one counts.
const ROUNDS: usize = 5;
const MEMBERS: u32 = 16;
/// MB of a member.
const MEMBER: u64 = 16;

/// Prints both tables.
pub(crate) fn run(stage: &Stage) -> Result<bool> {
    speed(stage)?;
    population(stage)?;
    Ok(true)
}

/// The chunk store knows bytes, the runtime images.
struct Content<'a>(&'a Image);

impl Memory for Content<'_> {
    fn byte_len(&self) -> u64 {
        self.0.byte_len()
    }

    fn read_at(&self, offset: u64, into: &mut [u8]) -> std::io::Result<()> {
        self.0.read_at(offset, into).map_err(std::io::Error::other)
    }
}

/// Writes a state; only what changed since another one that was written, if there is one.
fn write(
    store: &ChunkStore,
    trial: u32,
    state: &Snapshot,
    since: Option<(u64, &Snapshot)>,
) -> Result<SnapshotInfo> {
    let contents: Vec<Content<'_>> = state.memories().iter().map(Content).collect();
    let memories: Vec<&dyn Memory> = contents.iter().map(|c| c as &dyn Memory).collect();
    let changed: Vec<_> = match since {
        Some((_, older)) => state
            .memories()
            .iter()
            .zip(older.memories())
            .map(|(new, old)| new.changed_since(old))
            .collect(),
        None => Vec::new(),
    };
    Ok(store.write(NewSnapshot {
        key: SnapshotKey {
            of: SnapshotOf::Trial { trial, reports: 1 },
            sequence: 0,
        },
        purpose: Purpose::Periodic,
        wall_ms: 0,
        header: &[],
        memories: &memories,
        since: since.map(|(id, _)| Since {
            id,
            changed: &changed,
        }),
        portable: None,
    })?)
}

#[derive(Clone, Copy)]
struct Written {
    capture: Duration,
    write: Duration,
    bytes: u64,
    raw: Duration,
}

fn speed(stage: &Stage) -> Result<()> {
    let mut table = show::table(&[
        "MB, dirty",
        "capture",
        "write and sync",
        "MB dirty / s",
        "written",
        "same bytes, plain file",
    ]);
    for mb in SIZES {
        for dirty_percent in DIRTY {
            let rounds = checkpoints(stage, Load { mb, dirty_percent })?;
            let middle = show::median(&rounds, |w| (w.capture + w.write).as_secs_f64());
            let middle = middle.context("no checkpoint was made")?;
            let dirty = (mb << 20) as f64 * dirty_percent as f64 / 100.0;
            let time = (middle.capture + middle.write).as_secs_f64();
            table.rows.push(vec![
                format!("{mb}, {dirty_percent} %"),
                show::milliseconds(middle.capture),
                show::milliseconds(middle.write),
                show::number(dirty / 1e6 / time),
                show::megabytes(middle.bytes),
                show::milliseconds(middle.raw),
            ]);
        }
    }
    show::print(&table);
    println!(
        "middle of {ROUNDS}; MB of 2^20 bytes that do not compress. Written: new chunks, compressed \
         where it pays, and the manifest. A run writes in the background, at most 5 % of the time.\n"
    );
    Ok(())
}

fn checkpoints(stage: &Stage, load: Load) -> Result<Vec<Written>> {
    let path = stage.new_directory()?;
    let (run, _journal) = RunDir::create(&path, &Header::default())?;
    let store = run.chunks();
    let ballast = Ballast::new(stage, load)?;
    let mut trial = ballast.trial(0)?;
    let mut state = trial.snapshot()?;
    let mut id = write(store, 0, &state, None)?.id;
    let dirty = vec![7_u8; ((load.mb << 20) * load.dirty_percent / 100) as usize];
    let mut rounds = Vec::new();
    for round in 0..ROUNDS {
        step(&mut trial)?;
        let began = Instant::now();
        let next = trial.snapshot()?;
        let capture = began.elapsed();
        let began = Instant::now();
        let info = write(store, 0, &next, Some((id, &state)))?;
        let time = began.elapsed();
        let began = Instant::now();
        let mut file = std::fs::File::create(path.join(format!("plain-{round}")))?;
        file.write_all(&dirty)?;
        file.sync_all()?;
        rounds.push(Written {
            capture,
            write: time,
            bytes: info.new_bytes,
            raw: began.elapsed(),
        });
        (state, id) = (next, info.id);
    }
    Ok(rounds)
}

/// Members that were cloned from each other share what they did not rewrite since.
fn population(stage: &Stage) -> Result<()> {
    let mut table = show::table(&[
        "16 members of 16 MB",
        "16 full copies",
        "on disk",
        "full / on disk",
    ]);
    for (name, dirty_percent, related) in [
        ("clones, 1 % rewritten", 1, true),
        ("clones, 10 % rewritten", 10, true),
        ("clones, 100 % rewritten", 100, true),
        ("nothing in common", 100, false),
    ] {
        let load = Load {
            mb: MEMBER,
            dirty_percent,
        };
        let path = stage.new_directory()?;
        let (run, _journal) = RunDir::create(&path, &Header::default())?;
        let store = run.chunks();
        let ballast = Ballast::new(stage, load)?;
        let ancestor = ballast.trial(0)?.snapshot()?;
        for member in 0..MEMBERS {
            let mut trial = if related {
                ballast.clone_apart(&ancestor, u64::from(member))?
            } else {
                ballast.trial(member)?
            };
            step(&mut trial)?;
            write(store, member, &trial.snapshot()?, None)?;
        }
        let usage = store.usage();
        ensure!(usage.snapshots == u64::from(MEMBERS), "{usage:?}");
        table.rows.push(vec![
            name.to_owned(),
            show::megabytes(usage.logical_bytes),
            show::megabytes(usage.disk_bytes),
            show::ratio(usage.ratio()),
        ]);
    }
    show::print(&table);
    println!(
        "clones: all of one member, each with a change of its own and one step since; what a step does \
         not rewrite is stored once"
    );
    Ok(())
}
