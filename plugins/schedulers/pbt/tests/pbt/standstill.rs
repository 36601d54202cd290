//! Whatever happens to its members, a population goes on until all have ended. (The host of these
//! tests panics when something is illegal or nothing can go on.)

use proptest::prelude::*;
use tune_plugin::{
    Change, Config, Domain, Failure, Parameter, RealRange, Reconfigured, Report, Scheduler, Stream,
    Trainable, TrialInfo,
};
use tune_scheduler_pb2::Pb2;
use tune_scheduler_pbt::Pbt;

use crate::host::{Host, Outcome, Plan, setup};

/// Reports what it likes, fails when it likes, and now and then ends or has nothing to say.
#[derive(Clone, Debug)]
struct Moody {
    stream: Stream,
    trouble: f64,
}

impl Trainable for Moody {
    const NAME: &'static str = "moody";
    const SUMMARY: &'static str = "Unreliable";

    fn setup(info: &TrialInfo, config: &Config) -> Result<Self, Failure> {
        Ok(Self {
            stream: Stream::new(info.seed),
            trouble: config.f64("trouble")?,
        })
    }

    fn step(&mut self) -> Result<Report, Failure> {
        let score = match self.stream.below(8) {
            0 => f64::NAN,
            1 => f64::INFINITY,
            // Equal scores too.
            n => n as f64,
        };
        let mood = self.stream.unit() / self.trouble;
        match mood {
            mood if mood < 0.05 => Err("no more".into()),
            mood if mood < 0.1 => Ok(Report::default().with("score", score).finished()),
            mood if mood < 0.3 => Ok(Report::default()),
            _ => Ok(Report::default().with("score", score)),
        }
    }

    fn reconfigure(&mut self, change: &Change) -> Result<Reconfigured, Failure> {
        self.stream = Stream::new(change.seed);
        self.trouble = change.config.f64("trouble")?;
        Ok(Reconfigured::Applied)
    }
}

fn trouble() -> Parameter {
    Parameter {
        name: "trouble".to_owned(),
        domain: Domain::Real(RealRange {
            low: 0.01,
            high: 1.0,
            log: true,
            step: None,
        }),
        conditions: Vec::new(),
    }
}

#[derive(Clone, Debug)]
struct Case {
    members: usize,
    slots: u32,
    /// The number of members is known from the start.
    known: bool,
    max_t: u32,
    interval: u32,
    burn_in: u32,
    fraction: f64,
    synch: bool,
    waits: u32,
    /// Steps take between 1 and so many ticks.
    spread: u64,
    retries: Vec<(u32, u64)>,
    removed: Option<(u32, u64)>,
    trouble: f64,
    seed: u64,
}

fn cases() -> impl Strategy<Value = Case> {
    let sizes = (1..9_usize, 1..9_u32, any::<bool>(), 1..30_u32);
    let options = (1..9_u32, 0..12_u32, 0.0..=0.5_f64, any::<bool>());
    let events = (
        0..6_u32,
        1..5_u64,
        proptest::collection::vec((0..9_u32, 1..20_u64), 0..4),
        proptest::option::of((0..9_u32, 0..40_u64)),
    );
    (sizes, options, events, 0.01..1.0_f64, any::<u64>()).prop_map(
        |(
            (members, slots, known, max_t),
            (interval, burn_in, fraction, synch),
            e,
            trouble,
            seed,
        )| {
            let (waits, spread, retries, removed) = e;
            Case {
                members,
                slots,
                known,
                max_t,
                interval,
                burn_in,
                fraction,
                synch,
                waits,
                spread,
                retries,
                removed,
                trouble,
                seed,
            }
        },
    )
}

fn run<S: Scheduler>(case: &Case) -> Outcome {
    let mut setup = setup("score", true, f64::from(case.max_t), case.slots, case.seed);
    setup.space = vec![trouble()];
    setup.trials = case.known.then_some(case.members as u32);
    setup.options = format!(
        r#"{{"perturbation_interval":{},"burn_in_period":{},"quantile_fraction":{},"synch":{}}}"#,
        case.interval, case.burn_in, case.fraction, case.synch
    );
    let mut config = Config::new();
    config.insert("trouble", case.trouble);
    let mut plan = Plan::new(setup, vec![config; case.members]);
    plan.waits = case.waits;
    plan.cost = match case.spread {
        1 => |_, _| 1,
        2 => |trial, _| 1 + u64::from(trial) % 2,
        3 => |trial, step| 1 + (u64::from(trial) * 7 + step * 5) % 3,
        _ => |trial, step| 1 + (u64::from(trial) * 11 + step * 3) % 17,
    };
    plan.retried = case.retries.iter().copied().collect();
    plan.removed = case.removed;
    Host::<S, Moody>::run(&plan)
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 2_000,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn every_population_comes_to_its_end_and_repeats_exactly(case in cases()) {
        let (first, again) = (run::<Pbt>(&case), run::<Pbt>(&case));
        prop_assert_eq!(first.ended, case.members);
        prop_assert_eq!(&first.exploits, &again.exploits);
        prop_assert_eq!(&first.description, &again.description);
        let reports = |outcome: &Outcome| {
            let told = outcome.told.iter();
            told.map(|t| format!("{} {} {:?}", t.tick, t.trial, t.report)).collect::<Vec<_>>()
        };
        prop_assert_eq!(reports(&first), reports(&again));
    }
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 200,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn every_population_of_pb2_comes_to_its_end_and_repeats_exactly(case in cases()) {
        let (first, again) = (run::<Pb2>(&case), run::<Pb2>(&case));
        prop_assert_eq!(first.ended, case.members);
        prop_assert_eq!(&first.exploits, &again.exploits);
        prop_assert_eq!(&first.description, &again.description);
    }
}

#[test]
fn members_beyond_the_slots_advance_evenly() {
    let mut setup = setup("score", true, 40.0, 2, 1);
    setup.space = vec![trouble()];
    setup.trials = Some(7);
    setup.options = r#"{"quantile_fraction":0}"#.to_owned();
    let mut config = Config::new();
    config.insert("trouble", 0.01);
    let plan = Plan::new(setup, vec![config; 7]);
    let outcome = Host::<Pbt, Steady>::run(&plan);
    let mut reports = [0_u32; 7];
    for told in &outcome.told {
        reports[told.trial as usize] += 1;
        let (least, most) = (reports.iter().min(), reports.iter().max());
        // Four steps to the next point for those that run, and four for those that wait for them.
        assert!(most.unwrap() - least.unwrap() <= 8, "{reports:?}");
    }
    assert_eq!(reports, [40; 7]);
}

#[derive(Clone, Debug)]
struct Steady;

impl Trainable for Steady {
    const NAME: &'static str = "steady";
    const SUMMARY: &'static str = "Always the same";

    fn setup(_: &TrialInfo, _: &Config) -> Result<Self, Failure> {
        Ok(Self)
    }

    fn step(&mut self) -> Result<Report, Failure> {
        Ok(Report::default().with("score", 1.0))
    }
}
