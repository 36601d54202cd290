//! Whether the plugins of a plan fit together: what the scheduler would change in mid-training, the
//! trainable must be able to take, and the searcher must not learn from. Told from manifests, before
//! anything runs.

use serde_json::{Map, Value};
use tune_core::EnginePlan;
use tune_experiment::{Diagnostic, ExperimentPlan};
use tune_runtime::{Inspection, Snapshotable};

/// A plugin as far as this is concerned.
#[derive(Clone, Copy)]
pub(crate) struct Named<'a> {
    /// Its name.
    pub(crate) name: &'a str,
    /// What it is.
    pub(crate) inspection: &'a Inspection,
}

/// Checks the stop rule `regret`, which needs a searcher that bounds it; `alternatives` are those that
/// do.
pub(crate) fn check_regret(
    experiment: &ExperimentPlan,
    plan: &EnginePlan,
    searcher: Named<'_>,
    alternatives: &[&str],
) -> Option<Diagnostic> {
    if plan.plateaus.regret.is_none() || searcher.inspection.manifest.bounds_regret {
        return None;
    }
    let hint = match alternatives {
        [] => "use experiment_plateau = true, which needs no such searcher".to_owned(),
        [first, ..] => format!(
            "write searcher = \"{first}\" (those that can: {}), or use experiment_plateau = true, which \
             needs no such searcher",
            alternatives.join(", ")
        ),
    };
    Some(experiment.diagnostic(
        "stop.regret",
        format!(
            "`{}` does not say how much better a result could be: the rule would never be met",
            searcher.name
        ),
        hint,
    ))
}

/// Checks a searcher that gives trials budgets of their own: only `fifo` lets it do so, and only where
/// there is a `max_t` does it.
pub(crate) fn check_budgets(
    experiment: &ExperimentPlan,
    plan: &EnginePlan,
    searcher: Named<'_>,
    scheduler: Named<'_>,
) -> Option<Diagnostic> {
    let gives = searcher.inspection.manifest.budgets && plan.max_t.is_some();
    (gives && scheduler.name != FIFO).then(|| {
        experiment.diagnostic(
            "scheduler",
            format!(
                "`{}` says itself how long a trial runs, and `{}` does so too",
                searcher.name, scheduler.name
            ),
            format!(
                "write scheduler = \"{FIFO}\", or use another searcher with `{}`, such as tpe",
                scheduler.name
            ),
        )
    })
}

/// Whether states of trials are kept for others to start from: the scheduler's or the searcher's
/// manifest says so. A searcher that has an option `continue` wants it only where that is true.
pub(crate) fn clones(plan: &EnginePlan, searcher: &Inspection, scheduler: &Inspection) -> bool {
    let options: Value = serde_json::from_str(&plan.searcher.1).unwrap_or_default();
    let continues = options.get(CONTINUE) != Some(&Value::Bool(false));
    scheduler.manifest.clones || (searcher.manifest.clones && continues)
}

