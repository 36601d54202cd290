//! What is said about a wrong file: where, what, and what would be right.

use crate::{HEAD, bad};

/// Appends to [`HEAD`] (6 lines) and expects the first error at a line and column, with parts of
/// its text and hint.
#[track_caller]
fn expect(rest: &str, place: (usize, usize), parts: &[&str]) {
    check(&format!("{HEAD}{rest}"), place, parts);
}

/// As [`expect`] with a line in `[space]`: line 8 of the file.
#[track_caller]
fn expect_space(lines: &str, place: (usize, usize), parts: &[&str]) {
    expect(&format!("[space]\n{lines}"), place, parts);
}

/// Replaces a line of [`HEAD`] that is followed by an empty space.
#[track_caller]
fn expect_head(from: &str, to: &str, place: (usize, usize), parts: &[&str]) {
    assert!(HEAD.contains(from));
    check(
        &format!("{}[space]\n", HEAD.replace(from, to)),
        place,
        parts,
    );
}

#[track_caller]
fn check(text: &str, place: (usize, usize), parts: &[&str]) {
    let error = bad(text);
    let first = &error.all[0];
    assert_eq!((first.line, first.column), place, "{error}");
    let shown = format!("{} | {}", first.message, first.hint);
    for part in parts {
        assert!(shown.contains(part), "`{part}` is missing in: {shown}");
    }
}

#[test]
fn top_level_keys() {
    expect(
        "trails = 5\n[space]",
        (7, 1),
        &["unknown key `trails`", "did you mean `trials`?"],
    );
    expect(
        "zzz = 5\n[space]",
        (7, 1),
        &["unknown key `zzz`", "known are version, name"],
    );
    expect(
        "slots = 0\n[space]",
        (7, 9),
        &["`slots` is 0", "1 to 100,000"],
    );
    expect(
        "slots = 100_001\n[space]",
        (7, 9),
        &["out of range", "1 to 100,000"],
    );
    expect(
        "slots = \"8\"\n[space]",
        (7, 9),
        &["`slots` is text, expected a whole number"],
    );
    expect(
        "slots = 8.0\n[space]",
        (7, 9),
        &["write 8, without a fraction"],
    );
    expect(
        "seed = -1\n[space]",
        (7, 8),
        &["`seed` is -1", "0 to 18,446,744,073,709,551,615"],
    );
    expect(
        "metering = \"fule\"\n[space]",
        (7, 12),
        &["\"fule\"", "did you mean \"fuel\"?", "epoch"],
    );
    expect(
        "order = \"random\"\n[space]",
        (7, 9),
        &["it is one of \"deterministic\", \"arrival\""],
    );
    expect(
        "strict = \"yes\"\n[space]",
        (7, 10),
        &["expected true or false"],
    );
    expect("max_failures = -1\n[space]", (7, 16), &["0 to 1,000"]);
    expect(
        "retry_seed = \"new\"\n[space]",
        (7, 14),
        &["\"same\", \"fresh\""],
    );
    expect(
        "outputs = [\"json\", \"tensorbord\"]\n[space]",
        (7, 20),
        &["did you mean \"tensorboard\"?"],
    );
    expect("outputs = \"json\"\n[space]", (7, 11), &["expected a list"]);
    expect("name = \"a b\"\n[space]", (7, 8), &["directory names"]);
    expect(
        "time_budget = \"2 weeks\"\n[space]",
        (7, 15),
        &["no duration", "\"10 min\""],
    );
    expect(
        "time_budget = 0\n[space]",
        (7, 15),
        &["out of range", "1 s to"],
    );
    expect("", (1, 1), &["`[space]` is missing", "loguniform"]);
    expect(
        "space = 3",
        (7, 9),
        &["`space` is a whole number, expected a table"],
    );
}

