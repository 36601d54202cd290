//! The decision digest: a blake3 chain over everything that was decided, in handover order.
//!
//! Two runs with equal digests made the same decisions on the same results. Not in it: wall times,
//! logs, messages, descriptions, where and with how many threads it ran.

use postcard::ser_flavors::Flavor;
use serde::Serialize;
use tune_space::{FailureKind, Report};

use crate::trial::canonical_bits;
use crate::{Answer, EnginePlan, Event, Limits, PLAN_FORMAT};

/// What identifies a plugin or a data set: its role or name, and the hash of its bytes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Ingredient {
    /// "trainable", "searcher", "scheduler", or a data set's name after "data:".
    pub role: String,
    /// blake3 of its bytes.
    pub hash: [u8; 32],
}

/// The start of the chain: all that can change a decision. Wall deadlines cannot (they are
/// external events), nor can names and paths.
#[must_use]
pub fn plan_digest(plan: &EnginePlan, ingredients: &[Ingredient]) -> [u8; 32] {
    let mut plan = plan.clone();
    without_wall(&mut plan.limits);
    for own in [
        &mut plan.own_limits.searcher,
        &mut plan.own_limits.scheduler,
    ] {
        own.iter_mut().for_each(without_wall);
        // Written out or not, they are the same.
        if own.as_ref() == Some(&plan.limits) {
            *own = None;
        }
    }
    plan.trainable = String::new();
    let mut hash = blake3::Hasher::new();
    hash.update(&PLAN_FORMAT.to_le_bytes());
    feed(&mut hash, &(&plan, ingredients));
    *hash.finalize().as_bytes()
}

fn without_wall(limits: &mut Limits) {
    limits.wall_per_step = std::time::Duration::ZERO;
    limits.wall_per_trial = std::time::Duration::ZERO;
    limits.gpu.without_time();
}

/// Room for the link before and a report of some metrics.
const LINK_BYTES: usize = 512;

#[derive(Serialize)]
enum Happened<'a> {
    Reported {
        /// Sorted by name, with canonical bits.
        metrics: Vec<(&'a str, u64)>,
        finished: bool,
    },
    Failed(FailureKind),
    External(Option<u32>),
    Changed(&'a str),
}

#[derive(Serialize)]
struct Record<'a> {
    sequence: u64,
    tick: u64,
    kind: &'a str,
    trial: Option<u32>,
    happened: Happened<'a>,
    answers: Vec<&'a Answer>,
}

/// The next link of the chain.
pub(crate) fn link(
    previous: &[u8; 32],
    sequence: u64,
    tick: u64,
    event: &Event,
    report: Option<&Report>,
    answers: &[Answer],
) -> [u8; 32] {
    let happened = match (event, report) {
        (_, Some(report)) => {
            let mut metrics: Vec<_> = report
                .metrics
                .iter()
                .map(|m| (m.name.as_str(), canonical_bits(m.value)))
                .collect();
            metrics.sort_unstable();
            Happened::Reported {
                metrics,
                finished: report.finished,
            }
        }
        (Event::StepEnded { end, .. }, None) => Happened::Failed(
            end.result
                .as_ref()
                .err()
                .map_or(FailureKind::BadValue, |f| f.kind),
        ),
        (Event::Extended { trials }, None) => Happened::External(Some(*trials)),
        (Event::Changed { what }, None) => Happened::Changed(what),
        (_, None) => Happened::External(None),
    };
    let record = Record {
        sequence,
        tick,
        kind: event.kind(),
        trial: event.trial(),
        happened,
        answers: answers
            .iter()
            .filter(|a| !matches!(a, Answer::Described(_)))
            .collect(),
    };
    // In one piece: hashing step by step costs several times as much for so little.
    let mut bytes = Vec::with_capacity(LINK_BYTES);
    bytes.extend_from_slice(previous);
    let bytes = match postcard::serialize_with_flavor(&record, Bytes(bytes)) {
        Ok(bytes) => bytes,
        // See `feed`.
        Err(error) => [previous.as_slice(), error.to_string().as_bytes()].concat(),
    };
    *blake3::hash(&bytes).as_bytes()
}

/// Bytes behind those that are there. What postcard has for that takes them one by one.
struct Bytes(Vec<u8>);

impl Flavor for Bytes {
    type Output = Vec<u8>;

    fn try_push(&mut self, byte: u8) -> postcard::Result<()> {
        self.0.push(byte);
        Ok(())
    }

    fn try_extend(&mut self, bytes: &[u8]) -> postcard::Result<()> {
        self.0.extend_from_slice(bytes);
        Ok(())
    }

    fn finalize(self) -> postcard::Result<Vec<u8>> {
        Ok(self.0)
    }
}

/// Postcard is a canonical encoding of our records: no maps but sorted ones, no padding.
fn feed(hash: &mut blake3::Hasher, value: &impl Serialize) {
    match postcard::to_allocvec(value) {
        Ok(bytes) => {
            hash.update(&bytes);
        }
        // Writing to memory cannot fail for types without unsized sequences, and ours have none;
        // an error would make digests differ, never equal by accident.
        Err(error) => {
            hash.update(error.to_string().as_bytes());
        }
    }
}

/// The digest as people see it.
#[must_use]
pub fn hex(digest: &[u8; 32]) -> String {
    blake3::Hash::from_bytes(*digest).to_hex().to_string()
}
