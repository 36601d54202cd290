//! Random writing, dropping, reopening and damage beside a model that keeps everything in memory.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use proptest::prelude::*;
use proptest::sample::Index;
use tune_store::{
    Attachments, CHUNK_BYTES, ChunkStore, NewSnapshot, RunDir, Since, SnapshotInfo, StoreError,
};

use crate::chunks::{new, noise, read, trial};
use crate::{header, row};

/// Committed rows of the run.
const ROWS: u64 = 10;

#[derive(Clone, Debug)]
enum Step {
    /// A trial changes some chunks, grows perhaps, and is written, told apart from an earlier
    /// snapshot or not.
    Write {
        trial: u32,
        changes: Vec<(Index, u8)>,
        grow: u16,
        incremental: bool,
        committed: bool,
    },
    /// A trial takes over the memory of another one.
    Clone {
        from: u32,
        to: u32,
    },
    /// Snapshots with a bit are kept.
    Retain(u16),
    Reopen,
    /// A crash while something was being written.
    Temporary,
    /// Damage from outside.
    Truncate(Index, Index),
    Flip(Index, Index),
    Remove(Index),
}

fn step() -> impl Strategy<Value = Step> {
    let change = (any::<Index>(), 0_u8..6);
    let write = (
        0_u32..3,
        proptest::collection::vec(change, 0..4),
        prop_oneof![3 => Just(0), 1 => any::<u16>()],
        any::<bool>(),
        proptest::bool::weighted(0.8),
    )
        .prop_map(
            |(trial, changes, grow, incremental, committed)| Step::Write {
                trial,
                changes,
                grow,
                incremental,
                committed,
            },
        );
    prop_oneof![
        12 => write,
        2 => (0_u32..3, 0_u32..3).prop_map(|(from, to)| Step::Clone { from, to }),
        4 => any::<u16>().prop_map(Step::Retain),
        3 => Just(Step::Reopen),
        1 => Just(Step::Temporary),
    ]
}

fn damaging_step() -> impl Strategy<Value = Step> {
    prop_oneof![
        12 => step(),
        1 => (any::<Index>(), any::<Index>()).prop_map(|(f, at)| Step::Truncate(f, at)),
        1 => (any::<Index>(), any::<Index>()).prop_map(|(f, at)| Step::Flip(f, at)),
        1 => any::<Index>().prop_map(Step::Remove),
    ]
}

/// A live trial: its memory, what it was last written as, and what changed since.
#[derive(Clone, Default)]
struct Live {
    memory: Vec<u8>,
    reports: u64,
    last: Option<u64>,
    changed: Vec<std::ops::Range<u64>>,
}

struct Model {
    path: PathBuf,
    run: Option<RunDir>,
    live: BTreeMap<u32, Live>,
    /// What every snapshot holds that should be there.
    expected: BTreeMap<u64, (SnapshotInfo, Vec<u8>)>,
    damaged: bool,
}

impl Model {
    fn new(dir: &Path) -> Self {
        let path = dir.join("run");
        let (run, journal) = RunDir::create(&path, &header()).unwrap();
        for sequence in 0..ROWS {
            journal.append(row(sequence), Attachments::none()).unwrap();
        }
        journal.close().unwrap();
        Self {
            path,
            run: Some(run),
            live: BTreeMap::new(),
            expected: BTreeMap::new(),
            damaged: false,
        }
    }

    fn store(&self) -> ChunkStore {
        self.run.as_ref().unwrap().chunks().clone()
    }

    fn reopen(&mut self) {
        self.run = None;
        self.run = Some(RunDir::open_writable(&self.path).unwrap().dir);
        self.expected
            .retain(|_, (info, _)| info.key.sequence < ROWS);
        // Numbers are those of one process.
        for live in self.live.values_mut() {
            live.last = None;
        }
    }

    fn file(&self, pick: &Index) -> Option<PathBuf> {
        let mut files: Vec<_> = std::fs::read_dir(self.path.join("chunks"))
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .collect();
        files.sort();
        (!files.is_empty()).then(|| files[pick.index(files.len())].clone())
    }

