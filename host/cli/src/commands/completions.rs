//! `completions SHELL`: a script that completes words of this command line.

use clap::CommandFactory;
use clap_complete::Shell;

use crate::args::Cli;
use crate::failure::{Failure, Verdict};
use crate::output;

pub(crate) fn completions(shell: Shell) -> Result<Verdict, Failure> {
    // Into memory first: the generator panics where it cannot write.
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "tune-host", &mut script);
    output::bytes(&script)?;
    Ok(Verdict::Done)
}
