//! Any sequence of appends, flushes and reopenings, against a model in memory.

use std::collections::BTreeMap;

use proptest::prelude::*;
use tune_store::{Artifact, Attachments, LogOf, RunDir, RunReader};

use crate::{header, row};

#[derive(Clone, Debug)]
enum Step {
    Append {
        log: Option<(u32, Vec<u8>)>,
        artifact: Option<(u32, bool, usize, bool)>,
    },
    Flush,
    Reopen,
}

fn step() -> impl Strategy<Value = Step> {
    let log = proptest::option::of((0..3_u32, proptest::collection::vec(any::<u8>(), 0..20)));
    // Sizes on both sides of what the database takes.
    let size = prop_oneof![4 => 0..50_usize, 1 => 65_530..65_545_usize];
    let artifact = proptest::option::of((0..2_u32, any::<bool>(), size, any::<bool>()));
    prop_oneof![
        8 => (log, artifact).prop_map(|(log, artifact)| Step::Append { log, artifact }),
        1 => Just(Step::Flush),
        1 => Just(Step::Reopen),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn a_run_holds_what_was_appended_however_often_it_is_reopened(
        steps in proptest::collection::vec(step(), 1..40)
    ) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("run");
        let (mut run, mut journal) = RunDir::create(&path, &header()).unwrap();
        let mut rows = Vec::new();
        let mut logs: BTreeMap<u32, Vec<u8>> = BTreeMap::new();
        let mut files: BTreeMap<(u32, String), Vec<u8>> = BTreeMap::new();
        for step in steps {
            match step {
                Step::Append { log, artifact } => {
                    let mut row = row(rows.len() as u64);
                    let mut attachments = Attachments::none();
                    if let Some((trial, bytes)) = log {
                        logs.entry(trial).or_default().extend(&bytes);
                        attachments.logs.push((LogOf::Trial(trial), bytes));
                    }
                    if let Some((trial, second, size, append)) = artifact {
                        let name = if second { "b" } else { "a" }.to_owned();
                        let bytes = vec![rows.len() as u8; size];
                        let file = files.entry((trial, name.clone())).or_default();
                        if !append {
                            file.clear();
                        }
                        file.extend(&bytes);
                        attachments.artifacts.push(Artifact { trial, name, bytes, append });
                    }
                    journal.append(row.clone(), attachments).unwrap();
                    row.log_end = row.trial
                        .and_then(|t| logs.get(&t))
                        .map_or(0, |l| l.len() as u64);
                    rows.push(row);
                }
                Step::Flush => journal.flush().unwrap(),
                Step::Reopen => {
                    journal.close().unwrap();
                    drop(run);
                    let opened = RunDir::open_writable(&path).unwrap();
                    prop_assert_eq!(&opened.rows, &rows);
                    (run, journal) = (opened.dir, opened.journal);
                }
            }
        }
        journal.close().unwrap();
        drop(run);
        let reader = RunReader::open(&path).unwrap();
        prop_assert_eq!(reader.rows().unwrap(), rows);
        for (trial, bytes) in logs {
            prop_assert_eq!(reader.log(LogOf::Trial(trial)).unwrap(), bytes);
        }
        let described = reader.artifacts().unwrap();
        prop_assert_eq!(described.len(), files.len());
        for file in described {
            let bytes = std::fs::read(path.join(&file.path)).unwrap();
            prop_assert_eq!(&bytes, &files[&(file.trial, file.name.clone())]);
            prop_assert_eq!(file.size, bytes.len() as u64);
        }
    }
}