#[test]
fn missing_and_wrong_head() {
    expect_head(
        "version = 1\n",
        "",
        (1, 1),
        &["`version` is missing", "version = 1"],
    );
    expect_head(
        "version = 1",
        "version = 2",
        (1, 11),
        &["version 2", "reads version 1"],
    );
    expect_head(
        "version = 1",
        "version = \"1\"",
        (1, 11),
        &["expected a whole number"],
    );
    expect_head(
        "mode = \"max\"\n",
        "",
        (3, 1),
        &["`mode` is missing", "max"],
    );
    expect_head(
        "mode = \"max\"",
        "mode = \"maximize\"",
        (4, 8),
        &["`mode` is \"maximize\"", "\"max\", \"min\""],
    );
    expect_head(
        "metric = \"accuracy\"\n",
        "",
        (1, 1),
        &["`metric` is missing", "metric = "],
    );
    expect_head(
        "trainable = \"digits-mlp\"\n",
        "",
        (1, 1),
        &["`trainable` is missing"],
    );
    expect_head(
        "\"digits-mlp\"",
        "\"digits mlp\"",
        (2, 13),
        &["\"digits mlp\"", "path"],
    );
    expect_head(
        "trials = 10\n",
        "",
        (1, 1),
        &["`trials` is missing", "time_budget"],
    );
    expect_head(
        "trials = 10",
        "trials = 0",
        (5, 10),
        &["`trials` is 0", "1 to 10,000,000"],
    );
    expect_head("max_t = 81", "max_t = 0", (6, 9), &["above 0"]);
    expect_head("max_t = 81", "max_t = nan", (6, 9), &["NaN", "finite"]);
    expect_head("max_t = 81", "max_t = inf", (6, 9), &["inf", "finite"]);
    expect_head("\"accuracy\"", "\"\"", (3, 10), &["is empty"]);
    let long = format!("\"{}\"", "m".repeat(129));
    expect_head("\"accuracy\"", &long, (3, 10), &["129 bytes", "1 to 128"]);
}

#[test]
fn syntax() {
    expect("slots = \n[space]", (7, 9), &["TOML syntax"]);
    expect(
        "slots = 8\nslots = 9\n[space]",
        (8, 1),
        &["TOML syntax: duplicate key"],
    );
    expect(
        "seed = 99999999999999999999999999999999999999999\n[space]",
        (7, 8),
        &["too large"],
    );
    expect(
        "max_failures = 1979-05-27\n[space]",
        (7, 16),
        &["a date or time"],
    );
    let error = bad("a = \nb = ]\n");
    assert!(error.all.len() >= 2, "all syntax errors at once: {error}");
}

#[test]
fn wall_clock_axes_and_metrics() {
    for metric in ["time_total_s", "time_this_iter_s", "timestamp"] {
        let text = format!("time_attr = \"{metric}\"\n[space]");
        expect(&text, (7, 13), &[metric, "deterministic", "fuel_total"]);
    }
    expect(
        "order = \"arrival\"\ntime_attr = \"time_total_s\"\n[space]",
        (8, 13),
        &["for people only", "fuel_total"],
    );
    expect_head(
        "\"accuracy\"",
        "\"time_total_s\"",
        (3, 10),
        &["clock of this machine"],
    );
    expect(
        "[space]\n[stop]\ntime_total_s = 60",
        (9, 16),
        &["stop rule", "fuel_total"],
    );
    expect(
        "metering = \"epoch\"\ntime_attr = \"fuel_total\"\n[space]",
        (8, 13),
        &["needs fuel to be counted", "metering = \"fuel\""],
    );
    expect(
        "[space]\n[scheduler]\nplugin = \"asha\"\nmax_t = 100",
        (10, 9),
        &["differs", "81", "remove it from [scheduler]"],
    );
    expect(
        "time_attr = \"a\"\n[space]\n[scheduler]\nplugin = \"asha\"\ntime_attr = \"b\"",
        (11, 13),
        &["differs from the experiment's `time_attr`, which is a"],
    );
}

#[test]
fn stop_rules() {
    expect(
        "[space]\n[stop]\ntraining_iteration = 50",
        (9, 22),
        &["before max_t = 81", "max_t = 50"],
    );
    expect(
        "[space]\n[stop]\ntraining_iteration = { at_most = 100 }",
        (9, 34),
        &["ends a trial at once"],
    );
    expect("[space]\n[stop]\naccuracy = nan", (9, 12), &["finite"]);
    expect(
        "[space]\n[stop]\naccuracy = \"high\"",
        (9, 12),
        &["expected a threshold", "at_least"],
    );
    expect(
        "[space]\n[stop]\naccuracy = { atleast = 1 }",
        (9, 14),
        &["unknown key `atleast`", "`at_least`"],
    );
    expect(
        "[space]\n[stop]\ntrial_plateau = 1",
        (9, 17),
        &["expected true or a table", "num_results"],
    );
    expect(
        "[space]\n[stop]\ntrial_plateau = { num_result = 5 }",
        (9, 19),
        &["unknown key `num_result`", "`num_results`"],
    );
    expect(
        "[space]\n[stop]\ntrial_plateau = { std = -1 }",
        (9, 25),
        &["is -1", "0 or more"],
    );
    expect(
        "[space]\n[stop]\ntrial_plateau = { at_least = 0, at_most = 1 }",
        (9, 33),
        &["both `at_least` and `at_most`"],
    );
    expect(
        "[space]\n[stop]\ntrial_plateau = { metric = \"time_total_s\" }",
        (9, 28),
        &["stop rule: `time_total_s`", "clock of this machine"],
    );
    expect(
        "[space]\n[stop]\nexperiment_plateau = { top = 1 }",
        (9, 30),
        &["out of range", "2 to 10,000"],
    );
    expect(
        "[space]\n[stop]\nregret = 0",
        (9, 10),
        &["`stop.regret` is 0", "above 0"],
    );
    expect(
        "[space]\n[stop]\nregret = true",
        (9, 10),
        &["stop.regret", "expected a number"],
    );
    expect("stop = 3\n[space]", (7, 8), &["expected a table"]);
}

