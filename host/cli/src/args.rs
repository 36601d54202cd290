//! The words of the command line, as they were typed. They carry no behaviour: what they mean is
//! decided in `commands`, once everything else is known.

use std::path::PathBuf;
use std::str::FromStr;

use clap::{Args, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;
use tune_experiment::HostLimits;
use tune_report::{Method, Scope};

mod bench;

pub(crate) use bench::{BenchCommand, BenchSchedulersArgs, BenchSearchersArgs};

/// Tunes models through sandboxed WebAssembly plugins.
#[derive(Debug, Parser)]
#[command(
    name = "tune-host",
    version,
    arg_required_else_help = true,
    after_help = "Exit codes: 0 done, 1 done with failed trials, 2 wrong usage or file, 3 a plugin was \
                  rejected, 4 stopped before the end (the last line says how to go on)."
)]
pub(crate) struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// The name of the command that is not for people.
pub(crate) const COMPILE: &str = "compile-plugin";

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run an experiment file
    Run(RunArgs),
    /// Go on with a run that stopped, or extend one that finished
    Resume(ResumeArgs),
    /// List the runs
    Runs(RunsArgs),
    /// Show a run, or one of its trials
    Show(ShowArgs),
    /// Show the best trial of a run and its configuration
    Best(BestArgs),
    /// Compare runs: did they decide the same, and where not
    Compare(CompareArgs),
    /// Begin a new run from the state of a trial
    Fork(ForkArgs),
    /// Do a run, or one of its trials, again and compare each step
    Replay(ReplayArgs),
    /// List the states of trials that a run keeps on the disk
    Snapshots(SnapshotsArgs),
    /// Answer a program that evaluates by itself: a searcher says what to try, over JSON lines
    AskTell(AskTellArgs),
    /// Answer a program that trains by itself: a scheduler says who goes on, over JSON lines
    Schedule(ScheduleArgs),
    /// Turn the curves of a finished run into a table, to compare schedulers on
    Export(ExportArgs),
    /// Compare algorithms on recorded curves
    #[command(subcommand)]
    Bench(BenchCommand),
    /// List and examine plugins
    #[command(subcommand)]
    Plugin(PluginCommand),
    /// Print the JSON Schema of experiment files
    Schema,
    /// Describe this machine and this build, as a bug report needs it
    Doctor(DoctorArgs),
    /// Compile a plugin for another process of tune-host, which starts this one
    #[command(name = COMPILE, hide = true)]
    Compile,
    /// Print a completion script for a shell
    Completions {
        /// For which shell
        shell: Shell,
    },
}

/// Arguments of `run`.
#[derive(Debug, Args)]
pub(crate) struct RunArgs {
    /// The experiment file (TOML or JSON)
    pub(crate) file: PathBuf,
    /// Name of the run, that is of its directory [default: the experiment's name, numbered]
    #[arg(long)]
    pub(crate) name: Option<String>,
    /// Seed, instead of the one in the file
    #[arg(long)]
    pub(crate) seed: Option<u64>,
    #[command(flatten)]
    pub(crate) machine: MachineArgs,
    #[command(flatten)]
    pub(crate) runs: RunsDir,
    #[command(flatten)]
    pub(crate) plugins: PluginsDir,
    #[command(flatten)]
    pub(crate) format: FormatArg,
}

/// Arguments of `resume`.
#[derive(Debug, Args)]
pub(crate) struct ResumeArgs {
    /// The run: its name or its directory
    pub(crate) run: String,
    /// Total number of trials from now on: extends the run
    #[arg(long)]
    pub(crate) trials: Option<u32>,
    /// Go on although plugins have changed: trials are carried over where the trainable can, else
    /// they begin anew
    #[arg(long)]
    pub(crate) accept_changed_plugin: bool,
    #[command(flatten)]
    pub(crate) machine: MachineArgs,
    #[command(flatten)]
    pub(crate) runs: RunsDir,
    #[command(flatten)]
    pub(crate) plugins: PluginsDir,
    #[command(flatten)]
    pub(crate) format: FormatArg,
}

/// Arguments of `runs`.
#[derive(Debug, Args)]
pub(crate) struct RunsArgs {
    #[command(flatten)]
    pub(crate) runs: RunsDir,
    #[command(flatten)]
    pub(crate) format: FormatArg,
}

