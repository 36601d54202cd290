//! The words of the command line, as they were typed. They carry no behaviour: what they mean is
//! decided in `commands`, once everything else is known.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;
use tune_report::Scope;

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
    /// List and examine plugins
    #[command(subcommand)]
    Plugin(PluginCommand),
    /// Print the JSON Schema of experiment files
    Schema,
    /// Describe this machine and this build, as a bug report needs it
    Doctor(DoctorArgs),
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

/// What to do with plugins.
#[derive(Debug, Subcommand)]
pub(crate) enum PluginCommand {
    /// List the plugins that experiments can name
    List(PluginListArgs),
    /// Show what a plugin says of itself: manifest, options, imports
    Inspect(PluginArgs),
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

/// Arguments of `plugin inspect` and `plugin check`.
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
    fn nonsense_is_refused() {
        for words in [
            ["run", "a.toml", "--threads", "0"].as_slice(),
            &["show", "run", "--log"],
            &["compare", "one"],
            &["best", "run", "--scope", "first"],
            &["show", "run", "-1"],
        ] {
            let all = ["tune-host"].iter().chain(words);
            assert!(Cli::try_parse_from(all).is_err(), "{words:?}");
        }
    }
}
