//! The rule by hand: the vectors of Ray Tune's own tests where the rule is the same, and what
//! departs from them.

use super::*;
use tune_plugin::{
    Domain, Exploit, Next, Objective, Parameter, RealRange, WholeRange, parse_options,
};

fn real(low: f64, high: f64) -> Domain {
    Domain::Real(RealRange {
        low,
        high,
        log: false,
        step: None,
    })
}

fn space() -> Vec<Parameter> {
    let parameter = |name: &str, domain| Parameter {
        name: name.to_owned(),
        domain,
        conditions: Vec::new(),
    };
    let whole = WholeRange {
        low: 0,
        high: 100,
        log: false,
        step: None,
    };
    vec![
        parameter("f", real(0.0, 100.0)),
        parameter("i", Domain::Whole(whole)),
        parameter("k", Domain::Choice(vec![1_i64.into(), 2_i64.into()])),
    ]
}

fn config() -> Config {
    let mut config = Config::new();
    config.insert("f", 2.0);
    config.insert("i", 10_i64);
    config.insert("k", 1_i64);
    config
}

fn try_pbt(trials: Option<u32>, maximize: bool, options: &str) -> Result<Pbt, Vec<OptionError>> {
    seeded(3, trials, maximize, options)
}

fn seeded(
    seed: u64,
    trials: Option<u32>,
    maximize: bool,
    options: &str,
) -> Result<Pbt, Vec<OptionError>> {
    let setup = Setup {
        space: space(),
        objectives: vec![Objective {
            metric: "score".to_owned(),
            maximize,
        }],
        constraints: Vec::new(),
        time_attr: "t".to_owned(),
        max_t: None,
        trials,
        slots: 16,
        seed,
        options: options.to_owned(),
    };
    Pbt::init(&setup, parse_options(options).unwrap())
}

/// A population that is whole and runs.
fn pbt(members: u32, options: &str) -> Pbt {
    started(try_pbt(Some(members), true, options).unwrap(), members)
}

fn started(mut pbt: Pbt, members: u32) -> Pbt {
    for trial in 0..members {
        create(&mut pbt, trial, &config());
    }
    assert_eq!(pbt.next(Creation::Closed), Next::Done);
    pbt
}

fn create(pbt: &mut Pbt, trial: TrialId, config: &Config) {
    assert_eq!(pbt.next(Creation::Possible), Next::Create);
    pbt.on_add(trial, config);
    assert_eq!(pbt.next(Creation::Possible), Next::Run(trial));
}

impl Pbt {
    fn ranked(&self) -> Vec<TrialId> {
        self.0.ranked().iter().map(|(trial, _)| *trial).collect()
    }

    fn at(&mut self, trial: TrialId, time: f64, score: f64) -> Vec<Action> {
        let report = Report::default().with("t", time).with("score", score);
        self.on_result(trial, &report)
    }

    fn next(&mut self, creation: Creation) -> Next {
        let turn = self.next_to_run(creation);
        assert_eq!(turn.actions, []);
        turn.next
    }
}

fn exploit(actions: &[Action]) -> &Exploit {
    match actions {
        [Action::Exploit(exploit)] | [Action::Exploit(exploit), Action::Pause(_)] => exploit,
        other => panic!("no exploit: {other:?}"),
    }
}

/// Five members that were kept at 10 with scores 0, 50, .., 200.
fn five(options: &str) -> Pbt {
    kept_at_10(pbt(5, options))
}

/// They come to their first point in this order, so that none is among the worst by then.
fn kept_at_10(mut pbt: Pbt) -> Pbt {
    for trial in 0..5 {
        let actions = pbt.at(trial, 10.0, 50.0 * f64::from(trial));
        assert_eq!(actions, [Action::Keep(trial)]);
    }
    pbt
}

const TEN: &str = r#"{"perturbation_interval":10,"resample_probability":0,
    "hyperparam_mutations":["f","i"]}"#;

#[test]
fn between_two_perturbation_points_nothing_happens() {
    let mut pbt = five(TEN);
    assert_eq!(pbt.at(0, 15.0, -100.0), []);
    assert_eq!(pbt.at(0, 19.0, -100.0), []);
}

#[test]
fn a_member_among_the_best_or_in_the_middle_is_kept() {
    let mut pbt = five(TEN);
    assert_eq!(pbt.at(0, 20.0, 200.0), [Action::Keep(0)]);
    assert_eq!(pbt.at(2, 20.0, 160.0), [Action::Keep(2)]);
}

