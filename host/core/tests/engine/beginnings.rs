//! What a trial and a run can begin with: earlier states, other runs, known results, other builds.

use tune_core::records::{Action, Ending, Observation, Proposal, Report, TrialId};
use tune_core::{Base, Effect, Engine, Event, Imported, Lineage, Note, Origin};

use crate::script::{Lab, Script, cloning, config, effects, pair, point};

fn starting_from(source: TrialId) -> Proposal {
    Proposal {
        config: config(0.25),
        start_from: Some(source),
        ..Proposal::default()
    }
}

/// Trial 0 ends at a budget of 2 under `fifo`; then this is suggested.
fn after_a_budget(next: Vec<Proposal>) -> (Lab, tune_core::Handover) {
    let mut plan = cloning(2);
    plan.slots = 1;
    plan.scheduler.0 = "fifo".into();
    let first = Proposal {
        config: config(0.5),
        budget: Some(2.0),
        ..Proposal::default()
    };
    let script = Script {
        proposals: [first].into_iter().chain(next).collect(),
        ..Script::default()
    };
    let (mut lab, _) = Lab::open(plan, script);
    lab.report(0, vec![]);
    let handover = lab.report(0, vec![]);
    (lab, handover)
}

#[test]
fn a_trial_that_reached_its_budget_is_kept_and_another_starts_from_it() {
    let (mut lab, handover) = after_a_budget(vec![Proposal {
        seed: Some(99),
        ..starting_from(0)
    }]);
    let source = point(0, 2);
    let keep = Effect::Keep {
        trial: 0,
        point: source,
    };
    let clone = Effect::Clone { target: 1, source };
    assert_eq!(effects(&handover), [keep, Effect::Release(0), clone]);
    assert!(handover.notes.contains(&Note::Exploited {
        target: 1,
        source,
        iteration: 2
    }));
    let trial = lab.trial(1);
    assert_eq!(
        (trial.point(), trial.iteration, trial.own_fuel),
        (source, 2, 0)
    );
    let change = &trial.pending_change().unwrap().change;
    assert_eq!((change.seed, &change.config), (99, &config(0.25)));
    let report = lab.report(1, vec![]).report.unwrap();
    assert_eq!(report.get("training_iteration"), Some(3.0));
    let recipe = lab.engine.recipe(point(1, 1), &|_| false).unwrap();
    assert_eq!(recipe.steps.len(), 3);
}

#[test]
fn a_trial_that_starts_from_no_state_is_refused() {
    let (lab, handover) = after_a_budget(vec![starting_from(7), starting_from(1)]);
    let rejected: Vec<_> = handover
        .notes
        .iter()
        .filter_map(|n| match n {
            Note::Rejected(why) => Some(why.as_str()),
            _ => None,
        })
        .collect();
    assert_eq!(
        rejected,
        [
            "suggestion for trial 1: it starts from the unknown trial 7: name one that was created",
            "suggestion for trial 1: it starts from the unknown trial 1: name one that was created",
        ]
    );
    assert_eq!(lab.trial(1).segments[0].origin, Origin::Setup);

    let mut plan = cloning(3);
    plan.slots = 2;
    let script = Script {
        proposals: [starting_from(0), starting_from(0)].into_iter().collect(),
        ..Script::default()
    };
    let (mut lab, handover) = Lab::open(plan.clone(), script);
    assert_eq!(handover.created.len(), 2);
    lab.script.proposals.push_back(starting_from(1));
    let handover = lab.report(0, vec![Action::Stop(0)]);
    assert!(
        handover
            .notes
            .iter()
            .any(|n| matches!(n, Note::Rejected(why) if why.contains(
                "it starts from trial 1, which was never kept or paused nor reached a budget"
            )))
    );

    plan.clones = false;
    let (mut lab, _) = Lab::open(plan, Script::default());
    lab.script.proposals.push_back(starting_from(1));
    let handover = lab.report(0, vec![Action::Stop(0)]);
    assert!(
        handover
            .notes
            .iter()
            .any(|n| matches!(n, Note::Rejected(why) if why.contains(
                "the searcher `random` does not say in its manifest"
            )))
    );
}

#[test]
fn trial_0_goes_on_from_an_imported_state() {
    let mut plan = cloning(2);
    plan.imported = Some(Imported {
        iteration: 40,
        fuel_total: 4_000,
        config: config(0.125),
        last: Some(Report::default().with("training_iteration", 40.0)),
        state: [7; 32],
    });
    let mut lab = Lab::of(plan);
    let trial = lab.trial(0);
    assert_eq!(
        (trial.iteration, trial.fuel_total, trial.axis),
        (40, 4_000, Some(40.0))
    );
    assert_eq!(trial.segments[0].origin, Origin::Imported);
    let change = &trial.pending_change().unwrap().change;
    assert_eq!(change.config, config(0.5));
    assert_ne!(change.seed, lab.trial(1).setup_seed);
    let report = lab.report(0, vec![]).report.unwrap();
    assert_eq!(report.get("training_iteration"), Some(41.0));
    assert_eq!(report.get("fuel_total"), Some(4_010.0));
    let recipe = lab.engine.recipe(point(0, 1), &|_| false).unwrap();
    assert_eq!((recipe.base, recipe.steps.len()), (Base::Imported, 1));
    assert_eq!(lab.trial(1).segments[0].origin, Origin::Setup);
}

