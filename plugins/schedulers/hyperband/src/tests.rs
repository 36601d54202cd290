use super::*;
use tune_plugin::{Objective, parse_options};

fn setup(max_t: Option<f64>) -> Setup {
    Setup {
        space: Vec::new(),
        objectives: vec![Objective {
            metric: "reward".to_owned(),
            maximize: true,
        }],
        constraints: Vec::new(),
        time_attr: "t".to_owned(),
        max_t,
        trials: None,
        slots: 8,
        seed: 3,
        options: String::new(),
    }
}

fn hyperband(max_t: f64, options: &str) -> Hyperband {
    Hyperband::init(&setup(Some(max_t)), parse_options(options).unwrap()).unwrap()
}

/// What the engine knows: who was created, who runs, who waits.
struct Host {
    scheduler: Hyperband,
    running: Vec<TrialId>,
    created: TrialId,
    stopped: Vec<TrialId>,
}

impl Host {
    fn new(max_t: f64, options: &str) -> Self {
        Self {
            scheduler: hyperband(max_t, options),
            running: Vec::new(),
            created: 0,
            stopped: Vec::new(),
        }
    }

    /// Fills one slot.
    fn next(&mut self, creation: Creation) -> Next {
        let turn = self.scheduler.next_to_run(creation);
        let stopped = turn.actions.into_iter().filter_map(|action| match action {
            Action::Stop(trial) => Some(trial),
            Action::QuietUntil(trial, _) if turn.next == Next::Run(trial) => None,
            other => panic!("{other:?}"),
        });
        self.stopped.extend(stopped);
        match &turn.next {
            Next::Create => {
                self.scheduler.on_add(self.created, &Config::new());
                self.created += 1;
                return self.next(creation);
            }
            Next::Run(trial) => self.running.push(*trial),
            Next::Idle | Next::Done => {}
        }
        turn.next
    }

    /// Runs so many trials at once.
    fn start(&mut self, slots: usize) {
        for _ in 0..slots {
            self.next(Creation::Possible);
        }
    }

    /// The trial reports; true if it was paused.
    fn report(&mut self, trial: TrialId, time: f64, reward: f64) -> bool {
        let report = Report::default().with("t", time).with("reward", reward);
        match self.scheduler.on_result(trial, &report).as_slice() {
            [] => false,
            [Action::Pause(paused)] if *paused == trial => {
                self.running.retain(|t| *t != trial);
                true
            }
            other => panic!("{other:?}"),
        }
    }

    fn fail(&mut self, trial: TrialId, will_retry: bool) {
        self.scheduler
            .on_error(trial, FailureKind::Trap, will_retry);
        if !will_retry {
            self.running.retain(|t| *t != trial);
        }
    }

    /// All that run report at `time`, the later ones are the better.
    fn all_report(&mut self, time: f64) {
        for trial in self.running.clone() {
            assert!(self.report(trial, time, f64::from(trial)));
        }
    }
}

/// A bracket of 8 trials at 27, all running: (81, 3) opens those of 81, 34 and 15 trials before.
fn bracket_of_eight() -> (Host, Vec<TrialId>) {
    let mut host = Host::new(81.0, "");
    host.start(81 + 34 + 15 + 8);
    let eight: Vec<TrialId> = (130..138).collect();
    (host, eight)
}

#[test]
fn brackets_fill_one_after_another_the_most_aggressive_first() {
    let mut host = Host::new(9.0, "");
    host.start(9 + 5 + 3 + 9 + 1);
    let held: Vec<usize> = host.scheduler.open.iter().map(|b| b.live.len()).collect();
    assert_eq!(held, [9, 5, 3, 9, 1]);
    assert!(!host.report(0, 0.5, 1.0));
    assert!(host.report(0, 1.0, 1.0), "9 trials from 1");
    assert!(!host.report(9, 2.0, 1.0));
    assert!(host.report(9, 3.0, 1.0), "5 trials from 3");
    assert!(!host.report(14, 8.0, 1.0), "3 trials to the end");
}

