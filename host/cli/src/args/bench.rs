//! The words of `bench`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::{FormatArg, PluginsDir};

/// What to compare.
#[derive(Debug, Subcommand)]
pub(crate) enum BenchCommand {
    /// Schedulers: the best result so far over virtual time, many seeds at once
    Schedulers(BenchSchedulersArgs),
    /// Searchers: the regret on problems whose optimum is known, many seeds at once
    Searchers(BenchSearchersArgs),
    /// The problems of the comparison of searchers, for other programs: JSON lines
    Problems,
}

/// Arguments of `bench searchers`.
#[derive(Debug, Args)]
pub(crate) struct BenchSearchersArgs {
    /// Searchers, with a comma between; options follow a name: tpe:n_startup_trials=20 [default: auto,
    /// tpe, gp, cmaes, evolution, sobol, random, as far as they are there]
    #[arg(long, value_name = "A,B", value_delimiter = ',')]
    pub(crate) searchers: Option<Vec<String>>,
    /// Only problems with one of these texts in their name, with a comma between
    #[arg(long, value_name = "TEXT,TEXT", value_delimiter = ',')]
    pub(crate) problems: Option<Vec<String>>,
    /// Trials of a run
    #[arg(long, value_name = "N", default_value_t = 200, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub(crate) trials: u32,
    /// Runs of each searcher on each problem
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=1_000))]
    pub(crate) seeds: u32,
    /// Trials that are asked for before any of them is told; several numbers with a comma between
    #[arg(long, value_name = "N,N", value_delimiter = ',', default_values_t = [1, 8],
          value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub(crate) batch: Vec<u32>,
    /// Seconds that a searcher may take in one run
    #[arg(long, value_name = "SECONDS", default_value_t = 600.0, value_parser = seconds)]
    pub(crate) limit: f64,
    /// Compare with the results of other programs, or with earlier ones of --json; can be given many times
    #[arg(long, value_name = "FILE")]
    pub(crate) peers: Vec<PathBuf>,
    /// Our results of an earlier --json: only what it lacks is run, and --json has what it had
    #[arg(long, value_name = "FILE")]
    pub(crate) known: Option<PathBuf>,
    /// Threads [default: one a core]
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=4096))]
    pub(crate) threads: Option<u32>,
    /// Write our results as JSON, of the form that --peers reads
    #[arg(long, value_name = "FILE")]
    pub(crate) json: Option<PathBuf>,
    /// Draw the results
    #[arg(long, value_name = "FILE")]
    pub(crate) svg: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) plugins: PluginsDir,
    #[command(flatten)]
    pub(crate) format: FormatArg,
}

/// A time in seconds.
fn seconds(text: &str) -> Result<f64, String> {
    /// A day: a comparison that takes longer has no use for a limit.
    const MOST: f64 = 86_400.0;
    let seconds = text.parse().ok();
    let seconds = seconds.filter(|seconds| *seconds > 0.0 && *seconds <= MOST);
    seconds.ok_or_else(|| format!("`{text}` is no time: write seconds above 0, at most {MOST}"))
}

/// Arguments of `bench schedulers`.
#[derive(Debug, Args)]
pub(crate) struct BenchSchedulersArgs {
    /// Tables: directories, or those that come with tune-host [default: all that come with it]
    #[arg(long, value_name = "DIR")]
    pub(crate) table: Vec<String>,
    /// Schedulers, with a comma between; options follow a name: asha:type=promotion [default: all
    /// that can be compared on curves]
    #[arg(long, value_name = "A,B", value_delimiter = ',')]
    pub(crate) schedulers: Option<Vec<String>>,
    /// Runs of each scheduler, each with an order of configurations of its own
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub(crate) seeds: u32,
    /// Trials that run at once; several numbers with a comma between
    #[arg(long, value_name = "N,N", value_delimiter = ',', default_values_t = [4, 16],
          value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub(crate) slots: Vec<u32>,
    /// Budget of a run: as much work as so many trials from beginning to end
    #[arg(long, value_name = "N", default_value_t = 32, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub(crate) trainings: u32,
    /// Threads [default: one a core]
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=4096))]
    pub(crate) threads: Option<u32>,
    /// Write all results as JSON
    #[arg(long, value_name = "FILE")]
    pub(crate) json: Option<PathBuf>,
    /// Draw the results
    #[arg(long, value_name = "FILE")]
    pub(crate) svg: Option<PathBuf>,
    /// Write the streams of trials, to drive other programs with
    #[arg(long, value_name = "FILE")]
    pub(crate) streams: Option<PathBuf>,
    /// Compare with the results of other programs on the same streams
    #[arg(long, value_name = "FILE")]
    pub(crate) peers: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) plugins: PluginsDir,
    #[command(flatten)]
    pub(crate) format: FormatArg,
}