#[test]
fn a_member_among_the_worst_goes_on_from_one_of_the_best_with_a_changed_configuration() {
    let mut donors = std::collections::BTreeSet::new();
    let mut changes = std::collections::BTreeSet::new();
    for seed in 0..40 {
        let pbt = seeded(seed, Some(5), true, TEN).unwrap();
        let mut pbt = kept_at_10(started(pbt, 5));
        let actions = pbt.at(0, 20.0, -100.0);
        let Exploit {
            target,
            source,
            config,
        } = exploit(&actions);
        assert_eq!(*target, 0);
        donors.insert(*source);
        // Each parameter by a factor of its own, the one that is not named not at all.
        changes.insert(config.to_string());
    }
    assert_eq!(donors.into_iter().collect::<Vec<_>>(), [3, 4]);
    let expected = [
        "f=1.6 i=12 k=1",
        "f=1.6 i=8 k=1",
        "f=2.4 i=12 k=1",
        "f=2.4 i=8 k=1",
    ];
    assert_eq!(changes.into_iter().collect::<Vec<_>>(), expected);
}

#[test]
fn the_donors_configuration_is_the_base_and_its_time_the_new_one() {
    let mut other = config();
    other.insert("f", 50.0);
    let mut pbt = try_pbt(Some(5), true, TEN).unwrap();
    for trial in 0..5 {
        let config = if trial < 3 { config() } else { other.clone() };
        create(&mut pbt, trial, &config);
    }
    assert_eq!(pbt.next(Creation::Closed), Next::Done);
    let mut pbt = kept_at_10(pbt);
    assert_eq!(pbt.at(3, 20.0, 160.0), [Action::Keep(3)]);
    assert_eq!(pbt.at(4, 20.0, 210.0), [Action::Keep(4)]);
    let actions = pbt.at(0, 27.0, -100.0);
    let f = exploit(&actions).config.f64("f").unwrap();
    assert!(f == 40.0 || f == 60.0, "{f}");
    // It is where its donor was at 20, so its next point is at 30.
    assert_eq!(pbt.at(0, 21.0, 0.0), []);
    assert_eq!(pbt.at(0, 29.0, 0.0), []);
    assert_ne!(pbt.at(0, 30.0, 0.0), []);
}

#[test]
fn a_member_that_took_over_a_state_is_not_ranked_until_its_next_point() {
    let mut pbt = five(TEN);
    exploit(&pbt.at(0, 20.0, -100.0));
    assert_eq!(pbt.ranked(), [4, 3, 2, 1]);
    assert_eq!(pbt.at(0, 20.0, 130.0), [Action::Keep(0)]);
    assert_eq!(pbt.ranked(), [4, 3, 0, 2, 1]);
}

#[test]
fn before_the_burn_in_is_over_nothing_changes() {
    // Ray's vector, minimised: at 50 trial 4 takes over trial 3.
    let options = r#"{"perturbation_interval":5,"burn_in_period":50}"#;
    let mut pbt = started(try_pbt(Some(5), false, options).unwrap(), 5);
    for time in [5.0, 30.0, 49.0] {
        for (trial, error) in (0..).zip([50.0, 50.0, 50.0, 10.0, 100.0]) {
            assert_eq!(pbt.at(trial, time, error), []);
        }
    }
    pbt.on_complete(2, None);
    for (trial, error) in [(0, 50.0), (1, 50.0), (3, 10.0)] {
        assert_eq!(pbt.at(trial, 50.0, error), [Action::Keep(trial)]);
    }
    assert_eq!(exploit(&pbt.at(4, 50.0, 100.0)).source, 3);
}

#[test]
fn a_result_that_is_not_a_number_is_the_worst_and_a_population_of_them_is_left_alone() {
    let mut pbt = five(TEN);
    let source = exploit(&pbt.at(1, 20.0, f64::NAN)).source;
    assert!(source >= 3);
    let mut hopeless = self::pbt(5, TEN);
    for time in [10.0, 20.0, 30.0] {
        for (trial, score) in (0..).zip([f64::NAN, f64::INFINITY, f64::NEG_INFINITY, f64::NAN]) {
            assert_eq!(hopeless.at(trial, time, score), [Action::Keep(trial)]);
        }
    }
}

#[test]
fn nothing_is_copied_from_an_equal() {
    let mut pbt = pbt(4, TEN);
    for trial in 0..4 {
        assert_eq!(pbt.at(trial, 10.0, 1.0), [Action::Keep(trial)]);
    }
    assert_eq!(pbt.at(3, 20.0, 1.0), [Action::Keep(3)]);
    assert_eq!(exploit(&pbt.at(2, 20.0, 0.0)).source, 0);
}

