//! Results, for tests of what learns from them.

use tune_plugin::{Ending, FailureKind, Objective, Report};
use tune_search::{Judge, Rank};

/// The rank of a trial that ended with this loss; of one that failed.
pub(crate) fn rank(loss: Option<f64>) -> Rank {
    let judge = Judge {
        objective: Objective {
            metric: "loss".to_owned(),
            maximize: false,
        },
        constraints: Vec::new(),
        time_attr: "training_iteration".to_owned(),
        failures_count: true,
    };
    let report = loss.map(|loss| Report::default().with("loss", loss));
    let ending = match report {
        Some(_) => Ending::Finished,
        None => Ending::Failed(FailureKind::Trap),
    };
    judge.ended(ending, report.as_ref()).unwrap()
}