    fn apply(&mut self, step: &Step) {
        match step {
            Step::Write {
                trial: id,
                changes,
                grow,
                incremental,
                committed,
            } => self.write(*id, changes, *grow, *incremental, *committed),
            Step::Clone { from, to } => {
                if let Some(live) = self.live.get(from).cloned() {
                    self.live.insert(*to, live);
                }
            }
            Step::Retain(mask) => {
                let keep = |info: &SnapshotInfo| mask & (1 << (info.id % 16)) != 0;
                self.store().retain(&keep).unwrap();
                self.expected.retain(|_, (info, _)| keep(info));
            }
            Step::Reopen => self.reopen(),
            Step::Temporary => {
                let left = self.path.join("chunks/00099999.tmp");
                std::fs::write(&left, noise(1, 1000)).unwrap();
                self.reopen();
                assert!(!left.exists());
            }
            Step::Truncate(file, at) => self.damage(file, |bytes| {
                bytes.truncate(at.index(bytes.len()));
            }),
            Step::Flip(file, at) => self.damage(file, |bytes| {
                let at = at.index(bytes.len());
                bytes[at] ^= 16;
            }),
            Step::Remove(file) => {
                if let Some(file) = self.file(file) {
                    std::fs::remove_file(file).unwrap();
                    self.damaged = true;
                }
            }
        }
    }

    fn damage(&mut self, file: &Index, change: impl FnOnce(&mut Vec<u8>)) {
        if let Some(file) = self.file(file) {
            let mut bytes = std::fs::read(&file).unwrap();
            if !bytes.is_empty() {
                change(&mut bytes);
                std::fs::write(&file, bytes).unwrap();
                self.damaged = true;
            }
        }
    }

    fn write(
        &mut self,
        id: u32,
        changes: &[(Index, u8)],
        grow: u16,
        incremental: bool,
        committed: bool,
    ) {
        let store = self.store();
        let live = self.live.entry(id).or_insert_with(|| Live {
            memory: noise(7, 5 * CHUNK_BYTES + 1000),
            ..Live::default()
        });
        live.memory.resize(live.memory.len() + usize::from(grow), 1);
        for (at, kind) in changes {
            let at = at.index(live.memory.len()) / CHUNK_BYTES * CHUNK_BYTES;
            let to = (at + CHUNK_BYTES).min(live.memory.len());
            // Few kinds, so that chunks meet again; one of zeros and one that compresses.
            match kind {
                0 | 1 => live.memory[at..to].fill(*kind),
                seed => {
                    live.memory[at..to].copy_from_slice(&noise(u64::from(*seed), to - at));
                }
            }
            live.changed.push(at as u64..to as u64);
        }
        live.reports += 1;
        let sequence = if committed { ROWS - 1 } else { ROWS };
        let changed = [Some(live.changed.clone())];
        let since = live.last.filter(|_| incremental).map(|id| Since {
            id,
            changed: &changed,
        });
        let info = store
            .write(NewSnapshot {
                since,
                ..new(trial(id, live.reports, sequence), &[&live.memory])
            })
            .unwrap();
        self.expected.insert(info.id, (info, live.memory.clone()));
        live.last = Some(info.id);
        live.changed.clear();
    }

    /// Without damage from outside the store is what the model is. With it, nothing is ever read
    /// that was not written, and what is found damaged is no longer listed.
    fn check(&self) {
        let store = self.store();
        let listed = store.list();
        if !self.damaged {
            let expected: Vec<_> = self.expected.values().map(|(info, _)| *info).collect();
            assert_eq!(listed, expected);
            assert_eq!(store.damages(), []);
        }
        for info in &listed {
            let (expected, memory) = &self.expected[&info.id];
            assert_eq!(info.key, expected.key);
            match read(&store, info, 0) {
                Ok(bytes) => assert!(bytes == *memory, "{info:?}"),
                Err(error) => {
                    assert!(self.damaged, "{error}");
                    assert!(
                        matches!(error, StoreError::DamagedSnapshot { .. }),
                        "{error}"
                    );
                    assert!(!store.list().contains(info));
                }
            }
        }
    }
}

fn run(steps: &[Step]) {
    let dir = tempfile::tempdir().unwrap();
    let mut model = Model::new(dir.path());
    for step in steps {
        model.apply(step);
        model.check();
    }
    model.reopen();
    model.check();
    if !model.damaged {
        let store = model.store();
        let files = std::fs::read_dir(model.path.join("chunks")).unwrap();
        let on_disk: u64 = files.map(|f| f.unwrap().metadata().unwrap().len()).sum();
        assert_eq!(store.usage().disk_bytes, on_disk);
        store.retain(&|_| false).unwrap();
        assert_eq!(store.usage(), tune_store::Usage::default());
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(if cfg!(debug_assertions) { 16 } else { 48 }))]

    #[test]
    fn the_store_is_what_a_map_in_memory_would_be(
        steps in proptest::collection::vec(step(), 1..25)
    ) {
        run(&steps);
    }

    #[test]
    fn damage_from_outside_is_never_read_as_a_state(
        steps in proptest::collection::vec(damaging_step(), 1..25)
    ) {
        run(&steps);
    }
}
