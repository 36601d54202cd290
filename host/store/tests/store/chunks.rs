//! The chunk store from outside: what is written is read back, once stored, and damage is found.

use std::cell::Cell;
use std::io::{self, Read};
use std::path::Path;

use tune_store::{
    Attachments, CHUNK_BYTES, ChunkStore, Memory, NewSnapshot, Purpose, RunDir, RunReader, Since,
    SnapshotInfo, SnapshotKey, SnapshotOf, StoreError,
};

use crate::{header, row};

/// So many bytes of noise, told apart by their seed.
pub(crate) fn noise(seed: u64, len: usize) -> Vec<u8> {
    let mut bytes = vec![0; len];
    blake3::Hasher::new()
        .update(&seed.to_le_bytes())
        .finalize_xof()
        .fill(&mut bytes);
    bytes
}

pub(crate) fn trial(trial: u32, reports: u64, sequence: u64) -> SnapshotKey {
    SnapshotKey {
        of: SnapshotOf::Trial { trial, reports },
        sequence,
    }
}

pub(crate) fn new<'a>(key: SnapshotKey, memories: &'a [&'a dyn Memory]) -> NewSnapshot<'a> {
    NewSnapshot {
        key,
        purpose: Purpose::Periodic,
        wall_ms: 1_700_000_000_000,
        header: b"header",
        memories,
        since: None,
        portable: None,
    }
}

pub(crate) fn read(
    store: &ChunkStore,
    info: &SnapshotInfo,
    index: usize,
) -> Result<Vec<u8>, StoreError> {
    let len = store.memory_lens(info.id)?[index];
    let mut bytes = vec![0; usize::try_from(len).unwrap()];
    store.read_memory(info.id, index, &mut |offset, chunk| {
        assert!(chunk.iter().any(|b| *b != 0), "zeros are left out");
        let at = usize::try_from(offset).unwrap();
        bytes[at..at + chunk.len()].copy_from_slice(chunk);
        Ok(())
    })?;
    Ok(bytes)
}

/// A run with so many committed rows, open for writing.
fn run(path: &Path, rows: u64) -> RunDir {
    let (run, journal) = RunDir::create(path, &header()).unwrap();
    for sequence in 0..rows {
        journal.append(row(sequence), Attachments::none()).unwrap();
    }
    journal.close().unwrap();
    run
}

fn reopened(path: &Path) -> RunDir {
    RunDir::open_writable(path).unwrap().dir
}

fn only_file(path: &Path) -> std::path::PathBuf {
    let mut entries = std::fs::read_dir(path.join("chunks")).unwrap();
    let file = entries.next().unwrap().unwrap().path();
    assert!(entries.next().is_none());
    file
}

/// Counts how many bytes are read.
struct Counted {
    bytes: Vec<u8>,
    read: Cell<usize>,
}

impl Counted {
    fn new(bytes: Vec<u8>) -> Self {
        Self {
            bytes,
            read: Cell::new(0),
        }
    }
}

impl Memory for Counted {
    fn byte_len(&self) -> u64 {
        self.bytes.byte_len()
    }

    fn read_at(&self, offset: u64, into: &mut [u8]) -> io::Result<()> {
        self.read.set(self.read.get() + into.len());
        self.bytes.read_at(offset, into)
    }
}

struct Unreadable;

impl Memory for Unreadable {
    fn byte_len(&self) -> u64 {
        5
    }

    fn read_at(&self, _: u64, _: &mut [u8]) -> io::Result<()> {
        Err(io::Error::other("gone"))
    }
}

#[test]
fn a_snapshot_is_read_back_whole_after_reopening() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("run");
    let run = run(&path, 3);
    let first = noise(1, 3 * CHUNK_BYTES);
    let mut second = vec![0; 10 * CHUNK_BYTES + 77];
    second[5 * CHUNK_BYTES + 3] = 9;
    second[10 * CHUNK_BYTES + 70] = 8;
    let empty = Vec::new();
    let portable = [noise(2, 100_000), vec![0; 100_000], vec![3; 7]].concat();
    let mut source = portable.as_slice();
    let memories: [&dyn Memory; 3] = [&first, &second, &empty];
    let written = NewSnapshot {
        portable: Some(&mut source),
        ..new(trial(4, 2, 2), &memories)
    };
    let info = run.chunks().write(written).unwrap();
    let bytes = first.len() + second.len() + portable.len();
    assert_eq!(info.bytes, bytes as u64);
    assert_eq!(info.wall_ms, 1_700_000_000_000);
    drop(run);

    for store in [
        reopened(&path).chunks().clone(),
        RunReader::open(&path).unwrap().chunks().unwrap(),
    ] {
        assert_eq!(store.list(), [info]);
        let state = SnapshotOf::Trial {
            trial: 4,
            reports: 2,
        };
        assert_eq!(store.find(&state), Some(info));
        assert_eq!(store.find(&SnapshotOf::Searcher), None);
        assert_eq!(store.header(info.id).unwrap(), b"header");
        for (index, memory) in [&first, &second, &empty].into_iter().enumerate() {
            assert!(read(&store, &info, index).unwrap() == *memory);
        }
        let mut read = store.portable(info.id).unwrap().unwrap();
        assert_eq!(read.byte_len(), portable.len() as u64);
        let mut found = Vec::new();
        read.read_to_end(&mut found).unwrap();
        assert!(found == portable);
        store.verify(info.id).unwrap();
        assert_eq!(store.damages(), []);
        let error = store.read_memory(info.id, 3, &mut |_, _| Ok(()));
        assert!(error.unwrap_err().to_string().contains("no memory 3"));
        assert_eq!(
            store.header(99),
            Err(StoreError::NoSnapshot {
                path: path.clone(),
                id: 99
            })
        );
    }
}