#[test]
fn a_trial_waits_until_all_of_its_bracket_are_at_the_milestone_and_the_best_go_on() {
    let (mut host, eight) = bracket_of_eight();
    for trial in &eight[..7] {
        assert!(host.report(*trial, 27.0, f64::from(*trial)));
        assert_eq!(host.next(Creation::Waiting), Next::Idle);
    }
    assert!(
        host.report(eight[7], 27.0, 0.0),
        "the last one waits too, no longer than this call"
    );
    assert_eq!(host.next(Creation::Possible), Next::Run(eight[6]));
    assert_eq!(host.stopped, [133, 132, 131, 130, 137]);
    assert_eq!(host.next(Creation::Possible), Next::Run(eight[5]));
    assert_eq!(host.next(Creation::Possible), Next::Run(eight[4]));
    // To the end, at 81: there is no milestone before.
    assert!(!host.report(eight[4], 54.0, 0.0));
}

#[test]
fn failures_and_early_ends_count_as_having_left() {
    for early_end in [false, true] {
        let (mut host, eight) = bracket_of_eight();
        for trial in &eight[..7] {
            host.report(*trial, 27.0, f64::from(*trial));
        }
        host.fail(eight[7], true);
        assert_eq!(
            host.next(Creation::Waiting),
            Next::Idle,
            "it is tried again"
        );
        if early_end {
            host.scheduler.on_complete(eight[7], None);
        } else {
            host.fail(eight[7], false);
        }
        assert_eq!(host.next(Creation::Waiting), Next::Run(eight[6]));
        assert_eq!(host.scheduler.open[3].live.len(), 3);
        assert_eq!(host.stopped.len(), 4);
    }
}

#[test]
fn a_bracket_that_was_judged_takes_no_more_trials() {
    let mut host = Host::new(9.0, "");
    host.start(5);
    host.all_report(1.0);
    assert_eq!(host.next(Creation::Closed), Next::Run(4));
    // 3 of 9 were planned to go on: of 5, the best 3.
    assert_eq!(host.stopped, [1, 0]);
    // The run is extended; Ray Tune lets the next trial join the bracket it is too late for.
    assert_eq!(host.next(Creation::Possible), Next::Run(3));
    assert_eq!(host.next(Creation::Possible), Next::Run(2));
    host.next(Creation::Possible);
    let held: Vec<usize> = host.scheduler.open.iter().map(|b| b.live.len()).collect();
    assert_eq!(held, [3, 1]);
}

#[test]
fn a_result_that_jumps_over_milestones_is_judged_at_each_without_running_on() {
    let mut host = Host::new(81.0, "");
    host.start(81);
    for trial in 0..80 {
        assert!(host.report(trial, 1.0, f64::from(trial)));
    }
    assert!(host.report(80, 4.0, 80.0));
    assert_eq!(
        host.next(Creation::Possible),
        Next::Run(79),
        "80 is past 3 already"
    );
    let bracket = &host.scheduler.open[0];
    assert_eq!((bracket.live.len(), bracket.ready.len()), (27, 25));

    // All are past every milestone but the last.
    let mut host = Host::new(9.0, "");
    host.start(9);
    host.all_report(4.0);
    assert_eq!(host.next(Creation::Possible), Next::Run(8));
    assert_eq!(host.scheduler.open[0].live.len(), 1);
}

#[test]
fn trials_that_reach_the_end_at_once_leave_nobody_behind() {
    // (8, 2): the bracket of 4 trials from 4. Ray Tune stops two of them at 8, the engine all.
    let mut host = Host::new(8.0, "{\"reduction_factor\":2}");
    host.start(8 + 6 + 4);
    for trial in 14..18 {
        host.scheduler.on_complete(trial, None);
    }
    host.next(Creation::Possible);
    assert_eq!(
        host.scheduler.open.len(),
        3,
        "the third is over, a fourth begins"
    );
    assert!(host.stopped.is_empty());
}

