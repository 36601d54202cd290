//! What needs a look inside: ends and full disks at every step, and forged files.

use std::path::Path;
use std::sync::Arc;

use cap_std::ambient_authority;
use cap_std::fs::Dir;
use proptest::prelude::*;
use proptest::sample::Index as Pick;

use super::file::{Contents, Kind, Place, file_name, read_contents, tail};
use super::folder::fault::After;
use super::*;

/// A sequence that is committed in every store here.
const SEQUENCE: u64 = 7;

fn open(path: &Path) -> ChunkStore {
    let dir = Dir::open_ambient_dir(path, ambient_authority()).unwrap();
    let lock = Arc::new(Lock::take(&dir, path).unwrap());
    ChunkStore::open(&dir, path, lock, SEQUENCE + 1).unwrap()
}

/// Chunks of noise, told apart by their seeds; 0 is a chunk of zeros.
fn memory(seeds: &[u64]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for seed in seeds {
        let mut chunk = vec![0; CHUNK_BYTES];
        if *seed != 0 {
            let mut hasher = blake3::Hasher::new();
            hasher.update(&seed.to_le_bytes());
            hasher.finalize_xof().fill(&mut chunk);
        }
        bytes.extend(chunk);
    }
    bytes
}

fn write(store: &ChunkStore, trial: u32, memory: &[u8]) -> Result<u64, StoreError> {
    let key = SnapshotKey {
        of: SnapshotOf::Trial { trial, reports: 1 },
        sequence: SEQUENCE,
    };
    let new = NewSnapshot {
        key,
        purpose: Purpose::Periodic,
        wall_ms: 5,
        header: &trial.to_le_bytes(),
        memories: &[&memory],
        since: None,
        portable: None,
    };
    store.write(new).map(|info| info.id)
}

fn read(store: &ChunkStore, id: u64) -> Result<Vec<u8>, StoreError> {
    let lens = store.memory_lens(id)?;
    let mut bytes = vec![0; usize::try_from(lens[0]).unwrap()];
    store.read_memory(id, 0, &mut |offset, chunk| {
        let at = usize::try_from(offset).unwrap();
        bytes[at..at + chunk.len()].copy_from_slice(chunk);
        Ok(())
    })?;
    Ok(bytes)
}

fn of(trial: u32) -> SnapshotOf {
    SnapshotOf::Trial { trial, reports: 1 }
}

