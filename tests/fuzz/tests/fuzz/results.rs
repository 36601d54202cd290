//! Files of results from elsewhere, `[searcher.warm_start] csv`: what other tools and people write.

use std::collections::BTreeSet;

use tune_core::records::Space;
use tune_experiment::{Fitting, Results, parse};
use tune_fuzz::{Outcome, Target, words};

/// Every kind of parameter, conditions, a constant and two metrics.
const PLAN: &str = r#"
version = 1
trainable = "t"
metric = "loss"
mode = "min"
trials = 1
constraints = [{ metric = "bytes", at_most = 10 }]
[space]
model.lr = { loguniform = [1e-4, 1] }
kind = { choice = ["a", "b,c", 3, true, [1, 2]] }
n = { randint = [1, 9], when = { kind = ["a"] } }
step = { quniform = [0, 1, 0.25] }
batch = 32
twice = { derived = "batch * 2" }
"#;

const FILES: [&str; 3] = [
    "kind,model.lr,n,step,loss,bytes,status,seconds\na,0.5,3,0.25,0.75,9,COMPLETE,1\n\
     \"b,c\",1e-3,,1,nan,11,pruned,2\n\na,1,9,0,,,failed,3\r\n\"[1,2]\",0.1,,0.5,-inf,1,,4\n",
    "loss\n1\n2\n",
    "\"kind\",\"loss\",batch,twice\n\"a\"\"b\",1,32,64\ntrue,1e309,31,64\n3,-0,32,62\n",
];

const CELLS: [&str; 16] = [
    "",
    "nan",
    "inf",
    "-inf",
    "1e309",
    "-0",
    "0x1",
    "1_0",
    "\"",
    "\"\"",
    "\"a\nb\"",
    ",",
    "\r\n",
    "\u{feff}",
    "9223372036854775808",
    "{\"a\":[",
];

/// A reason without the names and numbers in it.
fn kind(reason: &str) -> String {
    let words = reason.split(' ').filter(|word| {
        let mut letters = word.chars();
        letters.all(|c| c.is_ascii_lowercase() || c == ',')
    });
    words.take(12).collect()
}

#[test]
fn changed_files_of_results_give_what_belongs_to_the_space_or_a_reason() {
    let plan = parse(PLAN, "x.toml", 1).unwrap().engine;
    let fitting = Fitting::new(&plan).unwrap();
    let space = Space::new(plan.space.clone()).unwrap();
    let mut vocabulary: Vec<Vec<u8>> = (FILES.iter())
        .flat_map(|text| words(text))
        .chain(CELLS)
        .map(|word| word.as_bytes().to_vec())
        .collect();
    vocabulary.sort();
    vocabulary.dedup();
    let target = Target {
        name: "results",
        iterations: 20_000,
        seeds: FILES.iter().map(|text| text.as_bytes().to_vec()).collect(),
        words: vocabulary,
        scratch: crate::scratch(),
    };
    let summary = target.run(|bytes| {
        let read = match Results::parse(bytes, &fitting) {
            Ok(read) => read,
            Err(why) => {
                assert!(why.contains("\n  hint: "), "{why}");
                return Outcome::refused(&why);
            }
        };
        let lines = bytes.iter().filter(|byte| **byte == b'\n').count() + 1;
        assert!(read.results.len() < lines, "more results than lines");
        let mut reasons = Vec::new();
        for one in read.results {
            assert!(one.place.starts_with("line "), "{}", one.place);
            let config = one.config;
            let fits = config.and_then(|c| fitting.observation(&c, one.last.as_ref(), one.ending));
            match fits {
                // A searcher may rely on it.
                Ok(observation) => {
                    let checked = space.check(&observation.config);
                    assert!(checked.is_ok(), "{checked:?}");
                }
                Err(misfit) => {
                    assert!(!misfit.why.is_empty());
                    reasons.push(misfit.why);
                }
            }
        }
        let kinds: BTreeSet<String> = reasons.iter().map(|why| kind(why)).collect();
        Outcome::taken(format!("{kinds:?}"))
    });
    assert!(summary.taken > 100 && summary.outcomes > 50, "{summary:?}");
}
