//! One file and one seed give one digest, whatever the machine does meanwhile.

use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use tune_core::hex;
use tune_core::records::TrialId;
use tune_runner::{How, StepHook};
use tune_store::RunReader;

use crate::stage::{Manner, Stage, digits_plan};

/// First argument of the process that is to be killed.
pub(crate) const VICTIM: &str = "victim";

/// Prints the digests.
pub(crate) fn run(stage: &Stage) -> Result<bool> {
    let plan = digits_plan()?;
    let mut digests = Vec::new();
    let mut note = |name: String, digest: [u8; 32]| {
        println!("{}  {name}", hex(&digest));
        digests.push(digest);
    };

    let first = stage.run(&plan, &Manner::threads(1))?;
    note("1 thread".to_owned(), first.digest);
    for threads in [2, 2] {
        let ran = stage.run(&plan, &Manner::threads(threads))?;
        note(format!("{threads} threads"), ran.digest);
    }
    let delayed = Manner {
        hook: Some(delays()),
        ..Manner::threads(4)
    };
    let ran = stage.run(&plan, &delayed)?;
    note(
        "4 threads, each step delayed by 0 to 4 ms at random".to_owned(),
        ran.digest,
    );

    let path = stage.new_directory()?;
    let killed_at = kill_in_the_middle(&path, first.tally.rows / 2)?;
    let ran = stage.run_in(&path, &plan, &Manner::threads(2))?;
    ensure!(ran.how == How::Finished, "the resumed run did not finish");
    let name = format!(
        "2 threads, killed (SIGKILL) with {killed_at} of {} rows durable, resumed",
        first.tally.rows
    );
    note(name, ran.digest);

    let equal = digests.iter().all(|digest| *digest == first.digest);
    println!("\n{}", if equal { "OK: all equal" } else { "DIFFERENT" });
    Ok(equal)
}

/// Runs the experiment until somebody kills this process.
pub(crate) fn victim(path: &Path) -> Result<()> {
    // A run that ended before it was killed would show nothing: it is slowed down a little.
    let slow = Manner {
        hook: Some(delays()),
        ..Manner::threads(2)
    };
    Stage::new()?.run_in(path, &digits_plan()?, &slow)?;
    Ok(())
}

/// Has another process run the experiment, and kills it once `rows` rows are durable. Returns how
/// many there were in the end.
fn kill_in_the_middle(path: &Path, rows: u64) -> Result<usize> {
    let mut child = Command::new(std::env::current_exe()?)
        .arg(VICTIM)
        .arg(path)
        .stdout(Stdio::null())
        .spawn()
        .context("starting the process to kill")?;
    loop {
        if let Some(status) = child.try_wait()? {
            anyhow::bail!("the process to kill ended by itself: {status}");
        }
        // The directory may not be there yet, or be half made.
        let durable = RunReader::open(path).and_then(|run| run.count());
        if durable.is_ok_and(|durable| durable >= rows) {
            break;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    child.kill()?;
    child.wait()?;
    Ok(RunReader::open(path)?.rows()?.len())
}

/// Delays every step by 0 to 4 ms: other ones in every run and process.
fn delays() -> StepHook {
    // A fresh random state each time: what this benchmark shows is that it does not matter.
    let seed = std::hash::BuildHasher::hash_one(&std::hash::RandomState::new(), 0);
    let calls = AtomicU64::new(seed);
    Arc::new(move |trial: TrialId| {
        // SplitMix64: its upper bits are spread evenly.
        let mut x = calls.fetch_add(0x9E37_79B9_7F4A_7C15, Ordering::Relaxed);
        x = (x ^ (x >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9) ^ u64::from(trial);
        x = (x ^ (x >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        std::thread::sleep(Duration::from_micros(x >> 52));
    })
}