#[test]
fn objectives_and_constraints() {
    expect("objectives = []\n[space]", (7, 14), &["has 0 entries"]);
    expect(
        "objectives = [{ metric = \"loss\" }]\n[space]",
        (7, 15),
        &["`mode` is missing"],
    );
    expect(
        "objectives = [{ metric = \"loss\", mode = \"min\" }]\n[space]",
        (3, 10),
        &["none of the objectives"],
    );
    expect(
        "objectives = [{ metric = \"accuracy\", mode = \"min\" }]\n[space]",
        (4, 8),
        &["`mode` differs"],
    );
    expect(
        "constraints = [{ metric = \"loss\" }]\n[space]",
        (7, 16),
        &["has no bound"],
    );
    expect(
        "constraints = [{ metric = \"a\", at_least = 2, at_most = 1 }]\n[space]",
        (7, 16),
        &["at least 2 and at most 1"],
    );
    let head = HEAD.replace("metric = \"accuracy\"\nmode = \"max\"\n", "");
    let two =
        "objectives = [{ metric = \"a\", mode = \"max\" }, { metric = \"b\", mode = \"min\" }]";
    check(
        &format!("{head}{two}\n[space]\n[scheduler]\nplugin = \"asha\""),
        (7, 2),
        &["one metric", "metric = "],
    );
    crate::good(&format!("{head}{two}\n[space]"));
}