fn names(path: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(path.join(CHUNKS)).unwrap();
    let mut names: Vec<_> = entries
        .map(|e| e.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

/// Trials 1 to 3, of which 1 and 2 share little and 1 and 3 nothing with each other.
fn three(store: &ChunkStore) -> [Vec<u8>; 3] {
    let shared: Vec<u64> = (1..=4).collect();
    let memories = [
        memory(&[&shared[..], &(10..30).collect::<Vec<_>>()].concat()),
        memory(&[&shared[..], &[40, 0, 41]].concat()),
        memory(&[50, 51, 51]),
    ];
    for (trial, memory) in (1..).zip(&memories) {
        write(store, trial, memory).unwrap();
    }
    memories
}

/// One snapshot is written, 1 and 3 are dropped: that rewrites the file of 1 and removes that of 3.
fn write_and_drop(store: &ChunkStore, fourth: &[u8]) -> Result<(), StoreError> {
    write(store, 4, fourth)?;
    store.retain(&|info| [of(2), of(4)].contains(&info.key.of))?;
    Ok(())
}

fn check(store: &ChunkStore, path: &Path, memories: &[Vec<u8>; 3], fourth: &[u8], n: u64) {
    assert_eq!(store.damages(), [], "after {n} steps");
    for info in store.list() {
        let expected = match info.key.of {
            SnapshotOf::Trial { trial: 4, .. } => fourth,
            SnapshotOf::Trial { trial, .. } => &memories[trial as usize - 1],
            other => panic!("{other}"),
        };
        assert!(read(store, info.id).unwrap() == expected, "after {n} steps");
        store.verify(info.id).unwrap();
    }
    assert!(store.find(&of(2)).is_some(), "after {n} steps");
    let left = names(path);
    assert!(!left.iter().any(|n| n.ends_with("tmp")), "{left:?}");
}

#[test]
fn wherever_the_process_ends_the_kept_snapshots_are_intact() {
    let fourth = memory(&[1, 60, 2]);
    for n in 0.. {
        let dir = tempfile::tempdir().unwrap();
        let store = open(dir.path());
        let memories = three(&store);
        let fault = &store.writable().unwrap().fault;
        *fault.0.lock().unwrap() = Some(After::Crash(n));
        let outcome = write_and_drop(&store, &fourth);
        drop(store);
        let store = open(dir.path());
        check(&store, dir.path(), &memories, &fourth, n);
        write_and_drop(&store, &fourth).unwrap();
        check(&store, dir.path(), &memories, &fourth, n);
        assert!(store.find(&of(1)).is_none());
        if outcome.is_ok() {
            // Creating, chunks, table, syncs, renames, removals.
            assert!(n > 20, "{n}");
            // The rest of the first file is in a new one.
            let left = names(dir.path());
            assert!(left.iter().any(|name| name.ends_with("pack")), "{left:?}");
            assert!(!left.contains(&file_name(1, Kind::Pack)), "{left:?}");
            break;
        }
    }
}

#[test]
fn wherever_the_disk_gets_full_the_store_goes_on() {
    let fourth = memory(&[1, 60, 2]);
    for n in 0.. {
        let dir = tempfile::tempdir().unwrap();
        let store = open(dir.path());
        let memories = three(&store);
        let fault = |after| {
            *store.writable().unwrap().fault.0.lock().unwrap() = after;
        };
        fault(Some(After::Full(n)));
        let outcome = write_and_drop(&store, &fourth);
        fault(None);
        if let Err(error) = &outcome {
            assert!(error.is_disk_full(), "{error}");
        }
        check(&store, dir.path(), &memories, &fourth, n);
        write_and_drop(&store, &fourth).unwrap();
        check(&store, dir.path(), &memories, &fourth, n);
        let disk_bytes = store.usage().disk_bytes;
        drop(store);
        let store = open(dir.path());
        check(&store, dir.path(), &memories, &fourth, n);
        assert_eq!(store.usage().disk_bytes, disk_bytes);
        if outcome.is_ok() && n > 40 {
            break;
        }
    }
}

#[test]
fn many_small_files_without_a_snapshot_become_one() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let seeds: Vec<u64> = (1..200).collect();
    for seed in &seeds {
        write(&store, 1, &memory(&[*seed])).unwrap();
    }
    let all = memory(&seeds);
    let last = write(&store, 2, &all).unwrap();
    assert_eq!(names(dir.path()).len(), 200);
    store.retain(&|info| info.id == last).unwrap();
    assert_eq!(names(dir.path()).len(), 2);
    assert!(read(&store, last).unwrap() == all);
}

/// Replaces the table of a file, with a hash that fits.
fn forge(path: &Path, number: u64, change: impl FnOnce(&mut Contents)) {
    let chunks = path.join(CHUNKS);
    let dir = Dir::open_ambient_dir(&chunks, ambient_authority()).unwrap();
    let name = file_name(number, Kind::Snap);
    let (mut contents, _) = read_contents(&dir, &name, Kind::Snap).unwrap();
    let bytes = std::fs::read(chunks.join(&name)).unwrap();
    let foot = bytes.len() - 56;
    let end = u64::from_le_bytes(bytes[foot..foot + 8].try_into().unwrap());
    change(&mut contents);
    let mut forged = bytes[..usize::try_from(end).unwrap()].to_vec();
    forged.extend(tail(&contents, end).unwrap());
    std::fs::write(chunks.join(&name), forged).unwrap();
}

fn manifest(contents: &mut Contents) -> &mut file::Manifest {
    contents.snapshot.as_mut().unwrap()
}

#[test]
fn forged_numbers_are_refused_by_name_and_the_rest_is_read() {
    type Forgery = fn(&mut Contents);
    let forgeries: [(Forgery, &str); 10] = [
        (
            |c| manifest(c).memories[0].len = u64::MAX,
            "does not match its chunks",
        ),
        (
            |c| manifest(c).memories[0].chunks.push(0),
            "does not match its chunks",
        ),
        (
            |c| manifest(c).memories[0].chunks[0] = 99,
            "refers to a chunk",
        ),
        (
            |c| manifest(c).memories[0].chunks[0] = u32::MAX,
            "refers to a chunk",
        ),
        (
            |c| c.table[0].place.as_mut().unwrap().offset = u64::MAX,
            "lies outside",
        ),
        (
            |c| c.table[0].place.as_mut().unwrap().offset = 0,
            "lies outside",
        ),
        (
            |c| c.table[0].place.as_mut().unwrap().len = u32::MAX,
            "lies outside",
        ),
        (|c| c.table[0].raw_len = u32::MAX, "impossible length"),
        (|c| c.table[0].hash[5] ^= 1, "not those that were written"),
        (|c| c.snapshot = None, "holds no snapshot"),
    ];
    for (forgery, what) in forgeries {
        let dir = tempfile::tempdir().unwrap();
        let store = open(dir.path());
        let good = memory(&[1, 2]);
        let first = write(&store, 1, &good).unwrap();
        let second = write(&store, 1, &memory(&[3, 4])).unwrap();
        drop(store);
        forge(dir.path(), second, forgery);
        let store = open(dir.path());
        let error = store.verify(second).unwrap_err();
        let text = error.to_string();
        assert!(
            matches!(error, StoreError::DamagedSnapshot { id, .. } if id == second),
            "{text}"
        );
        assert!(text.contains(what), "{text}");
        assert!(text.contains(&file_name(second, Kind::Snap)), "{text}");
        assert_eq!(store.damages().len(), 1);
        assert_eq!(store.find(&of(1)).unwrap().id, first);
        assert!(read(&store, first).unwrap() == good);
        store.retain(&|_| true).unwrap();
        assert_eq!(store.damages(), []);
        assert_eq!(names(dir.path()), [file_name(first, Kind::Snap)]);
    }
}

#[test]
fn a_file_of_a_later_version_is_named_and_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    write(&store, 1, &memory(&[1])).unwrap();
    // It has a chunk of the other one.
    write(&store, 2, &memory(&[1, 2])).unwrap();
    drop(store);
    let path = dir.path().join(CHUNKS).join(file_name(1, Kind::Snap));
    let mut bytes = std::fs::read(&path).unwrap();
    bytes[8] = 9;
    std::fs::write(&path, &bytes).unwrap();
    let store = open(dir.path());
    assert_eq!(store.list(), []);
    let damages = store.damages();
    assert!(damages[0].to_string().contains("version 9"), "{damages:?}");
    store.retain(&|_| true).unwrap();
    assert_eq!(names(dir.path()).len(), 2, "nothing is known to be lost");
    drop(store);
    bytes[8] = 1;
    std::fs::write(&path, &bytes).unwrap();
    assert_eq!(open(dir.path()).list().len(), 2);
}