#[test]
fn with_bohb_a_bracket_that_is_not_full_waits_until_nothing_runs() {
    for bohb in [false, true] {
        let mut host = Host::new(3.0, &format!("{{\"reduction_factor\":3,\"bohb\":{bohb}}}"));
        // Three trials fill the first bracket, the fourth opens another.
        host.start(3);
        assert_eq!(host.scheduler.open.len(), 1);
        host.start(1);
        assert_eq!(host.scheduler.open.len(), 2);

        let mut host = Host::new(9.0, &format!("{{\"reduction_factor\":3,\"bohb\":{bohb}}}"));
        host.start(9 + 2);
        host.report(9, 3.0, 0.0);
        host.report(10, 3.0, 1.0);
        // Nine run in the first bracket; the second has two of five.
        let next = host.next(Creation::Closed);
        assert_eq!(next, if bohb { Next::Done } else { Next::Run(10) });
        assert_eq!(
            host.next(Creation::Waiting),
            if bohb { Next::Idle } else { Next::Run(9) }
        );
        for trial in 0..9 {
            host.fail(trial, false);
        }
        if bohb {
            assert_eq!(host.next(Creation::Waiting), Next::Run(10));
            assert_eq!(host.next(Creation::Waiting), Next::Run(9));
        }
        assert!(host.stopped.is_empty());
    }
}

#[test]
fn a_trial_that_the_user_stops_is_waited_for_no_longer_and_never_run() {
    let mut host = Host::new(3.0, "");
    host.start(3);
    host.report(0, 1.0, 5.0);
    host.report(1, 1.0, 4.0);
    host.scheduler.on_remove(0);
    host.scheduler.on_complete(2, None);
    assert_eq!(host.next(Creation::Possible), Next::Run(1));
    host.scheduler.on_add(3, &Config::new());
    host.scheduler.on_remove(3);
    host.scheduler.on_remove(99);
    assert_eq!(host.next(Creation::Closed), Next::Done);
}

#[test]
fn results_that_are_not_numbers_rank_last_and_the_earlier_of_equals_wins() {
    let mut host = Host::new(9.0, "");
    host.start(9);
    for trial in 0..9 {
        let reward = match trial {
            0 => f64::NAN,
            1 => f64::INFINITY,
            2 => f64::NEG_INFINITY,
            _ => 1.0,
        };
        assert!(host.report(trial, 1.0, reward));
    }
    let next: Vec<Next> = (0..3).map(|_| host.next(Creation::Closed)).collect();
    assert_eq!(next, [Next::Run(3), Next::Run(4), Next::Run(5)]);
    assert_eq!(host.stopped, [6, 7, 8, 0, 1, 2]);
    // Reports that say nothing are passed over.
    assert_eq!(host.scheduler.on_result(3, &Report::default()), []);
    assert_eq!(
        host.scheduler
            .on_result(77, &Report::default().with("t", 9.0)),
        []
    );
}

#[test]
fn what_it_says_of_itself_is_where_every_bracket_stands() {
    let mut host = Host::new(9.0, "");
    host.start(10);
    host.report(0, 1.0, 0.5);
    assert_eq!(
        host.scheduler.describe(),
        "9 of 9 created, 9 live, 1 wait at 1\n1 of 5 created, 1 live, 0 wait at 3"
    );
}

#[test]
fn wrong_options_are_all_named() {
    let refused = |max_t, options: &str| {
        let errors = Hyperband::init(&setup(max_t), parse_options(options).unwrap()).unwrap_err();
        errors
            .into_iter()
            .map(|error| error.key)
            .collect::<Vec<_>>()
    };
    assert_eq!(refused(None, ""), ["max_t"]);
    assert_eq!(refused(Some(0.5), ""), ["grace_period"]);
    assert_eq!(refused(Some(1e9), ""), ["grace_period"]);
    let two = "{\"reduction_factor\":1.0,\"stop_last_trials\":false}";
    assert_eq!(
        refused(Some(9.0), two),
        ["reduction_factor", "stop_last_trials"]
    );
    hyperband(1e9, "{\"grace_period\":1e7}");
}

/// A trial is judged by its last result, at the time of its last result.
#[test]
fn a_fractional_factor_halves_by_its_exact_value() {
    // (10, 2.5): milestones 1.6 -> 1, 4, 10; 7 trials (3 x 6.25 / 3), 3, 2.
    let mut host = Host::new(10.0, "{\"reduction_factor\":2.5}");
    host.start(7);
    let mut survivors = BTreeMap::new();
    for level in [1.0, 4.0] {
        host.all_report(level);
        while host.scheduler.open[0].is_complete() || !host.scheduler.open[0].ready.is_empty() {
            host.next(Creation::Waiting);
        }
        survivors.insert(level as u32, host.running.len());
    }
    assert_eq!(survivors, BTreeMap::from([(1, 3), (4, 2)]));
}
