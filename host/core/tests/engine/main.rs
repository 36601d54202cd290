//! The engine under random plugins, random physical timing, crashes and duplicates, and rule by rule.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "helpers of tests may panic"
)]

mod beginnings;
mod chaos;
mod exploits;
mod legality;
mod limits;
mod pending;
mod properties;
mod rules;
mod script;
mod world;

use tune_core::records::{Config, Domain, Parameter, RealRange};
use tune_core::{EnginePlan, Limits, Metering, Order, OwnLimits, RetrySeed};

/// A small generator for tests: quality does not matter, repeatability does.
#[derive(Clone)]
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % sides
    }
}

fn plan(slots: u32, trials: u32) -> EnginePlan {
    EnginePlan {
        seed: 7,
        slots,
        trials: Some(trials),
        objectives: vec![tune_core::records::Objective {
            metric: "loss".into(),
            maximize: false,
        }],
        constraints: vec![],
        time_attr: "training_iteration".into(),
        max_t: Some(9.0),
        space: vec![Parameter {
            name: "x".into(),
            domain: Domain::Real(RealRange {
                low: 0.0,
                high: 1.0,
                log: false,
                step: None,
            }),
            conditions: vec![],
        }],
        constants: Config::new(),
        derived: vec![],
        points_to_evaluate: vec![],
        stop: vec![],
        order: Order::Deterministic,
        metering: Metering::Fuel,
        virtual_cost: false,
        gpu: None,
        max_failures: 2,
        retry_seed: RetrySeed::Same,
        limits: Limits::default(),
        own_limits: OwnLimits::default(),
        trainable: "t".into(),
        searcher: ("random".into(), "{}".into()),
        scheduler: ("chaos".into(), "{}".into()),
        strict: false,
        clones: false,
        imported: None,
        lineage: None,
        known: Vec::new(),
        plateaus: tune_core::Plateaus::default(),
    }
}
