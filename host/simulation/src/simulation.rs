//! The loop: apply an event, compute the steps that it starts, take the result that counts next.

use tune_core::{Deciders, Effect, Engine, EnginePlan, Event, Handover, Stop, plan_digest};

use crate::Curves;

/// Runs a plan to its end on curves, in deterministic order, without a clock, I/O or threads. `each`
/// sees every handover and the state after it.
///
/// # Errors
/// Why the run cannot go on, a deadlock for instance.
pub fn simulate(
    plan: EnginePlan,
    deciders: &mut dyn Deciders,
    curves: &mut dyn Curves,
    each: &mut dyn FnMut(&Handover, &Engine),
) -> Result<Engine, Stop> {
    let digest = plan_digest(&plan, &[]);
    let mut simulation = Simulation::new(Engine::new(plan, digest)?);
    let mut next = Some(Event::Opened);
    while let Some(event) = next {
        let handover = simulation.hand_over(event, deciders, curves)?;
        each(&handover, &simulation.engine);
        next = simulation.next_result();
    }
    Ok(simulation.engine)
}

/// A run that is driven by hand: for users who stop trials, extend the run, or end it at any
/// instant.
#[derive(Debug)]
pub struct Simulation {
    engine: Engine,
}

impl Simulation {
    /// A run that has not begun: the first event is [`Event::Opened`].
    #[must_use]
    pub fn new(engine: Engine) -> Self {
        Self { engine }
    }

    /// Hands an event over and computes the steps that begin. Any event counts at once: one of the
    /// user comes between two results.
    ///
    /// # Errors
    /// Why the run cannot go on.
    pub fn hand_over(
        &mut self,
        event: Event,
        deciders: &mut dyn Deciders,
        curves: &mut dyn Curves,
    ) -> Result<Handover, Stop> {
        let handover = self.engine.apply(event, deciders)?;
        for effect in &handover.effects {
            if let Effect::Start { trial: id, .. } = effect
                && let Some(trial) = self.engine.trial(*id)
            {
                let end = curves.step(*id, &trial.config, trial.iteration + 1);
                // Not in flight any more if it was stopped in the same handover.
                self.engine.arrived(*id, end);
            }
        }
        Ok(handover)
    }

    /// The result that counts next; none when the run is over.
    pub fn next_result(&mut self) -> Option<Event> {
        self.engine.next_result()
    }

    /// The state of the run.
    #[must_use]
    pub fn engine(&self) -> &Engine {
        &self.engine
    }

    /// The state of the run, to keep.
    #[must_use]
    pub fn into_engine(self) -> Engine {
        self.engine
    }
}