#[test]
fn a_population_of_near_equals_costs_what_differs() {
    let dir = tempfile::tempdir().unwrap();
    let run = run(&dir.path().join("run"), 1);
    let store = run.chunks();
    let chunks = 64;
    let base = noise(1, chunks * CHUNK_BYTES);
    for member in 0..16 {
        let mut memory = base.clone();
        memory[3 * CHUNK_BYTES + member] ^= 1;
        let info = store
            .write(new(trial(member as u32, 1, 0), &[&memory]))
            .unwrap();
        if member > 0 {
            // One chunk and the manifest.
            assert!(info.new_bytes < 70_000, "{info:?}");
        }
    }
    let usage = store.usage();
    assert_eq!(usage.snapshots, 16);
    assert_eq!(usage.logical_bytes, 16 * base.len() as u64);
    assert_eq!(
        usage.unique_bytes,
        (chunks as u64 + 15) * CHUNK_BYTES as u64
    );
    assert!(usage.ratio() > 12.0, "{usage:?} {}", usage.ratio());
    for info in store.list() {
        let memory = read(store, &info, 0).unwrap();
        assert_eq!(memory.iter().zip(&base).filter(|(a, b)| a != b).count(), 1);
    }
}

#[test]
fn what_compresses_is_compressed_and_noise_is_stored_as_it_is() {
    let dir = tempfile::tempdir().unwrap();
    let run = run(&dir.path().join("run"), 1);
    let store = run.chunks();
    let text: Vec<u8> = (0..40_000_u32)
        .flat_map(|n| format!("{n:09}\n").into_bytes())
        .collect();
    let info = store.write(new(trial(0, 1, 0), &[&text])).unwrap();
    assert!(info.new_bytes < text.len() as u64 / 3, "{info:?}");
    assert!(read(store, &info, 0).unwrap() == text);
    let noise = noise(1, 40 * CHUNK_BYTES);
    let info = store.write(new(trial(1, 1, 0), &[&noise])).unwrap();
    let overhead = info.new_bytes - noise.len() as u64;
    assert!(overhead < 40 * 100, "{overhead}");
    // Noise before does not keep what follows from being compressed.
    let mixed = [noise, vec![7; 60 * CHUNK_BYTES]].concat();
    let info = store.write(new(trial(2, 1, 0), &[&mixed])).unwrap();
    assert!(info.new_bytes < 20 * CHUNK_BYTES as u64, "{info:?}");
    assert!(read(store, &info, 0).unwrap() == mixed);
}

