//! Tables: what is written is read again, what is wrong is named with its place, and a single curve
//! is found without the others.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "helpers of tests may panic"
)]

mod errors;
mod lookup;
mod round_trip;

use tune_table::{Source, Table};

/// A small table that is right.
pub(crate) const ABOUT: &str = r#"{
  "format": 1,
  "name": "toy",
  "metric": "loss",
  "mode": "min",
  "max_t": 3,
  "metrics": ["loss", "accuracy"],
  "space": {
    "lr": { "loguniform": [0.001, 1.0] },
    "kind": { "choice": ["sgd", "adam, or so", 3] },
    "momentum": { "uniform": [0, 0.99], "when": { "kind": ["sgd"] } },
    "batch": 32
  }
}
"#;
pub(crate) const CONFIGURATIONS: &str = "\
id,lr,kind,momentum
0,0.1,sgd,0.9
2,0.01,\"adam, or so\",
5,0.5,3,
";
pub(crate) const CURVES: &str = "\
id,t,cost,loss,accuracy
0,1,1500000,0.9,0.5
0,2,1500000,0.8,0.6
0,3,1500000,NaN,0.1
2,1,2000000,0.7,0.5
2,2,2000000,0.5,0.75
5,1,10,inf,0
";

pub(crate) fn table() -> Table {
    Table::parse(
        ABOUT.as_bytes(),
        CONFIGURATIONS.as_bytes(),
        CURVES.as_bytes(),
    )
    .unwrap()
}

/// `curves.csv` in memory, which counts what is read of it.
pub(crate) struct Memory<'a> {
    pub(crate) bytes: &'a [u8],
    pub(crate) read: u64,
}

impl Source for Memory<'_> {
    fn size(&mut self) -> Result<u64, String> {
        Ok(self.bytes.len() as u64)
    }

    fn read(&mut self, offset: u64, max_len: u32) -> Result<Vec<u8>, String> {
        let start = (offset as usize).min(self.bytes.len());
        let end = (start + max_len as usize).min(self.bytes.len());
        self.read += (end - start) as u64;
        Ok(self.bytes[start..end].to_vec())
    }
}
