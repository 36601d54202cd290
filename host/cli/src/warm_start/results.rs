//! A file of results from elsewhere, read whole: what it means is told by
//! [`tune_experiment::Results`].

use std::fs::File;
use std::io::Read;
use std::path::Path;

use tune_experiment::{Fitting, Results};

/// A file of 10,000 results with 1,000 parameters each; a larger one is a mistake.
const MAX_BYTES: u64 = 64 << 20;

/// Reads a file.
///
/// # Errors
/// In words, what is wrong with the file as a whole.
pub(super) fn read(path: &Path, fitting: &Fitting<'_>) -> Result<Results, String> {
    let unreadable = |error: std::io::Error| {
        format!(
            "cannot be read: {error}\n  hint: a relative path starts from the directory of the \
             experiment file"
        )
    };
    if !path.metadata().map_err(unreadable)?.is_file() {
        return Err("it is no file\n  hint: name a CSV file".to_owned());
    }
    let mut bytes = Vec::new();
    let file = File::open(path).map_err(unreadable)?;
    file.take(MAX_BYTES + 1)
        .read_to_end(&mut bytes)
        .map_err(unreadable)?;
    if bytes.len() as u64 > MAX_BYTES {
        return Err(format!(
            "it has more than {} MiB\n  hint: leave out all but the newest results",
            MAX_BYTES >> 20
        ));
    }
    Results::parse(&bytes, fitting)
}
