//! Every shipped scheduler is held to the same rules. A scheduler is one line at the end.

#![expect(clippy::unwrap_used, reason = "helpers of tests fail by panicking")]

// The scheduler of docs/writing-a-scheduler.md, with its own tests.
#[path = "../../../../examples/laggards/src/lib.rs"]
#[expect(unreachable_pub, reason = "the root of a crate of its own")]
mod laggards;

mod searchers;

use tune_algorithms::{Course, Kind, Run, plan};
use tune_core::{Event, Phase};
use tune_plugin::{
    Action, Config, Creation, FailureKind, OptionError, Report, Scheduler, Setup, TrialId, Turn,
    schedule::ByRule,
};

fn begin<Sc: Scheduler>(
    options: &str,
    kind: Kind,
    (trials, slots, seed): (u32, u32, u64),
    stops_every: Option<u64>,
) -> Run<Sc> {
    let plan = plan::<Sc>(options, trials, slots, seed);
    Run::new(plan, Course::new(kind, seed), stops_every).unwrap()
}

/// The run came to an end in order: all trials created, none pending or running, nothing illegal.
fn check<Sc: Scheduler>(run: &Run<Sc>, trials: usize) {
    let engine = run.engine();
    assert_eq!(run.dropped, [] as [String; 0]);
    assert!(engine.is_finished());
    assert_eq!(engine.trials().len(), trials);
    let waits = |phase| matches!(phase, Phase::Pending | Phase::Running);
    assert!(!engine.trials().iter().any(|trial| waits(trial.phase)));
    assert!(Sc::PAUSES || engine.counts().paused == 0);
    assert!(engine.description().len() <= 8192);
}

fn end<Sc: Scheduler>(
    options: &str,
    kind: Kind,
    size: (u32, u32, u64),
    stops: Option<u64>,
) -> Run<Sc> {
    let run = begin::<Sc>(options, kind, size, stops).to_end().unwrap();
    check(&run, size.0 as usize);
    run
}

fn any_number_of_slots<Sc: Scheduler>(options: &str) {
    for slots in [1, 4, 64] {
        for seed in 0..3 {
            end::<Sc>(options, Kind::Tame, (50, slots, seed), None);
            end::<Sc>(options, Kind::Wild, (50, slots, seed), None);
        }
        end::<Sc>(options, Kind::Wild, (1, slots, 9), None);
        end::<Sc>(options, Kind::Tame, (2, slots, 9), None);
    }
}

fn bad_trials<Sc: Scheduler>(options: &str) {
    for kind in [Kind::NoNumbers, Kind::Ties, Kind::Failing, Kind::Brief] {
        for slots in [1, 5] {
            end::<Sc>(options, kind, (40, slots, 2), None);
        }
    }
}

fn users_who_stop_trials<Sc: Scheduler>(options: &str) {
    for slots in [1, 4, 16] {
        for seed in 0..4 {
            end::<Sc>(options, Kind::Wild, (40, slots, seed), Some(7));
            end::<Sc>(options, Kind::Tame, (40, slots, seed), Some(3));
        }
    }
}

fn an_extension<Sc: Scheduler>(options: &str) {
    for kind in [Kind::Tame, Kind::Wild] {
        let mut run = end::<Sc>(options, kind, (17, 4, 5), None);
        run.apply(Event::Extended { trials: 40 }).unwrap();
        check(&run.to_end().unwrap(), 40);
    }
}

fn the_same_again<Sc: Scheduler>(options: &str) {
    let size = (30, 4, 11);
    let whole = end::<Sc>(options, Kind::Wild, size, Some(11));
    let again = end::<Sc>(options, Kind::Wild, size, Some(11));
    assert_eq!(whole.engine().digest(), again.engine().digest());
    // A run that ended at any instant goes on as if it had not.
    for cut in (0..whole.entries.len()).step_by(whole.entries.len() / 40 + 1) {
        let run = begin::<Sc>(options, Kind::Wild, size, Some(11));
        let run = run
            .repeat(whole.entries.get(..cut).unwrap())
            .unwrap()
            .to_end()
            .unwrap();
        assert_eq!(
            run.engine().digest(),
            whole.engine().digest(),
            "cut at {cut}"
        );
    }
}

/// A scheduler that hears of every result, whatever it has said of being quiet.
struct Told<Sc>(Sc);

fn but_quiet(actions: Vec<Action>) -> Vec<Action> {
    let others = actions
        .into_iter()
        .filter(|action| !matches!(action, Action::QuietUntil(..)));
    others.collect()
}

impl<Sc: Scheduler> Scheduler for Told<Sc> {
    const NAME: &'static str = Sc::NAME;
    const SUMMARY: &'static str = Sc::SUMMARY;
    const PAUSES: bool = Sc::PAUSES;
    const CLONES: bool = Sc::CLONES;
    type Options = Sc::Options;

    fn init(setup: &Setup, options: Sc::Options) -> Result<Self, Vec<OptionError>> {
        Sc::init(setup, options).map(Self)
    }
    fn on_add(&mut self, trial: TrialId, config: &Config) -> Vec<Action> {
        but_quiet(self.0.on_add(trial, config))
    }
    fn on_result(&mut self, trial: TrialId, report: &Report) -> Vec<Action> {
        but_quiet(self.0.on_result(trial, report))
    }
    fn on_complete(&mut self, trial: TrialId, last: Option<&Report>) -> Vec<Action> {
        but_quiet(self.0.on_complete(trial, last))
    }
    fn on_error(&mut self, trial: TrialId, kind: FailureKind, will_retry: bool) -> Vec<Action> {
        but_quiet(self.0.on_error(trial, kind, will_retry))
    }
    fn on_remove(&mut self, trial: TrialId) -> Vec<Action> {
        but_quiet(self.0.on_remove(trial))
    }
    fn next_to_run(&mut self, creation: Creation) -> Turn {
        let turn = self.0.next_to_run(creation);
        Turn {
            actions: but_quiet(turn.actions),
            ..turn
        }
    }
    fn describe(&self) -> String {
        self.0.describe()
    }
}