/// Arguments of `show`.
#[derive(Debug, Args)]
pub(crate) struct ShowArgs {
    /// The run: its name or its directory
    pub(crate) run: String,
    /// One trial, in full
    pub(crate) trial: Option<u32>,
    /// Print the log of the trial instead
    #[arg(long, requires = "trial")]
    pub(crate) log: bool,
    /// Print how much of each limit was used instead of results
    #[arg(long, conflicts_with = "log")]
    pub(crate) usage: bool,
    /// Print how much each parameter matters for the metric: what sets the best tenth apart
    /// (ped-anova), or what moves the metric anywhere (permutation)
    #[arg(
        long,
        value_enum,
        value_name = "METHOD",
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "ped-anova",
        conflicts_with_all = ["trial", "log", "usage"]
    )]
    pub(crate) importance: Option<ImportanceArg>,
    /// Let stopped trials count for importances too, ranked behind all that came further
    #[arg(long, requires = "importance")]
    pub(crate) stopped: bool,
    #[command(flatten)]
    pub(crate) runs: RunsDir,
    #[command(flatten)]
    pub(crate) format: FormatArg,
}

/// Arguments of `best`.
#[derive(Debug, Args)]
pub(crate) struct BestArgs {
    /// The run: its name or its directory
    pub(crate) run: String,
    /// Which reports of a trial count
    #[arg(long, value_enum, default_value_t = ScopeArg::All)]
    pub(crate) scope: ScopeArg,
    #[command(flatten)]
    pub(crate) runs: RunsDir,
    #[command(flatten)]
    pub(crate) format: FormatArg,
}

/// Arguments of `compare`.
#[derive(Debug, Args)]
pub(crate) struct CompareArgs {
    /// The runs; the first is what the others are compared with
    #[arg(required = true, num_args = 2..)]
    pub(crate) run: Vec<String>,
    #[command(flatten)]
    pub(crate) runs: RunsDir,
    #[command(flatten)]
    pub(crate) format: FormatArg,
}

/// Arguments of `fork`.
#[derive(Debug, Args)]
pub(crate) struct ForkArgs {
    /// The run: its name or its directory
    pub(crate) run: String,
    /// The trial, and from which of its iterations [default: the last]
    #[arg(value_name = "TRIAL[@ITERATION]", required_unless_present = "search")]
    pub(crate) from: Option<TrialAt>,
    /// Change a parameter; can be given many times
    #[arg(long, value_name = "NAME=VALUE", value_parser = assignment)]
    pub(crate) set: Vec<(String, String)>,
    /// Where the trial ends, in units of the run's time_attr, instead of the run's max_t
    #[arg(long, value_name = "T")]
    pub(crate) until: Option<f64>,
    /// Go on with the search of the run too: same searcher and scheduler, which know its results
    #[arg(long)]
    pub(crate) search: bool,
    /// Number of trials of the new run [default: that of the run]
    #[arg(long, requires = "search", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) trials: Option<u32>,
    /// Name of the new run, that is of its directory [default: the run's name and `-fork`, numbered]
    #[arg(long)]
    pub(crate) name: Option<String>,
    /// Seed of the new run [default: from the run's]
    #[arg(long)]
    pub(crate) seed: Option<u64>,
    #[command(flatten)]
    pub(crate) machine: MachineArgs,
    #[command(flatten)]
    pub(crate) runs: RunsDir,
    #[command(flatten)]
    pub(crate) plugins: PluginsDir,
    #[command(flatten)]
    pub(crate) format: FormatArg,
}

/// A trial and one of its iterations, written `3@17`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TrialAt {
    /// The trial.
    pub(crate) trial: u32,
    /// Its `training_iteration`; none: the last.
    pub(crate) iteration: Option<u64>,
}

impl FromStr for TrialAt {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (trial, iteration) = match text.split_once('@') {
            Some((trial, iteration)) => (trial, Some(iteration)),
            None => (text, None),
        };
        let wrong = |_| format!("`{text}` is no trial: write 3, or 3@17 for its iteration 17");
        Ok(Self {
            trial: trial.parse().map_err(wrong)?,
            iteration: iteration.map(str::parse).transpose().map_err(wrong)?,
        })
    }
}

/// `lr=0.1` as a name and a value.
fn assignment(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.trim().is_empty() => {
            Ok((name.trim().to_owned(), value.trim().to_owned()))
        }
        _ => Err("write the name of a parameter and its value: lr=0.1".to_owned()),
    }
}

/// A size such as the limit `run_disk` takes.
fn disk(text: &str) -> Result<u64, String> {
    let range = HostLimits::RUN_DISK_RANGE;
    let bytes = tune_experiment::parse_bytes(text)
        .ok_or_else(|| format!("`{text}` is no size: write 200GiB (B, KiB, MiB, GiB, TiB)"))?;
    if range.contains(&bytes) {
        Ok(bytes)
    } else {
        Err("it may be 64 MiB to 1024 TiB".to_owned())
    }
}

/// Arguments of `replay`.
#[derive(Debug, Args)]
pub(crate) struct ReplayArgs {
    /// The run: its name or its directory
    pub(crate) run: String,
    /// One trial [default: the whole run, searcher and scheduler included]
    pub(crate) trial: Option<u32>,
    #[command(flatten)]
    pub(crate) machine: MachineArgs,
    #[command(flatten)]
    pub(crate) runs: RunsDir,
    #[command(flatten)]
    pub(crate) plugins: PluginsDir,
    #[command(flatten)]
    pub(crate) format: FormatArg,
}