#[test]
fn what_is_known_to_be_unchanged_is_not_read() {
    let dir = tempfile::tempdir().unwrap();
    let run = run(&dir.path().join("run"), 2);
    let store = run.chunks();
    let mut memory = noise(1, 10 * CHUNK_BYTES);
    memory[5 * CHUNK_BYTES..6 * CHUNK_BYTES].fill(0);
    let base = store.write(new(trial(0, 1, 0), &[&memory])).unwrap();

    // The memory grew by two chunks and a bit, which nobody names.
    memory[2 * CHUNK_BYTES + 5] ^= 1;
    memory[8 * CHUNK_BYTES - 1] ^= 1;
    memory.extend(noise(2, 2 * CHUNK_BYTES + 9));
    let changed = [Some(vec![
        2 * CHUNK_BYTES as u64 + 5..2 * CHUNK_BYTES as u64 + 6,
        7 * CHUNK_BYTES as u64..8 * CHUNK_BYTES as u64,
    ])];
    let memory = Counted::new(memory);
    let memories: [&dyn Memory; 1] = [&memory];
    let write = |id, changed| {
        let since = Some(Since { id, changed });
        let key = trial(0, 2, 1);
        let all = NewSnapshot {
            since,
            ..new(key, &memories)
        };
        store.write(all).unwrap()
    };
    let info = write(base.id, &changed);
    assert_eq!(memory.read.get(), 4 * CHUNK_BYTES + 9);
    assert!(read(store, &info, 0).unwrap() == memory.bytes);
    assert!(info.new_bytes < 5 * CHUNK_BYTES as u64);

    // Unknown, not told, and gone: all is read.
    for (id, changed) in [(base.id, &[None][..]), (base.id, &[]), (77, &changed)] {
        memory.read.set(0);
        let info = write(id, changed);
        assert_eq!(memory.read.get(), memory.bytes.len());
        assert!(read(store, &info, 0).unwrap() == memory.bytes);
    }
}

#[test]
fn a_flipped_bit_costs_the_snapshots_that_need_it_and_is_mended_by_the_next_one() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("run");
    let run_dir = run(&path, 3);
    let (first, second) = (
        noise(1, 4 * CHUNK_BYTES),
        [noise(1, 4 * CHUNK_BYTES), noise(2, 2 * CHUNK_BYTES)].concat(),
    );
    let store = run_dir.chunks();
    let early = store.write(new(trial(0, 1, 0), &[&first])).unwrap();
    let late = store.write(new(trial(0, 2, 1), &[&second])).unwrap();
    drop(run_dir);
    let file = path.join(format!("chunks/{:08}.snap", late.id));
    let mut bytes = std::fs::read(&file).unwrap();
    bytes[CHUNK_BYTES] ^= 4;
    std::fs::write(&file, bytes).unwrap();

    let run_dir = reopened(&path);
    let store = run_dir.chunks();
    assert_eq!(store.list().len(), 2, "nobody has looked yet");
    let error = store.verify(late.id).unwrap_err();
    assert!(
        matches!(&error, StoreError::DamagedSnapshot { id, .. } if *id == late.id),
        "{error}"
    );
    assert_eq!(store.list(), [early]);
    assert_eq!(store.damages(), [error]);
    assert!(read(store, &early, 0).unwrap() == first);
    let again = store.write(new(trial(0, 2, 1), &[&second])).unwrap();
    assert!(
        again.new_bytes > CHUNK_BYTES as u64,
        "the damaged chunk is stored again"
    );
    assert!(read(store, &again, 0).unwrap() == second);
    store.retain(&|_| true).unwrap();
    assert_eq!(store.damages(), []);
    assert_eq!(store.list(), [early, again]);
    drop(run_dir);
    let run_dir = reopened(&path);
    assert!(read(run_dir.chunks(), &again, 0).unwrap() == second);
}

#[test]
fn a_removed_file_costs_the_snapshots_that_need_its_chunks() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("run");
    let run_dir = run(&path, 3);
    let base = noise(1, 2 * CHUNK_BYTES);
    let other = noise(3, CHUNK_BYTES);
    let memories: [&Vec<u8>; 3] = [&base, &[&base[..], &[1]].concat(), &other];
    for (reports, memory) in (0..).zip(memories) {
        let key = trial(0, reports, 0);
        run_dir.chunks().write(new(key, &[memory])).unwrap();
    }
    // While it is open, and before.
    std::fs::remove_file(path.join("chunks/00000001.snap")).unwrap();
    let mut store = run_dir.chunks().clone();
    for round in 0..2 {
        for id in [1, 2] {
            let error = store.verify(id).unwrap_err();
            assert!(error.to_string().contains(&format!("snapshot {id}")));
        }
        assert!(
            read(&store, &store.list()[0], 0).unwrap() == other,
            "{round}"
        );
        assert_eq!(store.list().len(), 1);
        store = RunReader::open(&path).unwrap().chunks().unwrap();
    }
    run_dir.chunks().retain(&|_| true).unwrap();
    assert!(only_file(&path).ends_with("00000003.snap"));
}