fn silence_and_speech<Sc: Scheduler>(options: &str) {
    for kind in [Kind::Tame, Kind::Wild, Kind::Brief, Kind::Failing] {
        for (slots, seed) in [(1, 0), (4, 1), (16, 2)] {
            let size = (40, slots, seed);
            let quiet = end::<Sc>(options, kind, size, Some(9));
            let told = end::<Told<Sc>>(options, kind, size, Some(9));
            let fates = |run: &[tune_core::Trial]| -> Vec<_> {
                let all = run.iter().map(|trial| {
                    let steps: Vec<_> = trial.history.iter().map(|s| s.start).collect();
                    (trial.phase, trial.iteration, trial.config.clone(), steps)
                });
                all.collect()
            };
            let (quiet, told) = (quiet.engine(), told.engine());
            assert_eq!(
                fates(quiet.trials()),
                fates(told.trials()),
                "{kind:?}, {size:?}"
            );
            assert_eq!(quiet.description(), told.description());
        }
    }
}

/// The same rules for a scheduler with these options; so many trials are many.
macro_rules! conformance {
    ($module:ident, $scheduler:ty, $options:expr, many = $many:expr) => {
        mod $module {
            use super::*;

            #[test]
            fn ends_in_order_with_any_number_of_slots() {
                any_number_of_slots::<$scheduler>($options);
            }

            #[test]
            fn ends_in_order_when_trials_are_all_equal_bad_or_brief() {
                bad_trials::<$scheduler>($options);
            }

            #[test]
            fn ends_in_order_when_users_stop_trials() {
                users_who_stop_trials::<$scheduler>($options);
            }

            #[test]
            fn goes_on_when_a_finished_run_is_extended() {
                an_extension::<$scheduler>($options);
            }

            #[test]
            fn decides_the_same_again_and_after_an_end_at_any_instant() {
                the_same_again::<$scheduler>($options);
            }

            #[test]
            fn decides_the_same_when_it_is_told_what_it_need_not_hear() {
                silence_and_speech::<$scheduler>($options);
            }

            #[test]
            fn ends_in_order_with_very_many_trials() {
                end::<$scheduler>($options, Kind::Wild, ($many, 64, 1), None);
            }
        }
    };
    ($module:ident, $scheduler:ty, $options:expr) => {
        conformance!($module, $scheduler, $options, many = 10_000);
    };
}

conformance!(fifo, tune_scheduler_fifo::Fifo, "{}");
conformance!(
    asha_stopping,
    tune_scheduler_asha::Asha,
    r#"{"brackets": 3}"#
);
conformance!(
    asha_promotion,
    tune_scheduler_asha::Asha,
    r#"{"type": "promotion", "reduction_factor": 3, "brackets": 2}"#
);
conformance!(hyperband, tune_scheduler_hyperband::Hyperband, "{}");
conformance!(
    hyperband_bohb,
    tune_scheduler_hyperband::Hyperband,
    r#"{"bohb": true}"#
);
conformance!(
    median_stopping,
    ByRule<tune_scheduler_median_stopping::MedianStopping>,
    r#"{"grace_period": 2, "min_time_slice": 1}"#
);
conformance!(
    median_soft,
    ByRule<tune_scheduler_median_stopping::MedianStopping>,
    r#"{"grace_period": 1, "hard_stop": false}"#
);
conformance!(
    percentile,
    ByRule<tune_scheduler_percentile::Percentile>,
    r#"{"n_warmup_steps": 2, "interval_steps": 2}"#
);
conformance!(
    patient,
    ByRule<tune_scheduler_patient::Patient>,
    r#"{"patience": 2, "min_delta": 0.01}"#
);
conformance!(
    threshold,
    ByRule<tune_scheduler_threshold::Threshold>,
    r#"{"lower": 0, "upper": 1.5, "n_warmup_steps": 3}"#
);
conformance!(wilcoxon, ByRule<tune_scheduler_wilcoxon::Wilcoxon>, "{}");
conformance!(pbt, tune_scheduler_pbt::Pbt, "{}");
conformance!(pbt_synch, tune_scheduler_pbt::Pbt, r#"{"synch": true}"#);
conformance!(pb2, tune_scheduler_pb2::Pb2, "{}", many = 300);
// A model is asked whenever a state is taken over: of very many members so few.
conformance!(
    pb2_of_few_exploits,
    tune_scheduler_pb2::Pb2,
    r#"{"synch": true, "quantile_fraction": 0.01}"#
);
conformance!(
    pbt_replay,
    tune_scheduler_pbt_replay::PbtReplay,
    r#"{"steps": [{"iteration": 3, "config": {"x": 0.25}}]}"#
);
conformance!(pasha, tune_scheduler_pasha::Pasha, "{}");
conformance!(hyper_tune, tune_scheduler_hyper_tune::HyperTune, "{}");
conformance!(
    laggards_of_the_guide,
    ByRule<laggards::Laggards>,
    r#"{"worst": 50}"#
);

#[test]
fn the_guide_shows_the_scheduler_as_it_is_compiled() {
    let guide = include_str!("../../../../docs/writing-a-scheduler.md");
    let source = include_str!("../../../../examples/laggards/src/lib.rs");
    assert!(guide.contains(source), "copy it into the guide");
}