#[test]
fn whoever_has_ended_is_neither_donor_nor_counted() {
    let mut pbt = five(TEN);
    pbt.on_complete(4, None);
    pbt.on_error(3, FailureKind::Trap, false);
    pbt.on_remove(2);
    // A failure that is tried again changes nothing.
    pbt.on_error(1, FailureKind::Deadline, true);
    assert_eq!(exploit(&pbt.at(0, 20.0, 0.0)).source, 1);
    pbt.on_complete(1, None);
    assert_eq!(pbt.at(0, 30.0, -5.0), [Action::Keep(0)]);
    assert_eq!(pbt.at(1, 30.0, 0.0), []);
    assert_eq!(pbt.on_result(0, &Report::default()), []);
}

#[test]
fn more_members_than_slots_take_turns_and_the_one_that_is_least_far_is_next() {
    let mut pbt = try_pbt(Some(4), true, r#"{"perturbation_interval":2}"#).unwrap();
    for trial in [0, 1] {
        assert_eq!(pbt.next(Creation::Possible), Next::Create);
        pbt.on_add(trial, &config());
        assert_eq!(pbt.next(Creation::Possible), Next::Run(trial));
    }
    assert_eq!(pbt.at(0, 1.0, 1.0), []);
    // Two are to be created yet, so there is no going on at a perturbation point.
    assert_eq!(pbt.at(0, 2.0, 1.0), [Action::Pause(0)]);
    assert_eq!(pbt.next(Creation::Possible), Next::Create);
    pbt.on_add(2, &config());
    assert_eq!(pbt.next(Creation::Possible), Next::Run(2));
    // The searcher waits: what is paused runs on.
    assert_eq!(pbt.next(Creation::Waiting), Next::Run(0));
    assert_eq!(pbt.next(Creation::Waiting), Next::Idle);
    assert_eq!(pbt.at(0, 4.0, 1.0), [Action::Pause(0)]);
    assert_eq!(pbt.next(Creation::Possible), Next::Create);
    pbt.on_add(3, &config());
    let actions = pbt.at(1, 2.0, 0.0);
    let source = exploit(&actions).source;
    assert_eq!(source, 0);
    assert_eq!(actions.last(), Some(&Action::Pause(1)));
    assert_eq!(pbt.next(Creation::Closed), Next::Run(3));
    // Both are at 4 now: 1 where 0 was kept.
    assert_eq!(pbt.next(Creation::Closed), Next::Run(0));
    assert_eq!(pbt.next(Creation::Closed), Next::Run(1));
    // Nobody waits any more.
    assert_eq!(pbt.next(Creation::Closed), Next::Done);
    assert_eq!(pbt.at(0, 6.0, 1.0), [Action::Keep(0)]);
}

/// Ray's vector: three members report their iteration + `f`, three iterations at interval 1.
fn last_scores(synch: bool) -> Vec<f64> {
    let options =
        format!(r#"{{"perturbation_interval":1,"synch":{synch},"hyperparam_mutations":["k"]}}"#);
    let mut pbt = try_pbt(Some(3), true, &options).unwrap();
    for (trial, f) in (0..).zip([10.0, 20.0, 40.0]) {
        let mut config = config();
        config.insert("f", f);
        pbt.on_add(trial, &config);
    }
    let mut iterations = [0.0; 3];
    let mut scores = vec![0.0; 3];
    // Each member has three reports. Asynchronous ones come in the order of the trials.
    for _ in 0..3 {
        let mut running = Vec::new();
        loop {
            let Turn { actions, next } = pbt.next_to_run(Creation::Closed);
            copy(&actions, &mut iterations);
            let Next::Run(trial) = next else { break };
            running.push(trial);
        }
        for trial in [0_usize, 1, 2] {
            let member = pbt.0.member(trial as TrialId).unwrap();
            iterations[trial] += 1.0;
            scores[trial] = iterations[trial] + member.config.f64("f").unwrap();
            let actions = pbt.at(trial as TrialId, iterations[trial], scores[trial]);
            copy(&actions, &mut iterations);
        }
    }
    scores
}

fn copy(actions: &[Action], iterations: &mut [f64; 3]) {
    for action in actions {
        if let Action::Exploit(exploit) = action {
            iterations[exploit.target as usize] = iterations[exploit.source as usize];
        }
    }
}

#[test]
fn a_synchronous_population_decides_when_all_have_come() {
    assert_eq!(last_scores(true), [43.0; 3]);
    assert_ne!(last_scores(false), [43.0; 3]);
}

#[test]
fn at_the_barrier_whoever_leaves_is_not_waited_for() {
    let mut pbt = pbt(4, r#"{"perturbation_interval":2,"synch":true}"#);
    for trial in [0, 1] {
        assert_eq!(pbt.at(trial, 2.0, f64::from(trial)), [Action::Pause(trial)]);
    }
    assert_eq!(pbt.next(Creation::Closed), Next::Done);
    pbt.on_error(2, FailureKind::Trap, false);
    assert_eq!(pbt.next(Creation::Closed), Next::Done);
    pbt.on_complete(3, None);
    let Turn { actions, next } = pbt.next_to_run(Creation::Closed);
    let Exploit { target, source, .. } = exploit(&actions);
    assert_eq!((*target, *source, next), (0, 1, Next::Run(0)));
    assert_eq!(pbt.next(Creation::Closed), Next::Run(1));
    // The next barrier is at 4; a result that goes past it is at it.
    assert_eq!(pbt.at(0, 3.0, 0.0), []);
    assert_eq!(pbt.at(0, 7.0, 0.0), [Action::Pause(0)]);
    assert_eq!(pbt.at(1, 4.0, 0.0), [Action::Pause(1)]);
    assert_eq!(pbt.next(Creation::Closed), Next::Run(1));
    assert_eq!(pbt.next(Creation::Closed), Next::Run(0));
    // And the one after that where the one that is furthest stands.
    assert_eq!(pbt.at(1, 6.0, 0.0), []);
    assert_eq!(pbt.at(1, 7.0, 0.0), [Action::Pause(1)]);
}

#[test]
fn the_barrier_waits_for_members_without_a_slot_and_for_those_that_are_created_yet() {
    let options = r#"{"perturbation_interval":2,"synch":true}"#;
    let mut pbt = try_pbt(Some(3), true, options).unwrap();
    for trial in [0, 1, 2] {
        // One slot: the next member is created when the one before has come to the barrier.
        assert_eq!(pbt.next(Creation::Possible), Next::Create);
        pbt.on_add(trial, &config());
        assert_eq!(pbt.next(Creation::Possible), Next::Run(trial));
        assert_eq!(pbt.at(trial, 2.0, f64::from(trial)), [Action::Pause(trial)]);
    }
    let Turn { actions, next } = pbt.next_to_run(Creation::Closed);
    let Exploit { target, source, .. } = exploit(&actions);
    assert_eq!((*target, *source, next), (0, 2, Next::Run(0)));
    assert_eq!(pbt.at(0, 4.0, 9.0), [Action::Pause(0)]);
    for trial in [1, 2] {
        assert_eq!(pbt.next(Creation::Closed), Next::Run(trial));
        assert_eq!(pbt.at(trial, 4.0, f64::from(trial)), [Action::Pause(trial)]);
    }
    let Turn { actions, .. } = pbt.next_to_run(Creation::Closed);
    assert_eq!((exploit(&actions).target, exploit(&actions).source), (1, 0));
}

#[test]
fn a_searcher_that_waits_for_results_does_not_hold_up_the_barrier() {
    let options = r#"{"perturbation_interval":2,"synch":true}"#;
    let mut pbt = try_pbt(Some(2), true, options).unwrap();
    assert_eq!(pbt.next(Creation::Possible), Next::Create);
    pbt.on_add(0, &config());
    assert_eq!(pbt.next(Creation::Possible), Next::Run(0));
    assert_eq!(pbt.at(0, 2.0, 1.0), [Action::Pause(0)]);
    assert_eq!(pbt.next(Creation::Possible), Next::Create);
    assert_eq!(pbt.next(Creation::Waiting), Next::Run(0));
    assert_eq!(pbt.next(Creation::Waiting), Next::Idle);
}

#[test]
fn the_first_barrier_is_not_before_the_burn_in_is_over() {
    let options = r#"{"perturbation_interval":2,"burn_in_period":5,"synch":true}"#;
    let mut pbt = pbt(2, options);
    assert_eq!(pbt.at(0, 4.0, 0.0), []);
    assert_eq!(pbt.at(0, 5.0, 0.0), [Action::Pause(0)]);
}

#[test]
fn wrong_options_are_all_named() {
    let options = r#"{"hyperparam_mutations":["x"],"perturbation_factors":[]}"#;
    let errors = try_pbt(Some(4), true, options).unwrap_err();
    let keys: Vec<&str> = errors.iter().map(|e| e.key.as_str()).collect();
    assert_eq!(keys, ["hyperparam_mutations", "perturbation_factors"]);
}

#[test]
fn the_description_tells_members_exploits_and_the_best() {
    let mut pbt = five(TEN);
    exploit(&pbt.at(0, 20.0, -100.0));
    let text = pbt.describe();
    let end = "exploits, best 200.0000 of trial 4 at 10";
    assert!(
        text.starts_with("pbt (asynchronous): 5 members, ") && text.ends_with(end),
        "{text}"
    );
    assert!(
        self::pbt(2, "")
            .describe()
            .ends_with("2 members, 0 exploits")
    );
}