#[test]
fn samplers() {
    expect_space(
        "p = { uniform = [1, 0] }",
        (8, 17),
        &["low 1 is above high 0", "swap them: [0, 1]"],
    );
    expect_space("p = { uniform = [1, 1] }", (8, 17), &["both 1", "constant"]);
    expect_space(
        "p = { uniform = [0] }",
        (8, 17),
        &["has 1 numbers", "uniform = [low, high]"],
    );
    expect_space(
        "p = { uniform = [0, \"1\"] }",
        (8, 21),
        &["`space.p.uniform[1]` is text, expected a number"],
    );
    expect_space("p = { uniform = [0, nan] }", (8, 21), &["NaN", "finite"]);
    expect_space(
        "p = { uniform = 3 }",
        (8, 17),
        &["expected a list", "uniform = [low, high]"],
    );
    expect_space(
        "p = { loguniform = [0, 1] }",
        (8, 20),
        &["log range with low 0", "above 0"],
    );
    expect_space(
        "p = { lograndint = [0, 10] }",
        (8, 20),
        &["log range with low 0"],
    );
    expect_space(
        "p = { quniform = [0, 1, 2] }",
        (8, 18),
        &["step 2 is wider than the range 0 to 1"],
    );
    expect_space(
        "p = { quniform = [0, 1, 0.3] }",
        (8, 22),
        &["1 is no multiple of q = 0.3", "use 0.9 or 1.2"],
    );
    expect_space(
        "p = { quniform = [0, 1, 0] }",
        (8, 18),
        &["q is 0", "above 0"],
    );
    expect_space("p = { quniform = [0, 1e9, 1e-9] }", (8, 18), &["too small"]);
    expect_space(
        "p = { randint = [5, 5] }",
        (8, 17),
        &["is empty", "left out", "write 5", "[5, 6]"],
    );
    expect_space(
        "p = { randint = [6, 5] }",
        (8, 17),
        &["low 6 is above high 5"],
    );
    expect_space(
        "p = { randint = [0, 2.5] }",
        (8, 21),
        &["expected a whole number"],
    );
    expect_space(
        "p = { randint = [0, 2.0] }",
        (8, 21),
        &["write 2, without a fraction"],
    );
    expect_space(
        "p = { qrandint = [11, 18, 5] }\nq = { qrandint = [11, 14, 5] }",
        (9, 18),
        &["wider"],
    );
    expect_space(
        "p = { qrandint = [11, 18, 9] }",
        (8, 18),
        &["wider than the range 11 to 18"],
    );
    expect_space(
        "p = { randn = [0, 0] }",
        (8, 15),
        &["standard deviation is 0", "above 0"],
    );
    expect_space("p = { qrandn = [0, 1] }", (8, 16), &["has 2 numbers"]);
    expect_space(
        "p = { choice = [] }",
        (8, 16),
        &["`space.p.choice` is empty", "at least one"],
    );
    expect_space("p = { grid = [] }", (8, 14), &["is empty"]);
    expect_space(
        "p = { choice = [1, 2, 1] }",
        (8, 23),
        &["is 1, which stands in the list before"],
    );
    expect_space(
        "p = { choice = [0.0, -0.0] }",
        (8, 22),
        &["stands in the list before"],
    );
    expect_space("p = { choice = [nan] }", (8, 17), &["finite"]);
    expect_space(
        "p = { choice = [1979-05-27] }",
        (8, 17),
        &["a date", "in quotes"],
    );
    expect_space(
        "p = { choice = [{ uniform = [0, 1] }] }",
        (8, 17),
        &["holds the sampler `uniform`", "when"],
    );
    expect_space(
        "p = { uniform = [0, 1], randint = [0, 1] }",
        (8, 1),
        &["two samplers"],
    );
    expect_space(
        "p = { uniform = [0, 1], q = 3 }",
        (8, 25),
        &["unknown key `q` in `space.p`"],
    );
    expect_space(
        "p = { unifrom = [0, 1] }",
        (8, 7),
        &["unknown sampler `unifrom`", "`uniform`"],
    );
    expect_space(
        "p = { unifrom = [0, 1], when = { o = 1 } }",
        (8, 7),
        &["unknown sampler", "`uniform`"],
    );
    expect_space(
        "p = { low = 0, high = 1 }",
        (8, 5),
        &["no sampler", "uniform = [low, high]"],
    );
    expect_space(
        "p = { x = 1, when = { o = 1 } }",
        (8, 14),
        &["a condition but no sampler"],
    );
    expect_space("p = {}", (8, 5), &["empty table"]);
}

#[test]
fn names_of_parameters() {
    expect_space(
        "\"a b\" = 1",
        (8, 1),
        &["no name of a parameter", "letters"],
    );
    expect_space("\"a..b\" = 1", (8, 1), &["no name of a parameter"]);
    expect_space("\"\" = 1", (8, 1), &["no name of a parameter"]);
    expect_space(
        "a.b = 1\n\"a.b\" = 2",
        (9, 1),
        &["`a.b` stands in the space twice"],
    );
    expect_space(&format!("{} = 1", "n".repeat(129)), (8, 1), &["129 bytes"]);
    expect_space(
        &format!("{} = 1", "n".repeat(257)),
        (8, 1),
        &["257 bytes in a key"],
    );
    let many: String = (0..1025).map(|i| format!("p{i} = 1\n")).collect();
    expect_space(&many, (7, 2), &["1025 entries", "at most 1024"]);
    let deep = format!("a = {}1{}", "{ x = ".repeat(17), " }".repeat(17));
    expect_space(&deep, (8, 95), &["nested deeper than 16"]);
}

#[test]
fn conditions() {
    let child = |when: &str| {
        format!(
            "c = {{ uniform = [0, 1], when = {when} }}\no = {{ choice = [\"sgd\", \"adam\"] }}\nm.o = {{ choice = [1, 2] }}\nr = {{ uniform = [0, 1] }}\nd = {{ derived = \"r * 2\" }}\ni = {{ randint = [1, 5] }}"
        )
    };
    let space = |when: &str, column: usize, parts: &[&str]| {
        expect_space(&child(when), (8, column), parts);
    };
    space(
        "{ oo = [1] }",
        34,
        &["`oo`, which is no parameter", "did you mean `o`?"],
    );
    space("{ q.zzzz = [1] }", 36, &["`q.zzzz`", "written in full"]);
    space("{ c = [1] }", 34, &["`c` depends on itself"]);
    space(
        "{ o = [\"sdg\"] }",
        39,
        &["`o` is never sdg", "one of sgd, adam"],
    );
    space("{ o = [] }", 38, &["never be active"]);
    space("{ i = [5] }", 39, &["`i` is never 5", "1 to 4"]);
    space(
        "{ r = [0.5] }",
        39,
        &["a condition on `r`", "only a choice"],
    );
    space("{ d = [1] }", 34, &["which is computed"]);
    space("{}", 32, &["has 0 conditions"]);
    space("3", 32, &["expected a table"]);
    crate::with_space(&child("{ o = \"sgd\", m.o = [1], i = 4 }"));
    expect_space(
        "a = { choice = [1], when = { b = [1] } }
b = { choice = [1], when = { c = [1] } }
c = { choice = [1], when = { b = [1] } }",
        (9, 21),
        &["in a circle: b depends on c depends on b"],
    );
}

