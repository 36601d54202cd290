//! `[searcher.warm_start]`: a search that begins with the results of other runs and of files.

use std::fs;

use crate::{crash, dice::Dice, experiment::Experiment, lab::Finished, lab::Lab, outcome::Outcome};

const TPE: &str = "[searcher]\nplugin = \"tpe\"";

/// Branin's function after other results.
fn after(sources: &str, trials: u32) -> Experiment {
    Experiment::branin(trials)
        .named("after")
        .table(TPE)
        .table(&format!("[searcher.warm_start]\n{sources}"))
}

fn best(lab: &Lab, run: &str) -> f64 {
    lab.show(run)["best"]["value"].as_f64().unwrap()
}

/// Branin's function at the points of a grid, as a table.
#[expect(
    clippy::disallowed_methods,
    reason = "a result from elsewhere; no other number is compared with it"
)]
fn grid() -> String {
    let mut text = "x0,x1,seconds,value\n".to_owned();
    for (i, j) in (0..7).flat_map(|i| (0..7).map(move |j| (i, j))) {
        let (x, y) = (-5.0 + 2.5 * f64::from(i), 2.5 * f64::from(j));
        let bend = y - 5.1 * x * x / 39.478_417_604_357_43 + 5.0 * x / std::f64::consts::PI - 6.0;
        let value = bend * bend + 10.0 * (1.0 - 1.0 / 25.132_741_228_718_345) * x.cos() + 10.0;
        text.push_str(&format!("{x},{y},1,{value}\n"));
    }
    text
}

#[test]
fn a_search_begins_with_what_an_earlier_run_found() {
    let lab = Lab::new();
    lab.run(&Experiment::branin(40).table(TPE), &[]).exits(0);
    lab.run(&after("runs = [\"branin\"]", 10), &[])
        .exits(0)
        .says(&["warm start: all 40 results of branin are used"]);
    // With 40 results tpe knows where to look; ten draws at random are this good once in a hundred
    // times.
    assert!(best(&lab, "after") < 5.0, "{}", best(&lab, "after"));
    lab.tune(&["replay", "after"]).exits(0);
    // Its own few results would not do: those that it was told are handed on.
    lab.run(&after("runs = [\"branin\"]", 1), &["--name", "little"])
        .exits(0);
    fs::remove_dir_all(lab.path("runs/branin")).unwrap();
    let fork = ["fork", "little", "--search", "--trials", "10"];
    lab.tune(&fork).exits(0);
    assert!(best(&lab, "little-fork") < 5.0);
}

#[test]
fn results_from_elsewhere_are_read_from_a_table() {
    let lab = Lab::new();
    lab.write("tables/grid.csv", grid());
    lab.run(&after("csv = [\"tables/grid.csv\"]", 10), &[])
        .exits(0)
        .says(&[
            "all 49 results of tables/grid.csv are used",
            "not looked at: `seconds`",
        ]);
    assert!(best(&lab, "after") < 5.0, "{}", best(&lab, "after"));
    // Other results, another run: they belong to the digest.
    lab.write("tables/grid.csv", grid().replace("-5,0,1,", "-5,0,1,1"));
    let file = "after.toml";
    lab.tune(&["run", file, "--name", "other"]).exits(0);
    assert_ne!(lab.digest("after"), lab.digest("other"));
}