/// Arguments of `snapshots`.
#[derive(Debug, Args)]
pub(crate) struct SnapshotsArgs {
    /// The run: its name or its directory
    pub(crate) run: String,
    #[command(flatten)]
    pub(crate) runs: RunsDir,
    #[command(flatten)]
    pub(crate) format: FormatArg,
}

/// Arguments of `ask-tell`.
#[derive(Debug, Args)]
pub(crate) struct AskTellArgs {
    /// Name of a searcher, or path of a `.wasm` file
    #[arg(long, value_name = "NAME")]
    pub(crate) searcher: String,
    /// An option of the searcher; can be given many times
    #[arg(long = "option", value_name = "NAME=VALUE", value_parser = assignment)]
    pub(crate) options: Vec<(String, String)>,
    /// A scheduler that says which trials are not worth going on with
    #[arg(long, value_name = "NAME")]
    pub(crate) scheduler: Option<String>,
    /// An option of the scheduler; can be given many times
    #[arg(
        long = "scheduler-option",
        value_name = "NAME=VALUE",
        value_parser = assignment,
        requires = "scheduler"
    )]
    pub(crate) scheduler_options: Vec<(String, String)>,
    #[command(flatten)]
    pub(crate) plugins: PluginsDir,
}

/// Arguments of `schedule`.
#[derive(Debug, Args)]
pub(crate) struct ScheduleArgs {
    /// Name of a scheduler, or path of a `.wasm` file
    #[arg(long, value_name = "NAME")]
    pub(crate) scheduler: String,
    /// An option of the scheduler; can be given many times
    #[arg(long = "option", value_name = "NAME=VALUE", value_parser = assignment)]
    pub(crate) options: Vec<(String, String)>,
    #[command(flatten)]
    pub(crate) plugins: PluginsDir,
}

/// Arguments of `export`.
#[derive(Debug, Args)]
pub(crate) struct ExportArgs {
    /// The run: its name or its directory
    pub(crate) run: String,
    /// The directory to write, which is not there yet
    #[arg(long, value_name = "DIR")]
    pub(crate) table: PathBuf,
    /// Metrics to keep, with a comma between [default: all]
    #[arg(long, value_name = "A,B", value_delimiter = ',')]
    pub(crate) metrics: Option<Vec<String>>,
    /// Round metrics to so many significant digits [default: exact]
    #[arg(long, value_parser = clap::value_parser!(u8).range(1..=17))]
    pub(crate) digits: Option<u8>,
    /// One sentence on what was trained
    #[arg(long)]
    pub(crate) description: Option<String>,
    /// Licence of the data and of the curves
    #[arg(long)]
    pub(crate) licence: Option<String>,
    #[command(flatten)]
    pub(crate) runs: RunsDir,
    #[command(flatten)]
    pub(crate) format: FormatArg,
}

/// What to do with plugins.
#[derive(Debug, Subcommand)]
pub(crate) enum PluginCommand {
    /// List the plugins that experiments can name
    List(PluginListArgs),
    /// Show what a plugin says of itself: manifest, options, imports
    Inspect(PluginInspectArgs),
    /// Check that a plugin can be used: imports, compilation
    Check(PluginArgs),
}

/// Arguments of `plugin list`.
#[derive(Debug, Args)]
pub(crate) struct PluginListArgs {
    #[command(flatten)]
    pub(crate) plugins: PluginsDir,
    #[command(flatten)]
    pub(crate) format: FormatArg,
}

/// Arguments of `plugin inspect`.
#[derive(Debug, Args)]
pub(crate) struct PluginInspectArgs {
    /// Show what a trainable is granted with this experiment file: what it asks for and the file
    /// allows
    #[arg(long, value_name = "FILE")]
    pub(crate) experiment: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) plugin: PluginArgs,
}

/// Arguments of `plugin check`, and of `plugin inspect` too.
#[derive(Debug, Args)]
pub(crate) struct PluginArgs {
    /// Name of a plugin, or path of a `.wasm` file
    pub(crate) plugin: String,
    #[command(flatten)]
    pub(crate) plugins: PluginsDir,
    #[command(flatten)]
    pub(crate) format: FormatArg,
}

/// Arguments of `doctor`.
#[derive(Debug, Args)]
pub(crate) struct DoctorArgs {
    #[command(flatten)]
    pub(crate) format: FormatArg,
}