#[test]
fn a_relative_parent_is_suggested_in_full() {
    expect_space(
        "[space.model]\nkind = { choice = [\"a\"] }\nx = { uniform = [0, 1], when = { kind = [\"a\"] } }",
        (10, 34),
        &[
            "`kind`, which is no parameter",
            "did you mean `model.kind`?",
        ],
    );
}

#[test]
fn derived_values() {
    expect_space(
        "a = { derived = \"b * 2\" }",
        (8, 18),
        &["reads `b`, which is not in [space]"],
    );
    expect_space(
        "batch = 1\na = { derived = \"2 * bacth\" }",
        (9, 22),
        &["did you mean `batch`?"],
    );
    expect_space(
        "a = { derived = \"2 *\" }",
        (8, 21),
        &["expression of `a`", "missing at the end"],
    );
    expect_space("a = { derived = 2 }", (8, 17), &["expected text"]);
    expect_space(
        "o = \"sgd\"\na = { derived = \"o + 1\" }",
        (9, 17),
        &["reads `o`, which can be sgd"],
    );
    expect_space(
        "o = { choice = [1, \"x\"] }\na = { derived = \"o + 1\" }",
        (9, 17),
        &["which can be x"],
    );
    expect_space(
        "a = { derived = \"b\" }\nb = { derived = \"a\" }",
        (8, 5),
        &["circle: a reads b reads a"],
    );
    expect_space(
        "a = { derived = \"a + 1\" }",
        (8, 5),
        &["circle: a reads a"],
    );
    expect_space(
        "a = { derived = \"1\", when = { b = 1 } }",
        (8, 22),
        &["unknown key `when`"],
    );
    let long = format!("a = {{ derived = \"{}1\" }}", "1 + ".repeat(300));
    expect_space(&long, (8, 18), &["longer than 1024"]);
}

#[test]
fn points_to_evaluate() {
    let space = "[space]\nlr = { uniform = [0, 1] }\no = { choice = [\"a\", \"b\"] }\nm = { uniform = [0, 1], when = { o = \"a\" } }\nk = 3\nd = { derived = \"k\" }\nn = { uniform = [0, 1], when = { k = 4 } }";
    let points = |points: &str, column: usize, parts: &[&str]| {
        expect(
            &format!("points_to_evaluate = {points}\n{space}"),
            (7, column),
            parts,
        );
    };
    points(
        "[{ lr = 2 }]",
        30,
        &["`lr = 2` is outside the space", "a real number from 0 to 1"],
    );
    points(
        "[{ o = \"c\" }]",
        29,
        &["`o = c` is outside", "one of a, b"],
    );
    points(
        "[{ lx = 1 }]",
        25,
        &["`lx` is not in [space]", "did you mean `lr`?"],
    );
    points("[{ k = 4 }]", 29, &["the constant 3"]);
    points("[{ d = 4 }]", 25, &["is computed"]);
    points("[{ n = 0.5 }]", 25, &["never active"]);
    points("[{ m = 0.5, o = \"b\" }]", 25, &["`m`", "not active"]);
    points("[{ lr = nan }]", 30, &["finite"]);
    points("[3]", 23, &["expected a table"]);
    points("{ lr = 1 }", 22, &["expected a list"]);
    let many = format!("[{}]", ["{}"; 11].join(","));
    points(&many, 22, &["11 points", "only 10 trials"]);
}