#[test]
fn what_fits_another_space_is_used_and_the_rest_is_listed() {
    let lab = Lab::new();
    lab.run(&Experiment::branin(30), &[]).exits(0);
    let shown = lab.show("branin");
    let trials = shown["trials"].as_array().unwrap();
    let inside = trials
        .iter()
        .filter(|t| t["config"]["x0"].as_f64().unwrap() >= 0.0);
    let inside = inside.count();
    assert!((5..25).contains(&inside), "{inside}");
    let half = after("runs = [\"branin\"]", 3)
        .no_space()
        .space("x0 = { uniform = [0.0, 10.0] }\nx1 = { uniform = [0.0, 15.0] }");
    let said = lab.run(&half, &[]).exits(0).says(&[
        &format!("{inside} of 30 results of branin are used"),
        "trial ",
        "`x0` = -",
        "outside the space: it is a real number from 0 to 10",
        &format!("and {} more", 30 - inside - 5),
    ]);
    assert_eq!(
        said.stderr.matches("outside the space").count(),
        5,
        "{said}"
    );
    // Nothing fits: the run says so, and goes on without.
    let other = after("runs = [\"branin\"]", 3)
        .no_space()
        .space("x0 = { uniform = [0.0, 10.0] }\nx1 = 2.5");
    lab.run(&other, &["--name", "nothing"]).exits(0).says(&[
        "warning: warm start: 0 of 30",
        "here it is the constant 2.5",
    ]);
}

#[test]
fn a_searcher_that_does_not_learn_is_warned_of() {
    let lab = Lab::new();
    lab.write("grid.csv", grid());
    let random = after("csv = [\"grid.csv\"]", 2).table("[searcher]\nplugin = \"random\"");
    lab.run(&random, &[])
        .exits(0)
        .says(&["warning: `random` does not learn", "hint"]);
}

#[test]
fn bad_sources_are_named_where_the_file_names_them() {
    let lab = Lab::new();
    lab.run(&Experiment::branin(2), &[]).exits(0);
    lab.write("empty.csv", "");
    lab.write("strange.csv", "x0,x1,loss\n1,2,3\n");
    lab.write("torn.csv", "x0,x1,value\n1,2\n1,2,3\n\"1,2,3\n1,x,3\n");
    fs::create_dir(lab.path("folder")).unwrap();
    let refused = |sources: &str| -> Finished {
        let said = lab.run(&after(sources, 2), &[]).exits(2);
        said.says(&["after.toml:"])
    };
    refused("runs = [\"brannin\"]").says(&["no run `brannin`", "did you mean branin?"]);
    refused("runs = [\"folder\"]").says(&["folder"]);
    refused("csv = [\"none.csv\"]").says(&["none.csv", "cannot be read"]);
    refused("csv = [\"folder\"]").says(&["it is no file"]);
    refused("csv = [\"empty.csv\"]").says(&["it is empty"]);
    refused("csv = [\"strange.csv\"]").says(&["no column is named `value`"]);
    assert!(!lab.path("runs/after").exists());
    lab.run(&after("csv = [\"torn.csv\"]", 2), &[])
        .exits(0)
        .says(&[
            "1 of 4 results",
            "line 2: a row of 2 cells",
            "line 4: a quote",
            "line 5: `x1` = x",
        ]);
}

#[test]
fn a_killed_run_goes_on_as_if_it_had_not_been_without_the_run_that_it_was_told_of() {
    let lab = Lab::new();
    let mut dice = Dice::of("warm start");
    let asha = "plugin = \"asha\"\ngrace_period = 1\nreduction_factor = 3";
    let experiment = crash::experiment(asha);
    lab.run(&experiment, &[]).exits(0);
    let warm = crash::experiment(asha)
        .named("warm")
        .top("seed = 8")
        .table("[searcher.warm_start]\nruns = [\"exp\"]");
    lab.run(&warm, &["--name", "whole"]).exits(0);
    let lines = 3 + dice.below(12);
    let mut process = lab.start(&["run", "warm.toml", "--name", "killed"]);
    let heard = process.lines();
    process.until(|| heard.get() >= lines);
    let ended = process.kill();
    assert_eq!(ended.code, None, "{ended}");
    fs::remove_dir_all(lab.path("runs/exp")).unwrap();
    lab.tune(&["resume", "killed"]).exits(0);
    Outcome::of(&lab, "killed").must_equal(&Outcome::of(&lab, "whole"));
}