#[derive(Clone, Debug)]
enum Edit {
    Len(u64),
    Number(Pick, u32),
    RawLen(Pick, u32),
    Place(Pick, Option<(u64, u32)>),
    Swap(Pick, Pick),
    Drop(Pick),
}

fn number() -> impl Strategy<Value = u64> {
    prop_oneof![0_u64..200_000, Just(u64::MAX), Just(1 << 32), any::<u64>()]
}

fn edit() -> impl Strategy<Value = Edit> {
    let short = || prop_oneof![0_u32..70_000, Just(u32::MAX), any::<u32>()];
    prop_oneof![
        number().prop_map(Edit::Len),
        (any::<Pick>(), 0_u32..10).prop_map(|(at, n)| Edit::Number(at, n)),
        (any::<Pick>(), short()).prop_map(|(at, n)| Edit::RawLen(at, n)),
        (any::<Pick>(), proptest::option::of((number(), short())))
            .prop_map(|(at, place)| Edit::Place(at, place)),
        (any::<Pick>(), any::<Pick>()).prop_map(|(a, b)| Edit::Swap(a, b)),
        any::<Pick>().prop_map(Edit::Drop),
    ]
}

fn apply(contents: &mut Contents, edit: &Edit) {
    let entries = contents.table.len().max(1);
    match edit {
        Edit::Len(len) => manifest(contents).memories[0].len = *len,
        Edit::Number(at, n) => {
            let chunks = &mut manifest(contents).memories[0].chunks;
            let at = at.index(chunks.len());
            chunks[at] = *n;
        }
        Edit::RawLen(at, n) => {
            if let Some(entry) = contents.table.get_mut(at.index(entries)) {
                entry.raw_len = *n;
            }
        }
        Edit::Place(at, place) => {
            if let Some(entry) = contents.table.get_mut(at.index(entries)) {
                entry.place = place.map(|(offset, len)| Place { offset, len });
            }
        }
        Edit::Swap(a, b) => {
            let (a, b) = (a.index(entries), b.index(entries));
            let hash = contents.table.get(b).map(|e| e.hash);
            if let (Some(entry), Some(hash)) = (contents.table.get_mut(a), hash) {
                entry.hash = hash;
            }
        }
        Edit::Drop(at) => {
            let at = at.index(entries);
            if at < contents.table.len() {
                contents.table.remove(at);
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(if cfg!(debug_assertions) { 64 } else { 200 }))]

    /// Whoever can write the table with its hash can have other chunks read, but no bytes that are
    /// not those of the hash, and no chunk of a snapshot that does not refer to the forged file.
    #[test]
    fn a_forged_table_never_panics_and_never_gives_wrong_bytes(
        edits in proptest::collection::vec(edit(), 1..4)
    ) {
        let dir = tempfile::tempdir().unwrap();
        let store = open(dir.path());
        let good = memory(&[1, 0, 2]);
        let mut compressible = good.clone();
        compressible[CHUNK_BYTES..CHUNK_BYTES + 10].copy_from_slice(b"compresses");
        let first = write(&store, 1, &good).unwrap();
        let second = write(&store, 2, &compressible).unwrap();
        drop(store);
        forge(dir.path(), second, |contents| {
            for edit in &edits {
                apply(contents, edit);
            }
        });
        let store = open(dir.path());
        match read(&store, second) {
            Ok(bytes) => {
                for chunk in bytes.chunks(CHUNK_BYTES) {
                    let known = compressible.chunks(CHUNK_BYTES).any(|c| c == chunk);
                    prop_assert!(known || chunk.iter().all(|b| *b == 0));
                }
            }
            Err(error) => {
                prop_assert!(matches!(error, StoreError::DamagedSnapshot { .. }), "{error}");
            }
        }
        // A forged place of a chunk of the first snapshot is found out, and mended by writing.
        if read(&store, first).is_err() {
            write(&store, 1, &good).unwrap();
        }
        let found = store.find(&of(1)).unwrap();
        prop_assert!(read(&store, found.id).unwrap() == good);
    }

    #[test]
    fn a_file_with_any_damage_is_found_out_or_reads_as_written(
        flips in proptest::collection::vec((any::<Pick>(), 1..=255_u8), 0..3),
        cut in proptest::option::of(any::<Pick>()),
    ) {
        let dir = tempfile::tempdir().unwrap();
        let store = open(dir.path());
        let good = memory(&[1, 2]);
        let mut later = memory(&[1, 3, 4]);
        later.truncate(2 * CHUNK_BYTES + 100);
        later[CHUNK_BYTES..CHUNK_BYTES + 60_000].fill(5);
        let first = write(&store, 1, &good).unwrap();
        let second = write(&store, 2, &later).unwrap();
        drop(store);
        let file = dir.path().join(CHUNKS).join(file_name(second, Kind::Snap));
        let mut bytes = std::fs::read(&file).unwrap();
        for (at, mask) in &flips {
            let at = at.index(bytes.len());
            bytes[at] ^= mask;
        }
        if let Some(cut) = cut {
            bytes.truncate(cut.index(bytes.len()));
        }
        std::fs::write(&file, bytes).unwrap();
        let store = open(dir.path());
        if let Ok(bytes) = read(&store, second) {
            prop_assert!(bytes == later);
        }
        prop_assert!(read(&store, first).unwrap() == good);
    }
}