#[test]
fn plugins() {
    expect(
        "[space]\n[searcher]\nn = 1",
        (8, 2),
        &["[searcher] has no `plugin`", "auto"],
    );
    expect(
        "[space]\n[searcher]\nplugin = 1",
        (9, 10),
        &["expected text"],
    );
    expect(
        "[space]\n[searcher]\nplugin = \"a b\"",
        (9, 10),
        &["\"a b\"", "ends in .wasm"],
    );
    expect(
        "[space]\n[searcher]\nplugin = \"a\"\npath = \"b\"",
        (8, 2),
        &["both `plugin` and `path`"],
    );
    expect(
        "[space]\n[searcher]\nplugin = \"a\"\ninner = {}",
        (10, 1),
        &["not in this version: `searcher.inner`"],
    );
    expect(
        "[space]\n[searcher.inner]\nplugin = \"a\"",
        (8, 2),
        &["no `plugin`"],
    );
}

#[test]
fn snapshots() {
    let at = |line: &str, column: usize, parts: &[&str]| {
        expect(&format!("[space]\n[snapshots]\n{line}"), (9, column), parts);
    };
    at(
        "intervall = 1",
        1,
        &[
            "unknown key `intervall` in `snapshots`",
            "did you mean `interval`?",
        ],
    );
    at("keep = 0", 8, &["`snapshots.keep` is 0", "1 to 10,000"]);
    at("keep_best = -1", 13, &["0 to 10,000"]);
    at("keep = true", 8, &["expected a whole number"]);
    at("interval = 0", 12, &["1 to 1,000,000,000"]);
    at("interval = \"5 min\"", 12, &["expected a whole number"]);
    at("at_end = 1", 10, &["expected true or false"]);
    at(
        "max_overhead = 5",
        16,
        &["is 5, out of range", "0.05 is 5 %"],
    );
    at("max_overhead = nan", 16, &["expected a finite number"]);
    at("max_overhead = -0.1", 16, &["out of range"]);
    at("disk = \"1 GB\"", 8, &["no size", "GiB"]);
    at("disk = 10", 8, &["1 MiB to 1024 TiB"]);
    expect(
        "[space]\n[snapshots]\nmax_overhead = 0\ninterval = 5",
        (10, 1),
        &["`snapshots.interval` with max_overhead = 0", "remove one"],
    );
    expect("snapshots = 3\n[space]", (7, 13), &["expected a table"]);
}

#[test]
fn lineages() {
    let at = |line: &str, column: usize, parts: &[&str]| {
        let head = "[space]\n[scheduler]\nplugin = \"pbt-replay\"\n";
        let text = HEAD.replace("trials = 10\n", "");
        check(&format!("{text}{head}{line}"), (9, column), parts);
    };
    at("lineage = 3", 11, &["expected a table", "trial = 3 }"]);
    at("lineage = {}", 1, &["`scheduler.lineage` has no `run`"]);
    at("lineage = { run = \"a\" }", 1, &["has no `trial`"]);
    at(
        "lineage = { run = \"\", trial = 1 }",
        19,
        &["no name or directory", "tune-host runs"],
    );
    at("lineage = { run = \"a\", trial = -1 }", 32, &["0 to"]);
    at(
        "lineage = { run = \"a\", trial = 1, trail = 1 }",
        35,
        &["unknown key `trail`", "did you mean `trial`?"],
    );
    let lineage = "[scheduler]\nplugin = \"x\"\nlineage = { run = \"a\", trial = 1 }\n";
    expect(
        &format!("[space]\n{lineage}"),
        (5, 10),
        &["a lineage is one trial", "trials = 1"],
    );
    let text = HEAD.replace("trials = 10\n", "");
    check(
        &format!("{text}points_to_evaluate = []\n[space]\n{lineage}"),
        (6, 1),
        &["`points_to_evaluate` with a lineage"],
    );
    expect(
        "[space]\n[searcher]\nplugin = \"a\"\nlineage = {}",
        (10, 1),
        &["`searcher.lineage` belongs to the scheduler"],
    );
}

