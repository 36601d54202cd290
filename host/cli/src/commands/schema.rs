//! `schema`: the JSON Schema of experiment files.

use crate::failure::{Failure, Verdict};
use crate::output;

pub(crate) fn schema() -> Result<Verdict, Failure> {
    output::json(&tune_experiment::json_schema())?;
    Ok(Verdict::Done)
}
