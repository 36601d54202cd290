//! What `ask-tell` and `schedule` cost beside the plugins that they ask: a request over the pipe of a real
//! process, the same calls of the same plugin without one, and a bare pipe.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use tune_core::records::{
    Config, Creation, Ending, Outcome, Report, Setup, Stream, Suggestion, TrialId,
};
use tune_core::{Limits, Metering};

use crate::nested;
use crate::show;
use crate::stage::Stage;
use crate::suggest;

/// Trials of each side; the middle one counts.
const TRIALS: u32 = 1_001;
const DIMENSIONS: u32 = 10;
const MAX_T: u32 = 27;
const SEED: u64 = 1;

/// Prints the times.
pub(crate) fn run(stage: &Stage) -> Result<bool> {
    let binary = nested::target_dir()?.join("release/tune-host");
    if !binary.exists() {
        println!("skipped: there is no tune-host beside this program; `cargo build --release`");
        return Ok(true);
    }
    let mut table = show::table(&[
        "microseconds",
        "plugin alone",
        "over the pipe",
        "of these bare pipe",
        "overhead",
    ]);
    let mut row = |name: &str, alone: Duration, over: Duration, pipe: Duration| {
        let rest = over.saturating_sub(alone).saturating_sub(pipe);
        let cells =
            [alone, over, pipe, rest].map(|time| format!("{:.1}", time.as_secs_f64() * 1e6));
        table
            .rows
            .push([vec![name.to_owned()], cells.to_vec()].concat());
    };
    let pipe = bare_pipe()?;
    for name in ["random", "tpe"] {
        let (alone, over) = (searcher_alone(stage, name)?, ask_tell(&binary, name)?);
        row(&format!("ask-tell, {name}"), alone, over, 2 * pipe);
    }
    let (alone, over) = (scheduler_alone(stage)?, schedule(&binary)?);
    row("schedule, asha", alone, over, pipe);
    show::print(&table);
    Ok(true)
}

/// A process that answers each line by a line.
struct Talk {
    child: Child,
    to: ChildStdin,
    from: BufReader<ChildStdout>,
    reply: String,
}

impl Talk {
    fn begin(program: &Path, arguments: &[&str]) -> Result<Self> {
        let mut child = Command::new(program)
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .with_context(|| program.display().to_string())?;
        Ok(Self {
            to: child.stdin.take().context("no input")?,
            from: BufReader::new(child.stdout.take().context("no output")?),
            child,
            reply: String::new(),
        })
    }

    fn ask(&mut self, request: &str) -> Result<&str> {
        self.to.write_all(request.as_bytes())?;
        self.reply.clear();
        self.from.read_line(&mut self.reply)?;
        ensure!(!self.reply.contains("error"), "{request}{}", self.reply);
        Ok(&self.reply)
    }

    fn end(mut self) -> Result<()> {
        drop(self.to);
        self.child.wait()?;
        Ok(())
    }
}

fn middle(times: &[Duration]) -> Result<Duration> {
    show::median(times, Duration::as_secs_f64).context("no times")
}

/// A line to a process and back that does nothing.
fn bare_pipe() -> Result<Duration> {
    let mut talk = Talk::begin(Path::new("cat"), &[])?;
    let mut times = Vec::new();
    for trial in 0..TRIALS {
        let request = format!("{{\"cmd\":\"ask\",\"id\":{trial}}}\n");
        let began = Instant::now();
        talk.ask(&request)?;
        times.push(began.elapsed());
    }
    talk.end()?;
    middle(&times)
}