#[test]
fn limits() {
    expect(
        "[space]\n[limits]\nmemory = \"256 MB\"",
        (9, 10),
        &["no size", "MiB"],
    );
    expect(
        "[space]\n[limits]\nmemory = \"8 GiB\"",
        (9, 10),
        &["8 GiB, out of range", "64 KiB to 4 GiB"],
    );
    expect(
        "[space]\n[limits]\nmemory = \"1 GiB\"\nrun_memory = \"512 MiB\"",
        (10, 14),
        &["less than one trial"],
    );
    expect(
        "[space]\n[limits]\nfuel_per_step = 1e9",
        (9, 17),
        &["write 1000000000, without a fraction"],
    );
    expect(
        "[space]\n[limits]\nfuel_per_step = 1",
        (9, 17),
        &["out of range", "1,000 to"],
    );
    expect(
        "[space]\n[limits]\nwall_per_step = \"ten\"",
        (9, 17),
        &["no duration"],
    );
    expect(
        "[space]\n[limits]\nfuel_per_stop = 1",
        (9, 1),
        &["unknown key", "`fuel_per_step`"],
    );
    expect(
        "[space]\nmuch_longer = 1\n[limits]\nname_bytes = 10",
        (8, 1),
        &["11 bytes", "1 to 10"],
    );
    expect(
        "[space]\na = 1\nb = 1\n[limits]\nparameters = 1",
        (7, 2),
        &["2 entries", "at most 1"],
    );
    let long = format!(
        "[space]\na = \"{}\"\n[limits]\ntext_bytes = 64",
        "x".repeat(65)
    );
    expect(&long, (8, 5), &["65 bytes", "at most 64"]);
}

#[test]
fn limits_of_the_searcher_and_the_scheduler() {
    let of = |role: &str, limits: &str| format!("[space]\n[{role}]\nplugin = \"a\"\n{limits}");
    expect(
        &of("searcher", "limits = 1"),
        (10, 10),
        &[
            "`searcher.limits` is",
            "expected a table",
            "[searcher.limits]",
        ],
    );
    expect(
        &of("searcher", "limits = { fuel_per_cal = 1 }"),
        (10, 12),
        &[
            "unknown key `fuel_per_cal` in `searcher.limits`",
            "did you mean `fuel_per_call`?",
        ],
    );
    expect(
        &of("scheduler", "[scheduler.limits]\nmemory = \"8 GiB\""),
        (11, 10),
        &[
            "`scheduler.limits.memory`",
            "8 GiB, out of range",
            "64 KiB to 4 GiB",
        ],
    );
    expect(
        &of("searcher", "limits = { suggestion_bytes = 63 }"),
        (10, 31),
        &["out of range", "64 B to 1 GiB"],
    );
    // What bounds trials, the host or the other one stands elsewhere.
    for (role, key) in [
        ("searcher", "fuel_per_step"),
        ("searcher", "run_memory"),
        ("searcher", "actions"),
        ("scheduler", "wall_per_trial"),
        ("scheduler", "artifact_bytes"),
        ("scheduler", "run_disk"),
        ("scheduler", "metrics"),
    ] {
        expect(
            &of(role, &format!("[{role}.limits]\n{key} = 1")),
            (11, 1),
            &[&format!("`{key}` bounds no {role}"), "move it to [limits]"],
        );
    }
}

#[test]
fn data_grants_and_resources() {
    expect(
        "[space]\n[[data]]\nname = \"a\"",
        (8, 1),
        &["needs a name and a path"],
    );
    expect(
        "[space]\n[[data]]\nname = \"a\"\npath = \"\"",
        (10, 8),
        &["no path"],
    );
    expect(
        "[space]\n[[data]]\nname = \"a\"\npath = \"x\"\n[[data]]\nname = \"a\"\npath = \"y\"",
        (12, 8),
        &["two data sets are named `a`"],
    );
    expect(
        "[space]\n[data]\nname = \"a\"\npath = \"x\"",
        (8, 1),
        &["expected a list", "[[data]]"],
    );
    expect(
        "[space]\n[grants]\nartefact = true",
        (9, 1),
        &["did you mean `artifact`?"],
    );
    expect(
        "[space]\n[grants]\nvirtual_cost = true",
        (9, 1),
        &["did you mean `virtual-cost`?"],
    );
    expect(
        "[space]\n[grants]\nartifact = 1",
        (9, 12),
        &["expected true or false"],
    );
    expect("[space]\n[grants]\ndata = true", (9, 1), &["[[data]]"]);
    expect(
        "[space]\n[grants]\ndirectory = true",
        (9, 13),
        &["expected a directory", "directory = \"some/dir\""],
    );
    expect("[space]\n[grants]\ndirectory = \"\"", (9, 13), &["no path"]);
    for name in [".", "..", "a/b", "", "a b", ".hidden"] {
        expect(
            &format!("[space]\n[grants]\ndirectory = {{ {name:?} = \"x\" }}"),
            (9, 15),
            &["cannot name a directory", "letters, digits"],
        );
    }
    expect(
        "[space]\n[grants]\nworkers = 2",
        (9, 11),
        &["true or false"],
    );
    expect(
        "[space]\n[resources]\nthreads = 0",
        (9, 11),
        &["1 to 4,096"],
    );
    expect(
        "[space]\n[resources]\ngpu = 1",
        (9, 7),
        &["none is granted", "gpu = true"],
    );
    expect(
        "[space]\n[grants]\ngpu = true\n[resources]\ngpu = 2",
        (11, 7),
        &["0.01 to 1 GPU"],
    );
}