/// Checks that states can be copied for a searcher that starts trials from those of others.
pub(crate) fn check_continuing(
    experiment: &ExperimentPlan,
    plan: &EnginePlan,
    [trainable, searcher, scheduler]: [Named<'_>; 3],
) -> Option<Diagnostic> {
    let Snapshotable::No { constructs } = &trainable.inspection.snapshot else {
        return None;
    };
    let clones = clones(plan, searcher.inspection, scheduler.inspection);
    (clones && !scheduler.inspection.manifest.clones).then(|| {
        let option = format!("searcher.{CONTINUE}");
        let is_given = experiment.locate(&option).is_some();
        let at = if is_given { &option } else { "searcher" };
        experiment.diagnostic(
            at,
            format!(
                "`{}` starts trials from states of earlier ones, and states of `{}` cannot be copied: \
                 it uses {}",
                searcher.name,
                trainable.name,
                constructs.join(", ")
            ),
            if is_given {
                "write continue = false, or build the trainable without them"
            } else {
                "build the trainable without them, or use another searcher"
            },
        )
    })
}

/// Checks a plan whose options are filled in. `key` is the scheduler's key in the file; `alternatives`
/// are searchers that do not learn.
pub(crate) fn check(
    experiment: &ExperimentPlan,
    plan: &EnginePlan,
    [trainable, searcher, scheduler]: [Named<'_>; 3],
    key: &str,
    alternatives: &[&str],
) -> Vec<Diagnostic> {
    let mut wrong = Vec::new();
    let manifest = &scheduler.inspection.manifest;
    if (manifest.changes_config || manifest.clones) && searcher.inspection.manifest.learns {
        let at = if experiment.locate("searcher").is_some() {
            "searcher"
        } else {
            key
        };
        wrong.push(experiment.diagnostic(
            at,
            format!(
                "`{}` changes configurations in mid-training, and `{}` learns which configuration \
                 gave which result: it would learn what is not so",
                scheduler.name, searcher.name
            ),
            format!(
                "write searcher = \"{}\"; those that do not learn are {}",
                // The one that any space suits.
                alternatives
                    .iter()
                    .find(|name| **name == "random")
                    .or(alternatives.first())
                    .unwrap_or(&"random"),
                alternatives.join(", ")
            ),
        ));
    }
    if manifest.changes_config || manifest.clones {
        let changed = changed_parameters(plan);
        let fixed = fixed_parameters(trainable.inspection, changed.iter().map(String::as_str));
        if !fixed.is_empty() {
            // The one of the two options that this scheduler has, and how it is written.
            let options = &manifest.options;
            let bounds = options.pointer("/properties/hyperparam_bounds").is_some();
            let option = if bounds { BOUNDS } else { MUTATIONS };
            let given = experiment.locate(&format!("{key}.{option}")).is_some();
            let at = if given {
                format!("{key}.{option}")
            } else {
                key.to_owned()
            };
            let hint = if given {
                format!(
                    "take {} out of it, or use another trainable",
                    quoted(&fixed)
                )
            } else {
                let rest = changed
                    .iter()
                    .filter(|name| !fixed.contains(&name.as_str()));
                let entry = |name: &String| {
                    if bounds {
                        format!("{name:?} = []")
                    } else {
                        format!("{name:?}")
                    }
                };
                let rest: Vec<String> = rest.map(entry).collect();
                let (open, close) = if bounds { ("{ ", " }") } else { ("[", "]") };
                let constant = format!("make {} a constant", quoted(&fixed));
                if rest.is_empty() {
                    constant
                } else {
                    format!(
                        "{constant}, or say what may change: {option} = {open}{}{close}",
                        rest.join(", ")
                    )
                }
            };
            wrong.push(experiment.diagnostic(
                &at,
                format!(
                    "`{}` would change {} in mid-training, and `{}` {}",
                    scheduler.name,
                    quoted(&fixed),
                    trainable.name,
                    what_can_change(trainable.inspection)
                ),
                hint,
            ));
        }
    }
    if manifest.clones
        && let Snapshotable::No { constructs } = &trainable.inspection.snapshot
    {
        wrong.push(experiment.diagnostic(
            key,
            format!(
                "`{}` clones trials, and states of `{}` cannot be copied: it uses {}",
                scheduler.name,
                trainable.name,
                constructs.join(", ")
            ),
            "every clone would do all steps of its donor again: build the trainable without them, or \
             use a scheduler that does not clone",
        ));
    }
    wrong
}

/// The scheduler that leaves it to the searcher how long a trial runs.
const FIFO: &str = "fifo";
/// The option by which a searcher starts trials from states of earlier ones, or does not.
const CONTINUE: &str = "continue";
/// The option with the names of the parameters that a scheduler changes.
const MUTATIONS: &str = "hyperparam_mutations";
/// The option with the parts of ranges within which a scheduler changes parameters.
const BOUNDS: &str = "hyperparam_bounds";
/// The option with configurations that a scheduler goes through.
const STEPS: &str = "steps";

/// The parameters that the scheduler would change: those that its options name, those that differ in
/// its steps, or else all of the space.
fn changed_parameters(plan: &EnginePlan) -> Vec<String> {
    let options: Map<String, Value> = serde_json::from_str(&plan.scheduler.1).unwrap_or_default();
    let named = options.get(MUTATIONS).and_then(Value::as_array);
    if let Some(named) = named.filter(|named| !named.is_empty()) {
        let names = named.iter().filter_map(Value::as_str);
        return names.map(str::to_owned).collect();
    }
    let all = plan.space.iter().map(|parameter| &parameter.name);
    let bounds = options.get(BOUNDS).and_then(Value::as_object);
    if let Some(bounds) = bounds.filter(|bounds| !bounds.is_empty()) {
        return all.filter(|name| holds(bounds, name)).cloned().collect();
    }
    let Some(steps) = options.get(STEPS).and_then(Value::as_array) else {
        return all.cloned().collect();
    };
    let configs: Vec<&Value> = steps.iter().filter_map(|step| step.get("config")).collect();
    let first = plan.points_to_evaluate.first();
    all.filter(|name| {
        let first = first
            .and_then(|config| config.get(name))
            .map(|v| v.to_json());
        let later = configs.iter().filter_map(|config| config.get(*name));
        let mut values = first.into_iter().chain(later.cloned());
        let before = values.next();
        values.any(|value| before.as_ref() != Some(&value))
    })
    .cloned()
    .collect()
}

/// A table has an entry of this dotted name, flat or in tables of its own.
fn holds(table: &Map<String, Value>, name: &str) -> bool {
    let inner = |(at, _)| {
        let (head, tail) = (name.get(..at)?, name.get(at + 1..)?);
        Some(holds(table.get(head)?.as_object()?, tail))
    };
    table.contains_key(name) || name.match_indices('.').filter_map(inner).any(|found| found)
}

/// Those of some parameters that a trainable cannot change in mid-training.
pub(crate) fn fixed_parameters<'a>(
    trainable: &Inspection,
    names: impl Iterator<Item = &'a str>,
) -> Vec<&'a str> {
    let mutable = &trainable.manifest.mutable_parameters;
    names
        .filter(|name| !mutable.iter().any(|m| m == name))
        .collect()
}