fn ask_tell(binary: &Path, searcher: &str) -> Result<Duration> {
    let mut talk = Talk::begin(binary, &["ask-tell", "--searcher", searcher])?;
    let parameter = |i| format!("{{\"name\":\"x{i}\",\"kind\":\"float\",\"low\":-5,\"high\":5}}");
    let space: Vec<String> = (0..DIMENSIONS).map(parameter).collect();
    let space = space.join(",");
    talk.ask(&format!(
        "{{\"cmd\":\"start\",\"direction\":\"minimize\",\"seed\":{SEED},\"space\":[{space}]}}\n"
    ))?;
    let (mut times, mut stream) = (Vec::new(), Stream::new(SEED));
    for trial in 0..TRIALS {
        let loss = stream.unit();
        let began = Instant::now();
        talk.ask(&format!("{{\"cmd\":\"ask\",\"id\":{trial}}}\n"))?;
        talk.ask(&format!(
            "{{\"cmd\":\"tell\",\"id\":{trial},\"value\":{loss}}}\n"
        ))?;
        times.push(began.elapsed());
    }
    talk.end()?;
    middle(&times)
}

fn schedule(binary: &Path) -> Result<Duration> {
    let mut talk = Talk::begin(binary, &["schedule", "--scheduler", "asha"])?;
    talk.ask(&format!(
        "{{\"cmd\":\"start\",\"direction\":\"minimize\",\"max_t\":{MAX_T},\"seed\":{SEED}}}\n"
    ))?;
    let (mut times, mut stream) = (Vec::new(), Stream::new(SEED));
    for trial in 0..TRIALS {
        talk.ask(&format!("{{\"cmd\":\"next\",\"new_trial\":{trial}}}\n"))?;
        let mut goes_on = true;
        for t in 1..MAX_T {
            let loss = stream.unit();
            let began = Instant::now();
            let reply = talk.ask(&format!(
                "{{\"cmd\":\"result\",\"trial\":{trial},\"t\":{t},\"value\":{loss}}}\n"
            ))?;
            goes_on = reply.contains("continue");
            times.push(began.elapsed());
            if !goes_on {
                break;
            }
        }
        if goes_on {
            talk.ask(&format!("{{\"cmd\":\"complete\",\"trial\":{trial}}}\n"))?;
        }
    }
    talk.end()?;
    middle(&times)
}

fn searcher_alone(stage: &Stage, name: &str) -> Result<Duration> {
    let plugin = stage.plugin(name, Metering::Fuel)?;
    let searcher = plugin.searcher(&setup(), &Limits::default());
    let mut searcher = searcher.map_err(|error| anyhow::anyhow!("{}", error.details()))?;
    let (mut times, mut stream) = (Vec::new(), Stream::new(SEED));
    for trial in 0..TRIALS {
        let outcome = Outcome {
            ending: Ending::Finished,
            last: Some(report(stream.unit(), 1)),
        };
        let began = Instant::now();
        let Ok(Suggestion::Configure(_)) = searcher.suggest(trial, &Config::new())? else {
            bail!("{name} suggests nothing");
        };
        searcher.complete(trial, &outcome)?;
        times.push(began.elapsed());
    }
    middle(&times)
}

fn scheduler_alone(stage: &Stage) -> Result<Duration> {
    let plugin = stage.plugin("asha", Metering::Fuel)?;
    let scheduler = plugin.scheduler(&setup(), &Limits::default());
    let mut scheduler = scheduler.map_err(|error| anyhow::anyhow!("{}", error.details()))?;
    let (mut times, mut stream) = (Vec::new(), Stream::new(SEED));
    for trial in 0..TRIALS as TrialId {
        scheduler.on_add(trial, &Config::new())?;
        scheduler.next_to_run(Creation::Possible)?;
        for t in 1..MAX_T {
            let report = report(stream.unit(), t);
            let began = Instant::now();
            let actions = scheduler.on_result(trial, &report)?;
            times.push(began.elapsed());
            if !actions.is_empty() {
                break;
            }
        }
        scheduler.on_complete(trial, None)?;
    }
    middle(&times)
}

fn report(loss: f64, t: u32) -> Report {
    let report = Report::default().with("value", loss);
    report.with("training_iteration", f64::from(t))
}

fn setup() -> Setup {
    let mut setup = suggest::setup(DIMENSIONS);
    for objective in &mut setup.objectives {
        objective.metric = "value".to_owned();
    }
    setup.max_t = Some(f64::from(MAX_T));
    setup
}