#[test]
fn all_errors_of_a_file_are_found_at_once_in_its_order() {
    let error = bad("version = 1
trainabel = \"x\"
metric = \"m\"
mode = \"maximum\"
slots = 0
[space]
a = { uniform = [1, 0] }
b = { choice = [] }
");
    let lines: Vec<_> = error.all.iter().map(|d| (d.line, d.key.as_str())).collect();
    assert_eq!(
        lines,
        [
            (1, ""),
            (1, ""),
            (2, "trainabel"),
            (4, "mode"),
            (5, "slots"),
            (7, "space.a.uniform"),
            (8, "space.b.choice"),
        ],
        "{error}"
    );
}

#[test]
fn an_error_is_shown_with_its_line_a_caret_and_a_hint() {
    let error = bad(&format!("{HEAD}slots = \"ä\"  # comment\n[space]\n"));
    assert_eq!(
        error.to_string(),
        "dir/file.toml:7:9: `slots` is text, expected a whole number
  7 | slots = \"ä\"  # comment
    |         ^
  hint: a number from 1 to 100,000"
    );
}

#[test]
fn columns_count_characters_and_long_lines_are_cut() {
    let error = bad(&format!("{HEAD}outputs = [\"äöü\", \"x\"]\n[space]\n"));
    let columns: Vec<_> = error.all.iter().map(|d| d.column).collect();
    assert_eq!(columns, [12, 19]);
    let error = bad(&format!(
        "{HEAD}outputs = [{}\"x\"]\n[space]\n",
        "\"csv\", ".repeat(500)
    ));
    let shown = error.to_string();
    assert!(shown.lines().all(|line| line.len() < 200), "{shown}");
    let caret = shown
        .lines()
        .find(|l| l.trim_end().ends_with('^'))
        .unwrap()
        .find('^')
        .unwrap();
    let source = shown.lines().nth(1).unwrap();
    assert!(source[caret..].starts_with("\"x\""), "{shown}");
}

#[test]
fn control_characters_never_reach_the_terminal() {
    let error = bad(&format!("{HEAD}order = \"\\u001b[31m\"\n[space]\n"));
    assert!(!error.to_string().contains('\u{1b}'), "{error}");
}

#[test]
fn no_more_than_fifty_errors_are_shown() {
    let many: String = (0..80).map(|i| format!("zzz{i} = 1\n")).collect();
    let error = bad(&format!("{HEAD}{many}[space]\n"));
    assert_eq!(error.all.len(), 50);
    assert!(error.to_string().contains("30 more errors"), "{error}");
}

#[test]
fn a_huge_file_is_refused_unread() {
    let error = bad(&"#".repeat((1 << 20) + 1));
    assert!(error.to_string().contains("1048577 bytes"), "{error}");
}

#[test]
fn warm_start() {
    let at = |line: &str, column: usize, parts: &[&str]| {
        expect(
            &format!("[space]\n[searcher.warm_start]\n{line}"),
            (9, column),
            parts,
        );
    };
    at("runs = \"a\"", 8, &["expected a list"]);
    at("runs = []", 8, &["0 elements", "1 to 64"]);
    at("runs = [1]", 9, &["expected text"]);
    at(
        "runs = [\"\"]",
        9,
        &["not the name or the directory of a run"],
    );
    at("runs = [\"a\", \"a\"]", 14, &["`a` stands there twice"]);
    at("csv = [\"a\\u0007\"]", 8, &["not a path to a CSV file"]);
    at(
        "run = [\"a\"]",
        1,
        &["unknown key `run`", "did you mean `runs`?"],
    );
    expect(
        "[space]\n[searcher.warm_start]",
        (8, 11),
        &["names no results"],
    );
    expect(
        "[space]\n[searcher]\nwarm_start = true",
        (9, 14),
        &["expected a table"],
    );
    expect(
        "[space]\n[scheduler]\nplugin = \"asha\"\n[scheduler.warm_start]\nruns = [\"a\"]",
        (10, 12),
        &["belongs to the searcher"],
    );
}
