//! What scheduler authors share: reading a report as a score that is always maximised, the queue of
//! trials that wait for a slot, exact rungs and brackets of them, order statistics that grow by
//! O(log n) a value, populations and how their configurations change.
//!
//! Here, so that a scheduler holds nothing but its own rule. Nothing in it looks at a clock, draws
//! random numbers but from a stream that it is given a seed for, or depends on the order of a hash
//! map.

mod brackets;
mod by_rule;
mod curves;
mod explore;
mod goal;
mod interval;
mod mean;
mod milestones;
mod population;
mod quantile;
mod queue;
mod ratio;
mod rung;
mod rungs;
mod split;
mod top_share;

pub use brackets::{Brackets, Entry};
pub use by_rule::{ByRule, Reading, Rule, Verdict};
pub use curves::Curves;
pub use explore::{Changeable, Perturb};
pub use goal::{Goal, Score};
pub use interval::Interval;
pub use mean::Mean;
pub use milestones::{Milestone, milestones};
pub use population::{Explore, Member, Pace, Population, Stretch};
pub use quantile::Quantile;
pub use queue::Queue;
pub use ratio::Ratio;
pub use rung::Rung;
pub use rungs::{MAX_RUNGS, levels};
pub use split::Split;
pub use top_share::TopShare;

use tune_space::{Creation, Next, OptionError, Turn};

/// The turn of a scheduler without actions.
#[must_use]
pub fn turn(next: Next) -> Turn {
    Turn {
        actions: Vec::new(),
        next,
    }
}

/// What a free slot does that no trial waits for.
#[must_use]
pub fn unclaimed(creation: Creation) -> Next {
    match creation {
        Creation::Possible => Next::Create,
        Creation::Waiting => Next::Idle,
        Creation::Closed => Next::Done,
    }
}

/// An option that [`crate::Scheduler::init`] refuses.
#[must_use]
pub fn refused(key: &str, message: impl Into<String>, hint: impl Into<String>) -> OptionError {
    OptionError {
        key: key.to_owned(),
        message: message.into(),
        hint: hint.into(),
    }
}

/// What is wrong with the option `stop_last_trials`, which is there so that configurations of Ray
/// Tune load: a trial always ends at `max_t`.
#[must_use]
pub fn refuse_to_run_on(stop_last_trials: bool) -> Option<OptionError> {
    let message = "a trial always ends at `max_t`";
    let error = || refused("stop_last_trials", message, "raise `max_t` instead");
    (!stop_last_trials).then(error)
}

/// Three things that options make, or all that is wrong with them.
///
/// # Errors
/// The errors of all three.
pub fn all_of<A, B, C>(
    a: Result<A, OptionError>,
    b: Result<B, OptionError>,
    c: Result<C, OptionError>,
) -> Result<(A, B, C), Vec<OptionError>> {
    match (a, b, c) {
        (Ok(a), Ok(b), Ok(c)) => Ok((a, b, c)),
        (a, b, c) => {
            let errors = [a.err(), b.err(), c.err()];
            Err(errors.into_iter().flatten().collect())
        }
    }
}