#[test]
fn an_imported_state_with_its_own_configuration_is_not_changed() {
    let mut plan = cloning(2);
    plan.imported = Some(Imported {
        iteration: 40,
        fuel_total: 4_000,
        config: config(0.5),
        last: None,
        state: [7; 32],
    });
    let mut lab = Lab::of(plan);
    assert_eq!(lab.trial(0).pending_change(), None);
    let report = lab.report(0, vec![]).report.unwrap();
    assert_eq!(report.get("training_iteration"), Some(41.0));
    let recipe = lab.engine.recipe(point(0, 1), &|_| false).unwrap();
    assert_eq!(recipe.base, Base::Imported);
    assert_eq!(recipe.steps[0].change, None);
}

#[test]
fn a_lineage_is_repeated_with_its_seeds() {
    let mut plan = cloning(2);
    plan.lineage = Some(Lineage {
        seed: 11,
        changes: vec![(1, 12), (3, 13)],
    });
    let mut lab = Lab::of(plan);
    assert_eq!(lab.trial(0).setup_seed, 11);
    assert_ne!(lab.trial(1).setup_seed, 11);
    let seed = |lab: &Lab, id| lab.trial(id).pending_change().unwrap().change.seed;
    lab.report(0, vec![Action::SetConfig(0, config(0.1))]);
    assert_eq!(seed(&lab, 0), 12);
    lab.report(0, vec![Action::SetConfig(0, config(0.2))]);
    assert!(![11, 12, 13].contains(&seed(&lab, 0)), "not in the lineage");
    lab.report(0, vec![Action::SetConfig(0, config(0.3))]);
    assert_eq!(seed(&lab, 0), 13);
    lab.report(1, vec![Action::SetConfig(1, config(0.3))]);
    assert_ne!(seed(&lab, 1), 12);
}

#[test]
fn the_searcher_is_told_what_is_known_a_thousand_at_a_time() {
    let mut plan = cloning(2);
    let known = Observation {
        config: config(0.5),
        last: Some(Report::default().with("loss", 1.0)),
        ending: Ending::Finished,
    };
    plan.known = vec![known; 2_001];
    let mut lab = Lab::of(plan);
    assert_eq!(lab.script.told, [1_000, 1_000, 1]);
    lab.report(0, vec![]);
    assert_eq!(lab.script.told.len(), 3, "once");
}

#[test]
fn numbers_that_json_cannot_write_survive_in_a_plan() {
    let mut plan = cloning(2);
    let last = Report::default()
        .with("loss", f64::NAN)
        .with("high", f64::INFINITY)
        .with("low", f64::NEG_INFINITY)
        .with("plain", 0.1 + 0.2);
    plan.known.push(Observation {
        config: config(0.5),
        last: Some(last),
        ending: Ending::Finished,
    });
    let text = serde_json::to_string(&plan).unwrap();
    let again: tune_core::EnginePlan = serde_json::from_str(&text).unwrap();
    let digest = |plan| tune_core::plan_digest(plan, &[]);
    assert_eq!(digest(&again), digest(&plan));
    let last = again.known[0].last.as_ref().unwrap();
    assert!(last.get("loss").unwrap().is_nan());
    assert_eq!(last.get("low"), Some(f64::NEG_INFINITY));
}

#[test]
fn a_change_of_build_marks_the_digest_and_changes_nothing_else() {
    let changed = |what: &str| {
        let mut lab = pair();
        let before = (lab.engine.now(), format!("{:?}", lab.engine.trials()));
        let handover = lab.apply(Event::Changed { what: what.into() });
        assert!(handover.entry.answers.is_empty() && handover.effects.is_empty());
        assert_eq!(
            before,
            (lab.engine.now(), format!("{:?}", lab.engine.trials()))
        );
        assert_eq!(lab.engine.sequence(), handover.sequence + 1);
        *lab.engine.digest()
    };
    assert_ne!(changed("wasmtime 48"), changed("wasmtime 49"));
    assert_ne!(changed("wasmtime 48"), *pair().engine.digest());
    let mut engine = Engine::new(cloning(2), [1; 32]).unwrap();
    let what = String::new();
    let error = engine
        .apply(Event::Changed { what }, &mut Script::default())
        .unwrap_err();
    assert!(
        error
            .to_string()
            .contains("a run is opened once, first of all"),
        "{error}"
    );
}
