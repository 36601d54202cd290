//! What is kept of each trial of a run to compare it with the same trial of another run: all that its
//! steps gave, bit for bit, and how it ended.

use std::cell::RefCell;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::rc::Rc;
use std::time::Duration;

use tune_core::records::FailureKind;
use tune_core::{Event, Handover, Note, StepEnd};
use tune_runner::Wall;

use crate::stage::Watch;

/// A trial so far.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Ending {
    /// Steps that were handed over, the failed one included.
    pub(crate) steps: u32,
    /// Hash of all of them: metrics in every bit, fuel, memory, failures.
    pub(crate) hash: u64,
    /// The kind of the failure that it ended by.
    pub(crate) failure: Option<FailureKind>,
    /// Fuel of all steps.
    pub(crate) fuel: u64,
    /// Memory after the last one, in bytes.
    pub(crate) memory: u64,
}

impl Ending {
    fn note(&mut self, end: &StepEnd) {
        let mut hasher = DefaultHasher::new();
        (self.hash, end.fuel, end.memory_bytes).hash(&mut hasher);
        match &end.result {
            Ok(report) => {
                report.finished.hash(&mut hasher);
                for metric in &report.metrics {
                    (&metric.name, metric.value.to_bits()).hash(&mut hasher);
                }
            }
            Err(failed) => format!("{:?}", failed.kind).hash(&mut hasher),
        }
        self.steps += 1;
        self.hash = hasher.finish();
        self.fuel += end.fuel;
        self.memory = end.memory_bytes;
    }
}

/// A trial and what no other run can be compared in or is too long to keep of ten thousand.
#[derive(Clone, Debug, Default)]
struct Kept {
    ending: Ending,
    took: Duration,
    /// The hash after each of its steps.
    hashes: Vec<u64>,
    /// What the host says of its failure.
    story: String,
}

/// Everything of a run, trial by trial.
#[derive(Clone, Default)]
pub(crate) struct Endings(Rc<RefCell<Vec<Kept>>>);

impl Endings {
    /// With room for so many trials, so that a run does not grow it.
    pub(crate) fn of(trials: usize) -> Self {
        let endings = vec![Kept::default(); trials];
        Self(Rc::new(RefCell::new(endings)))
    }

    /// To be called at every handover.
    pub(crate) fn note(&self, handover: &Handover, wall: Wall) {
        if let Event::StepEnded { trial, end } = &handover.entry.event
            && let Some(kept) = self.0.borrow_mut().get_mut(*trial as usize)
        {
            kept.ending.note(end);
            kept.took += Duration::from_micros(wall.step_us);
        }
        // Not all that a step gives is taken: the engine refuses some reports.
        for note in &handover.notes {
            if let Note::Failed(trial, failed) = note
                && let Some(kept) = self.0.borrow_mut().get_mut(*trial as usize)
            {
                kept.ending.failure = Some(failed.kind);
            }
        }
    }

    /// The same, with all that is long.
    fn note_all(&self, handover: &Handover, wall: Wall) {
        self.note(handover, wall);
        let mut trials = self.0.borrow_mut();
        if let Some(trial) = handover.entry.event.trial()
            && let Some(kept) = trials.get_mut(trial as usize)
        {
            kept.hashes.push(kept.ending.hash);
        }
        for note in &handover.notes {
            if let Note::Failed(trial, failed) = note
                && let Some(kept) = trials.get_mut(*trial as usize)
            {
                kept.story.clone_from(&failed.message);
            }
        }
    }

    /// A watch that keeps everything.
    pub(crate) fn watch(&self) -> Watch {
        let this = self.clone();
        Rc::new(move |_, handover, wall| this.note_all(handover, wall))
    }

    /// A trial.
    pub(crate) fn get(&self, trial: usize) -> Ending {
        self.of_trial(trial, |kept| kept.ending.clone())
    }

    /// How long its steps took.
    pub(crate) fn took(&self, trial: usize) -> Duration {
        self.of_trial(trial, |kept| kept.took)
    }

    /// The story of its failure.
    pub(crate) fn story(&self, trial: usize) -> String {
        self.of_trial(trial, |kept| kept.story.clone())
    }

    /// Its hash after each of its steps.
    pub(crate) fn hashes(&self, trial: usize) -> Vec<u64> {
        self.of_trial(trial, |kept| kept.hashes.clone())
    }

    fn of_trial<T: Default>(&self, trial: usize, part: impl Fn(&Kept) -> T) -> T {
        self.0.borrow().get(trial).map(part).unwrap_or_default()
    }
}