/// `can only change lr, momentum`.
pub(crate) fn what_can_change(trainable: &Inspection) -> String {
    let mutable = &trainable.manifest.mutable_parameters;
    if mutable.is_empty() {
        "can change no parameter then".to_owned()
    } else {
        format!("can only change {}", quoted(mutable))
    }
}

/// `a`, `b`
pub(crate) fn quoted<S: AsRef<str>>(names: &[S]) -> String {
    let all: Vec<String> = names.iter().map(|n| format!("`{}`", n.as_ref())).collect();
    all.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use tune_runtime::{Manifest, PluginKind};

    fn inspection(kind: PluginKind, manifest: Manifest) -> Inspection {
        Inspection {
            kind,
            contract: "0.1.0".to_owned(),
            manifest,
            imports: Vec::new(),
            exports: Vec::new(),
            hash: [0; 32],
            core_modules: 1,
            snapshot: Snapshotable::Yes,
            size: 0,
        }
    }

    fn trainable(mutable: &[&str]) -> Inspection {
        let mutable_parameters = mutable.iter().map(|name| (*name).to_owned()).collect();
        inspection(
            PluginKind::Trainable,
            Manifest {
                mutable_parameters,
                ..Manifest::default()
            },
        )
    }

    /// What is said of a plan with `lr` and `hidden`.
    fn said(scheduler: &str, trainable: &Inspection, learns: bool) -> Vec<String> {
        let text = format!(
            "version = 1\ntrainable = \"t\"\nmetric = \"m\"\nmode = \"max\"\ntrials = 4\n\
             [space]\nlr = {{ uniform = [0, 1] }}\nhidden = {{ choice = [1, 2] }}\n\
             [scheduler]\nplugin = \"pbt\"\n{scheduler}\n"
        );
        let experiment = tune_experiment::parse(&text, "x.toml", 0).unwrap();
        let searcher = inspection(
            PluginKind::Searcher,
            Manifest {
                learns,
                ..Manifest::default()
            },
        );
        let pbt = inspection(
            PluginKind::Scheduler,
            Manifest {
                clones: true,
                changes_config: true,
                ..Manifest::default()
            },
        );
        let named = |name, inspection| Named { name, inspection };
        let plugins = [
            named("digits", trainable),
            named("tpe", &searcher),
            named("pbt", &pbt),
        ];
        let plan = &experiment.engine;
        check(&experiment, plan, plugins, "scheduler", &["random"])
            .into_iter()
            .map(|one| format!("{}: {} | {}", one.line, one.message, one.hint))
            .collect()
    }

    #[test]
    fn what_fits_is_not_complained_of() {
        assert!(said("", &trainable(&["lr", "hidden"]), false).is_empty());
        let named = "hyperparam_mutations = [\"lr\"]";
        assert!(said(named, &trainable(&["lr"]), false).is_empty());
        for bounds in ["{ lr = [0, 0.5] }", "{ lr = [] }"] {
            let bounded = format!("hyperparam_bounds = {bounds}");
            assert!(said(&bounded, &trainable(&["lr"]), false).is_empty());
        }
        let steps = "steps = [{ iteration = 1, config = { lr = 0.5, hidden = 1 } }, \
                     { iteration = 2, config = { lr = 0.6, hidden = 1 } }]";
        assert!(said(steps, &trainable(&["lr"]), false).is_empty());
    }

    #[test]
    fn a_dotted_name_is_found_flat_and_in_tables() {
        let table = serde_json::json!({ "a": { "b": [], "c.d": [] }, "e.f": [] });
        let table = table.as_object().unwrap();
        for name in ["a.b", "a.c.d", "e.f"] {
            assert!(holds(table, name), "{name}");
        }
        for name in ["a.c", "e", "b", "a.b.c", "."] {
            assert!(!holds(table, name), "{name}");
        }
    }

    #[test]
    fn a_parameter_that_cannot_change_is_named_with_both_plugins_and_what_to_do() {
        assert_eq!(
            said("", &trainable(&["lr", "momentum"]), false),
            [
                "9: `pbt` would change `hidden` in mid-training, and `digits` can only change `lr`, \
              `momentum` | make `hidden` a constant, or say what may change: \
              hyperparam_mutations = [\"lr\"]"
            ]
        );
        let named = "hyperparam_mutations = [\"hidden\"]";
        assert_eq!(
            said(named, &trainable(&[]), false),
            [
                "11: `pbt` would change `hidden` in mid-training, and `digits` can change no parameter \
              then | take `hidden` out of it, or use another trainable"
            ]
        );
    }

    #[test]
    fn a_searcher_that_learns_does_not_go_with_changing_configurations() {
        let wrong = said("", &trainable(&["lr", "hidden"]), true);
        assert_eq!(wrong.len(), 1);
        assert!(wrong[0].contains("`tpe` learns"), "{wrong:?}");
        assert!(wrong[0].contains("searcher = \"random\""), "{wrong:?}");
    }

    #[test]
    fn a_stop_by_regret_needs_a_searcher_that_bounds_it() {
        let said = |rule: &str, bounds_regret, others: &[&str]| {
            let text = format!(
                "version = 1\ntrainable = \"t\"\nmetric = \"m\"\nmode = \"max\"\ntrials = 4\n\
                 [space]\nlr = {{ uniform = [0, 1] }}\n[stop]\n{rule}\n"
            );
            let experiment = tune_experiment::parse(&text, "x.toml", 0).unwrap();
            let manifest = Manifest {
                bounds_regret,
                ..Manifest::default()
            };
            let searcher = inspection(PluginKind::Searcher, manifest);
            let named = Named {
                name: "tpe",
                inspection: &searcher,
            };
            check_regret(&experiment, &experiment.engine, named, others)
                .map(|one| format!("{}: {} | {}", one.line, one.message, one.hint))
        };
        assert_eq!(said("m = 1", false, &["gp"]), None);
        assert_eq!(said("regret = 0.1", true, &["gp"]), None);
        let wrong = said("regret = 0.1", false, &["gp", "mine"]).unwrap();
        assert!(wrong.starts_with("9: `tpe` does not say"), "{wrong}");
        assert!(
            wrong.contains("searcher = \"gp\" (those that can: gp, mine)"),
            "{wrong}"
        );
        let wrong = said("regret = 0.1", false, &[]).unwrap();
        assert!(wrong.contains("| use experiment_plateau = true"), "{wrong}");
    }

    #[test]
    fn a_searcher_with_budgets_wants_fifo_and_copies_states_only_if_it_continues() {
        let said = |max_t: &str, options: &str, scheduler: &str| {
            let text = format!(
                "version = 1\ntrainable = \"t\"\nmetric = \"m\"\nmode = \"max\"\ntrials = 4\n{max_t}\n\
                 [space]\nlr = {{ uniform = [0, 1] }}\n[searcher]\nplugin = \"dehb\"\n{options}\n\
                 [scheduler]\nplugin = \"{scheduler}\"\n"
            );
            let experiment = tune_experiment::parse(&text, "x.toml", 0).unwrap();
            let manifest = Manifest {
                budgets: true,
                clones: true,
                ..Manifest::default()
            };
            let searcher = inspection(PluginKind::Searcher, manifest);
            let other = inspection(PluginKind::Scheduler, Manifest::default());
            let mut trainable = trainable(&[]);
            trainable.snapshot = Snapshotable::No {
                constructs: vec!["table.set"],
            };
            let named = |name, inspection| Named { name, inspection };
            let [dehb, scheduler] = [named("dehb", &searcher), named(scheduler, &other)];
            let plan = &experiment.engine;
            let plugins = [named("digits", &trainable), dehb, scheduler];
            [
                check_budgets(&experiment, plan, dehb, scheduler),
                check_continuing(&experiment, plan, plugins),
            ]
            .map(|one| one.map(|one| format!("{}: {} | {}", one.line, one.message, one.hint)))
        };
        let no = "continue = false";
        assert_eq!(said("max_t = 9", no, "fifo"), [None, None]);
        assert_eq!(said("", no, "median-stopping"), [None, None]);
        let [budgets, _] = said("max_t = 9", no, "asha");
        let budgets = budgets.unwrap();
        assert!(budgets.contains("`dehb` says itself how long"), "{budgets}");
        assert!(budgets.contains("scheduler = \"fifo\""), "{budgets}");
        let [_, states] = said("max_t = 9", "continue = true", "fifo");
        let states = states.unwrap();
        assert!(states.starts_with("11: "), "{states}");
        assert!(states.contains("it uses table.set | write continue = false"));
        let [_, states] = said("max_t = 9", "", "fifo");
        assert!(states.unwrap().contains("use another searcher"));
    }

    #[test]
    fn what_makes_states_impossible_to_copy_is_named() {
        let mut trainable = trainable(&["lr", "hidden"]);
        trainable.snapshot = Snapshotable::No {
            constructs: vec!["table.set"],
        };
        let wrong = said("", &trainable, false);
        assert_eq!(wrong.len(), 1);
        assert!(wrong[0].contains("it uses table.set"), "{wrong:?}");
    }
}