/// How a run is carried out here; changes no decision.
#[derive(Clone, Copy, Debug, Args)]
pub(crate) struct MachineArgs {
    /// Trial threads [default: that of the file, else one a core]
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=4096))]
    pub(crate) threads: Option<u32>,
    /// What the directory of the run may take on the disk, such as 200GiB [default: `run_disk` of
    /// the file]
    #[arg(long, value_name = "SIZE", value_parser = disk)]
    pub(crate) run_disk: Option<u64>,
    /// Print the result alone, no progress
    #[arg(long, short)]
    pub(crate) quiet: bool,
}

/// Where runs live.
#[derive(Clone, Debug, Args)]
pub(crate) struct RunsDir {
    /// Directory of the runs
    // An id of its own: those of flattened arguments share one namespace.
    #[arg(
        id = "runs-dir",
        long = "runs",
        value_name = "DIR",
        env = "TUNE_HOST_RUNS",
        default_value = "runs"
    )]
    pub(crate) dir: PathBuf,
}

/// Where further plugins are.
#[derive(Clone, Debug, Args)]
pub(crate) struct PluginsDir {
    /// A directory of `.wasm` plugins; they go before the built-in ones of the same name
    #[arg(id = "plugins-dir", long = "plugins", value_name = "DIR")]
    pub(crate) dir: Option<PathBuf>,
}

/// The form of the result.
#[derive(Clone, Copy, Debug, Args)]
pub(crate) struct FormatArg {
    /// Form of the result on standard output
    #[arg(long, value_enum, default_value_t = Format::Human)]
    pub(crate) format: Format,
}

/// The form of the result.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// For people.
    Human,
    /// One JSON object or list; keys are added, never changed or removed.
    Json,
}

impl FormatArg {
    /// JSON was asked for.
    pub(crate) fn is_json(self) -> bool {
        self.format == Format::Json
    }
}

/// Which reports of a trial count.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum ScopeArg {
    /// The best of all.
    All,
    /// The last.
    Last,
}

impl From<ScopeArg> for Scope {
    fn from(scope: ScopeArg) -> Self {
        match scope {
            ScopeArg::All => Self::All,
            ScopeArg::Last => Self::Last,
        }
    }
}

/// How importance is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum ImportanceArg {
    /// How differently values lie among the best tenth of the trials and among all.
    PedAnova,
    /// How much exchanged values change what a Gaussian process expects.
    Permutation,
}

impl From<ImportanceArg> for Method {
    fn from(method: ImportanceArg) -> Self {
        match method {
            ImportanceArg::PedAnova => Self::PedAnova,
            ImportanceArg::Permutation => Self::Permutation,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn a_run_takes_its_name_seed_and_machine() {
        let cli = Cli::try_parse_from([
            "tune-host",
            "run",
            "a.toml",
            "--name",
            "x",
            "--seed",
            "7",
            "--threads",
            "2",
            "-q",
            "--format",
            "json",
            "--plugins",
            "mine",
        ]);
        let Command::Run(args) = cli.unwrap().command else {
            panic!("not run");
        };
        assert_eq!(args.name.as_deref(), Some("x"));
        assert_eq!(args.seed, Some(7));
        assert_eq!(args.machine.threads, Some(2));
        assert!(args.machine.quiet && args.format.is_json());
        assert_eq!(args.runs.dir, PathBuf::from("runs"));
        assert_eq!(args.plugins.dir, Some(PathBuf::from("mine")));
    }

    #[test]
    fn a_fork_takes_a_trial_an_iteration_and_changes() {
        let parse = |words: &[&str]| {
            let all = ["tune-host", "fork", "run"].iter().chain(words);
            match Cli::try_parse_from(all).unwrap().command {
                Command::Fork(args) => args,
                other => panic!("{other:?}"),
            }
        };
        let args = parse(&["3@17", "--set", "lr=0.1", "--set", "text=a=b"]);
        let (trial, iteration) = (3, Some(17));
        assert_eq!(args.from, Some(TrialAt { trial, iteration }));
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        assert_eq!(args.set, [pair("lr", "0.1"), pair("text", "a=b")]);
        assert_eq!(parse(&["3"]).from.unwrap().iteration, None);
        assert_eq!(parse(&["--search"]).from, None);
    }

    #[test]
    fn nonsense_is_refused() {
        for words in [
            ["run", "a.toml", "--threads", "0"].as_slice(),
            &["show", "run", "--log"],
            &["compare", "one"],
            &["best", "run", "--scope", "first"],
            &["show", "run", "-1"],
            &["fork", "run"],
            &["fork", "run", "x"],
            &["fork", "run", "3@"],
            &["fork", "run", "3@-1"],
            &["fork", "run", "3", "--set", "lr"],
            &["fork", "run", "3", "--set", "=1"],
            &["fork", "run", "3", "--trials", "5"],
            &["replay", "run", "x"],
        ] {
            let all = ["tune-host"].iter().chain(words);
            assert!(Cli::try_parse_from(all).is_err(), "{words:?}");
        }
    }
}