#[test]
fn snapshots_of_rows_that_were_never_committed_are_gone_on_open() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("run");
    let run_dir = run(&path, 5);
    let store = run_dir.chunks();
    let memory = noise(1, 3 * CHUNK_BYTES);
    // The early one has the late one's chunks.
    let late = store.write(new(trial(0, 5, 5), &[&memory])).unwrap();
    let early = store.write(new(trial(0, 4, 4), &[&memory])).unwrap();
    let imported = SnapshotKey {
        of: SnapshotOf::Imported,
        sequence: 100,
    };
    let imported = store.write(new(imported, &[&memory])).unwrap();
    assert_eq!(store.list(), [late, early, imported]);
    let reader = RunReader::open(&path).unwrap().chunks().unwrap();
    assert_eq!(reader.list(), [early, imported]);
    assert!(read(&reader, &early, 0).unwrap() == memory);
    assert!(matches!(
        reader.verify(late.id),
        Err(StoreError::NoSnapshot { .. })
    ));
    drop(run_dir);

    std::fs::write(path.join("chunks/00000077.tmp"), "left by a crash").unwrap();
    std::fs::write(path.join("chunks/notes.txt"), "of the user").unwrap();
    std::fs::create_dir(path.join("chunks/00000088.snap")).unwrap();
    let run_dir = reopened(&path);
    let store = run_dir.chunks();
    assert_eq!(store.list(), [early, imported]);
    assert_eq!(store.damages(), []);
    assert!(read(store, &early, 0).unwrap() == memory);
    assert!(read(store, &imported, 0).unwrap() == memory);
    assert!(!path.join("chunks/00000077.tmp").exists());
    assert!(path.join("chunks/notes.txt").exists());
    let next = store.write(new(trial(1, 1, 0), &[&memory])).unwrap();
    assert!(next.id > imported.id, "{next:?}");
}

#[test]
fn a_reader_beside_a_writer_follows_what_retention_moves() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("run");
    let run_dir = run(&path, 3);
    let store = run_dir.chunks();
    let base = noise(1, 40 * CHUNK_BYTES);
    let kept = base[..3 * CHUNK_BYTES].to_vec();
    let first = store.write(new(trial(0, 1, 0), &[&base])).unwrap();
    let second = store.write(new(trial(0, 2, 1), &[&kept])).unwrap();
    let reader = RunReader::open(&path).unwrap().chunks().unwrap();
    assert!(matches!(
        reader.write(new(trial(0, 3, 2), &[&kept])),
        Err(StoreError::ReadOnly { .. })
    ));
    assert!(matches!(
        reader.retain(&|_| true),
        Err(StoreError::ReadOnly { .. })
    ));

    let before = store.usage().disk_bytes;
    let freed = store.retain(&|info| info.id == second.id).unwrap();
    assert_eq!(freed.snapshots, 1);
    assert!(freed.bytes > 36 * CHUNK_BYTES as u64, "{freed:?}");
    assert_eq!(store.usage().disk_bytes, before - freed.bytes);
    assert!(!path.join("chunks/00000001.pack").exists());
    assert!(read(store, &second, 0).unwrap() == kept);
    assert!(read(&reader, &second, 0).unwrap() == kept);
    for store in [store, &reader] {
        assert!(matches!(
            store.verify(first.id),
            Err(StoreError::NoSnapshot { .. })
        ));
    }
    let files = std::fs::read_dir(path.join("chunks")).unwrap();
    let on_disk: u64 = files.map(|f| f.unwrap().metadata().unwrap().len()).sum();
    assert_eq!(store.usage().disk_bytes, on_disk);

    // A dropped chunk that comes again is found wherever it still is, or stored again.
    let third = store.write(new(trial(0, 3, 2), &[&base])).unwrap();
    assert!(third.new_bytes < 38 * CHUNK_BYTES as u64);
    assert!(read(&reader, &third, 0).unwrap() == base);
}

