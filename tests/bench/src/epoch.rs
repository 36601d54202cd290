//! What an epoch of `digits-mlp` costs in the sandbox, and which part of the sandbox costs it.

use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use tune_core::Metering;
use tune_core::records::{Config, Value};
use tune_runtime::Plugin;

use crate::nested;
use crate::show;
use crate::stage::{Stage, workspace};
use crate::trial::{SEED, Trial};

/// Every way to run takes its turn so often; the fastest epoch of all turns counts, which is the
/// one that nothing disturbed.
const ROUNDS: usize = 8;
/// Epochs of a turn, some 20 to 100 ms.
const EPOCHS: usize = 25;
/// Sizes of the hidden layer: the smallest and the largest of `examples/digits.toml`, and the
/// default of the model.
const HIDDEN: [i64; 3] = [16, 64, 128];

/// A way to run an epoch.
struct Way {
    name: &'static str,
    run: Box<dyn Fn(i64) -> Result<Turn>>,
}

/// Times and losses of the epochs of one turn.
type Turn = Vec<(Duration, u64)>;

/// Prints the times, and what they consist of.
pub(crate) fn run(stage: &Stage) -> Result<bool> {
    let ways = ways(stage)?;
    let mut fastest = vec![[Duration::MAX; HIDDEN.len()]; ways.len()];
    let mut same = true;
    for (size, hidden) in HIDDEN.into_iter().enumerate() {
        let mut losses: Option<Vec<u64>> = None;
        for _ in 0..ROUNDS {
            for (way, fastest) in ways.iter().zip(&mut fastest) {
                let turn = (way.run)(hidden)?;
                ensure!(turn.len() == EPOCHS, "{}: {} epochs", way.name, turn.len());
                let theirs: Vec<u64> = turn.iter().map(|(_, loss)| *loss).collect();
                same &= *losses.get_or_insert_with(|| theirs.clone()) == theirs;
                let best = turn.iter().map(|(time, _)| *time).min();
                if let (Some(fastest), Some(best)) = (fastest.get_mut(size), best) {
                    *fastest = best.min(*fastest);
                }
            }
        }
    }

    let mut titles = vec!["an epoch (1,438 images)".to_owned()];
    for hidden in HIDDEN {
        titles.extend([format!("hidden {hidden}"), "/ native".to_owned()]);
    }
    let titles: Vec<&str> = titles.iter().map(String::as_str).collect();
    let mut table = show::table(&titles);
    for (way, times) in ways.iter().zip(&fastest) {
        let mut row = vec![way.name.to_owned()];
        for (time, native) in times.iter().zip(fastest.first().unwrap_or(times)) {
            row.extend([
                show::milliseconds(*time),
                show::ratio(quotient(*time, *native)),
            ]);
        }
        table.rows.push(row);
    }
    show::print(&table);

    let time = |name: &str| {
        let index = ways.iter().position(|way| way.name == name).unwrap_or(0);
        fastest.get(index).copied().unwrap_or_default()
    };
    let mut parts = show::table(&[
        "what a part costs or gains",
        "hidden 16",
        "hidden 64",
        "hidden 128",
    ]);
    for (name, with, without) in [
        ("wasm (none / native)", NONE, NATIVE),
        ("fuel (fuel / none)", FUEL, NONE),
        ("epochs (epoch / none)", EPOCH, NONE),
        ("both (full / none)", FULL, NONE),
        ("no SIMD (none)", NONE_SCALAR, NONE),
        ("no SIMD (fuel)", FUEL_SCALAR, FUEL),
    ] {
        let (with, without) = (time(with), time(without));
        let cells = with.iter().zip(&without);
        let cells = cells.map(|(a, b)| show::ratio(quotient(*a, *b)));
        parts
            .rows
            .push(std::iter::once(name.to_owned()).chain(cells).collect());
    }
    show::print(&parts);
    println!(
        "fastest of {ROUNDS} turns of {EPOCHS} epochs, all ways taking turns; goal: fuel at most \
         1.3 x native; losses {}",
        if same {
            "equal in every bit"
        } else {
            "DIFFERENT"
        }
    );
    Ok(same)
}

const NATIVE: &str = "native, -O3";
const NONE: &str = "sandbox, none";
const EPOCH: &str = "sandbox, epoch";
const FUEL: &str = "sandbox, fuel";
const FULL: &str = "sandbox, full";
const NONE_SCALAR: &str = "sandbox, none, no SIMD";
const FUEL_SCALAR: &str = "sandbox, fuel, no SIMD";

fn ways(stage: &Stage) -> Result<Vec<Way>> {
    let program = nested::native_epochs()?;
    let mut ways = vec![Way {
        name: NATIVE,
        run: Box::new(move |hidden| native(&program, hidden)),
    }];
    let name = "digits-mlp";
    let embedded = tune_embedded::all().iter().find(|p| p.name == name);
    let simd = embedded.context("no digits-mlp in the binary")?.bytes;
    let scalar = nested::digits_without_simd()?;
    for (label, bytes, metering) in [
        (NONE, simd, Metering::None),
        (EPOCH, simd, Metering::Epoch),
        (FUEL, simd, Metering::Fuel),
        (FULL, simd, Metering::Full),
        (NONE_SCALAR, &scalar, Metering::None),
        (FUEL_SCALAR, &scalar, Metering::Fuel),
    ] {
        let plugin = stage.load(name, bytes, metering)?;
        let data = stage.data();
        ways.push(Way {
            name: label,
            run: Box::new(move |hidden| sandboxed(&plugin, &data, hidden)),
        });
    }
    Ok(ways)
}

/// The example `epochs` of the model prints nanoseconds and loss of each epoch.
fn native(program: &Path, hidden: i64) -> Result<Turn> {
    let output = Command::new(program)
        .arg(workspace().join("data/digits/digits.csv"))
        .args([hidden.to_string(), EPOCHS.to_string(), SEED.to_string()])
        .output()?;
    ensure!(output.status.success(), "the native program failed");
    let lines = String::from_utf8(output.stdout)?;
    let parse = |line: &str| {
        let (nanoseconds, loss) = line.split_once(' ')?;
        let time = Duration::from_nanos(nanoseconds.parse().ok()?);
        Some((time, u64::from_str_radix(loss, 16).ok()?))
    };
    lines
        .lines()
        .map(|line| parse(line).with_context(|| format!("not nanoseconds and loss: {line}")))
        .collect()
}

fn sandboxed(plugin: &Plugin, data: &Arc<tune_runtime::DataSets>, hidden: i64) -> Result<Turn> {
    let config: Config = [("hidden".to_owned(), Value::Integer(hidden))]
        .into_iter()
        .collect();
    let grants = tune_runtime::Grants::default();
    let mut trial = Trial::new(plugin, data, &grants, config)?;
    let mut turn = Vec::new();
    for _ in 0..EPOCHS {
        let (time, report) = trial.step()?;
        let loss = report.metrics.iter().find(|m| m.name == "loss");
        let loss = loss.context("no loss was reported")?.value;
        turn.push((time, loss.to_bits()));
    }
    Ok(turn)
}

fn quotient(a: Duration, b: Duration) -> f64 {
    a.as_secs_f64() / b.as_secs_f64()
}
