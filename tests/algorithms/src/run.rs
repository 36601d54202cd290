//! One run of a scheduler, from its beginning or from the middle of another.

use tune_core::{
    Checked, Deciders, Engine, EnginePlan, Entry, Event, Handover, Note, Stop, plan_digest,
};
use tune_plugin::{Scheduler, TrialId, derive_seed};
use tune_simulation::{Draws, Native, PlanBuilder, Simulation};

use crate::Course;

/// A plan for a scheduler: trials end at 27 iterations.
#[must_use]
pub fn plan<Sc: Scheduler>(options: &str, trials: u32, slots: u32, seed: u64) -> EnginePlan {
    let plan = PlanBuilder::minimize("loss").trials(trials).slots(slots);
    let plan = plan.seed(seed).max_t(27.0).clones(Sc::CLONES);
    plan.scheduler(Sc::NAME, options).build()
}

/// A run and all that happened in it.
pub struct Run<Sc> {
    /// The state of the run.
    pub simulation: Simulation,
    /// What the journal would hold.
    pub entries: Vec<Entry>,
    /// Actions that were not legal.
    pub dropped: Vec<String>,
    deciders: Native<Draws, Sc>,
    curves: Course,
    /// Users stop trials: any, one in so many handovers.
    stops_every: Option<u64>,
}

impl<Sc: Scheduler> Run<Sc> {
    /// A run that has not begun; in one of `stops_every` handovers the user stops a trial.
    ///
    /// # Errors
    /// A plan or options that are wrong.
    pub fn new(plan: EnginePlan, curves: Course, stops_every: Option<u64>) -> Result<Self, String> {
        let deciders = Native::of_plan(&plan).map_err(|errors| format!("{errors:?}"))?;
        let digest = plan_digest(&plan, &[]);
        let engine = Engine::new(plan, digest).map_err(|stop| stop.to_string())?;
        Ok(Self {
            simulation: Simulation::new(engine),
            entries: Vec::new(),
            dropped: Vec::new(),
            deciders,
            curves,
            stops_every,
        })
    }

    /// The state of the run.
    #[must_use]
    pub fn engine(&self) -> &Engine {
        self.simulation.engine()
    }

    /// Makes handovers of an earlier run again, every answer compared: resume.
    ///
    /// # Errors
    /// The scheduler answers differently.
    pub fn repeat(mut self, entries: &[Entry]) -> Result<Self, Stop> {
        for entry in entries {
            let mut checked = Checked::new(&mut self.deciders, &entry.answers);
            let event = entry.event.clone();
            let handover = self
                .simulation
                .hand_over(event, &mut checked, &mut self.curves)?;
            self.note(handover);
        }
        Ok(self)
    }

    /// Goes on to the end.
    ///
    /// # Errors
    /// Why the run cannot go on, a deadlock for instance.
    pub fn to_end(mut self) -> Result<Self, Stop> {
        while let Some(event) = self.next() {
            self.apply(event)?;
        }
        Ok(self)
    }

    /// Hands over one event.
    ///
    /// # Errors
    /// Why the run cannot go on.
    pub fn apply(&mut self, event: Event) -> Result<(), Stop> {
        let deciders: &mut dyn Deciders = &mut self.deciders;
        let handover = self
            .simulation
            .hand_over(event, deciders, &mut self.curves)?;
        self.note(handover);
        Ok(())
    }

    fn next(&mut self) -> Option<Event> {
        let engine = self.simulation.engine();
        let sequence = engine.sequence();
        if sequence == 0 {
            return Some(Event::Opened);
        }
        let dice = derive_seed(&[b"user", &sequence.to_le_bytes()]);
        let trials = engine.trials().len() as u64;
        match self.stops_every {
            Some(every) if !engine.is_finished() && trials > 0 && dice.is_multiple_of(every) => {
                let trial = ((dice >> 20) % trials) as TrialId;
                Some(Event::StopTrial { trial })
            }
            _ => self.simulation.next_result(),
        }
    }

    fn note(&mut self, handover: Handover) {
        self.dropped
            .extend(handover.notes.into_iter().filter_map(|note| match note {
                Note::Dropped(why) | Note::Rejected(why) => Some(why),
                _ => None,
            }));
        self.entries.push(handover.entry);
    }
}