#[test]
fn a_used_up_quota_or_an_unreadable_memory_leaves_nothing_behind() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("run");
    let run_dir = run(&path, 1);
    let store = run_dir.chunks();
    let small = noise(1, 2 * CHUNK_BYTES);
    let large = noise(2, 20 * CHUNK_BYTES);
    let info = store.write(new(trial(0, 1, 0), &[&small])).unwrap();
    store.set_quota(10 * CHUNK_BYTES as u64);
    let error = store.write(new(trial(1, 1, 0), &[&large])).unwrap_err();
    assert!(error.is_disk_full());
    assert!(error.to_string().contains("655360 bytes"), "{error}");
    let error = store
        .write(new(trial(1, 1, 0), &[&small, &Unreadable]))
        .unwrap_err();
    assert!(error.to_string().contains("gone"), "{error}");
    assert!(!error.is_disk_full());
    assert!(only_file(&path).ends_with("00000001.snap"));
    assert_eq!(store.list(), [info]);
    // What is there already costs next to nothing.
    store.write(new(trial(1, 1, 0), &[&small])).unwrap();
    store.set_quota(u64::MAX);
    let info = store.write(new(trial(2, 1, 0), &[&large])).unwrap();
    assert!(read(store, &info, 0).unwrap() == large);
}

#[test]
fn too_long_a_header_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let run_dir = run(&dir.path().join("run"), 1);
    let header = vec![1; tune_store::MAX_HEADER_BYTES + 1];
    let too_long = NewSnapshot {
        header: &header,
        ..new(trial(0, 1, 0), &[])
    };
    assert!(matches!(
        run_dir.chunks().write(too_long),
        Err(StoreError::SnapshotTooLarge { .. })
    ));
    let longest = NewSnapshot {
        header: &header[1..],
        ..new(trial(0, 1, 0), &[])
    };
    let info = run_dir.chunks().write(longest).unwrap();
    assert_eq!(
        run_dir.chunks().header(info.id).unwrap().len(),
        header.len() - 1
    );
}

#[test]
fn a_run_from_before_there_were_snapshots_has_none_and_can_get_some() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("run");
    drop(run(&path, 1));
    std::fs::remove_dir(path.join("chunks")).unwrap();
    let reader = RunReader::open(&path).unwrap().chunks().unwrap();
    assert_eq!(reader.list(), []);
    assert!(!path.join("chunks").exists(), "reading makes nothing");
    let run_dir = reopened(&path);
    run_dir
        .chunks()
        .write(new(trial(0, 1, 0), &[&vec![1]]))
        .unwrap();
    assert_eq!(run_dir.chunks().list().len(), 1);
}

#[test]
fn threads_write_read_and_drop_at_the_same_time() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("run");
    let run_dir = run(&path, 1);
    let store = run_dir.chunks();
    let base = noise(1, 8 * CHUNK_BYTES);
    let threads = 4;
    std::thread::scope(|scope| {
        for thread in 0..threads {
            let (store, base) = (store.clone(), &base);
            scope.spawn(move || {
                for round in 0..12 {
                    let mut memory = base.clone();
                    memory[thread * CHUNK_BYTES] = round;
                    let key = trial(thread as u32, u64::from(round), 0);
                    let info = store.write(new(key, &[&memory])).unwrap();
                    assert!(read(&store, &info, 0).unwrap() == memory);
                    // Mine but the newest; others decide on theirs.
                    store
                        .retain(&|other| match other.key.of {
                            SnapshotOf::Trial { trial, .. } => {
                                trial as usize != thread || other.id == info.id
                            }
                            _ => true,
                        })
                        .unwrap();
                    assert!(read(&store, &info, 0).unwrap() == memory);
                }
            });
        }
    });
    assert_eq!(store.list().len(), threads);
    drop(run_dir);
    let run_dir = reopened(&path);
    let list = run_dir.chunks().list();
    assert_eq!(list.len(), threads);
    for info in list {
        run_dir.chunks().verify(info.id).unwrap();
    }
}

#[test]
fn a_fork_names_its_parent() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("run");
    let parent = tune_store::Parent {
        run: "digits".to_owned(),
        trial: 4,
        iteration: 30,
        reports: 20,
        state: "ab".repeat(32),
    };
    let mut header = header();
    header.parent = Some(parent);
    drop(RunDir::create(&path, &header).unwrap());
    assert_eq!(RunReader::open(&path).unwrap().header().unwrap(), header);
}
