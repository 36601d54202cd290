//! The files of the chunk store: damaged as disks do it, and forged with a table whose hash is right.

use std::collections::BTreeMap;
use std::io::Read;
use std::path::{Path, PathBuf};

use arbitrary::{Result, Unstructured};
use tempfile::TempDir;
use tune_fuzz::{Outcome, Target, mutate};
use tune_store::{
    Attachments, ChunkStore, Header, Memory, NewSnapshot, Purpose, Row, RunDir, RunReader,
    SnapshotInfo, SnapshotKey, SnapshotOf, StoreError,
};

/// What a snapshot holds.
#[derive(Clone, PartialEq, Eq)]
struct Content {
    header: Vec<u8>,
    memories: Vec<Vec<u8>>,
    portable: Option<Vec<u8>>,
}

struct Good {
    _dir: TempDir,
    path: PathBuf,
    files: BTreeMap<String, Vec<u8>>,
    contents: BTreeMap<SnapshotKey, Content>,
}

/// Longest memory that is read here; a forged length can be anything.
const MAX_BYTES: u64 = 64 << 20;

fn good() -> Good {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("run");
    let (run, journal) = RunDir::create(&path, &Header::default()).unwrap();
    for sequence in 0..8 {
        let row = Row {
            sequence,
            tick: sequence,
            trial: Some(0),
            kind: "report".to_owned(),
            body: Vec::new(),
            wall_ms: 0,
            step_us: 0,
            log_end: 0,
            usage: Vec::new(),
            digest: [0; 32],
        };
        journal.append(row, Attachments::none()).unwrap();
    }
    journal.close().unwrap();
    let mut contents = BTreeMap::new();
    // Shared and repeated chunks, zeros, noise, short ends, with and without portable bytes.
    for sequence in 0..4_u64 {
        let noise: Vec<u8> = (0..70_000_u64)
            .map(|i| (i.wrapping_mul(i + sequence / 2).wrapping_mul(0x9e37_79b9) >> 11) as u8)
            .collect();
        let content = Content {
            header: vec![sequence as u8; 100],
            memories: vec![
                [vec![0; 131_072], noise.clone(), vec![7; 100_000]].concat(),
                vec![sequence as u8; 65_536],
                Vec::new(),
            ],
            portable: sequence.is_multiple_of(2).then_some(noise),
        };
        let reports = sequence;
        let of = match sequence {
            3 => SnapshotOf::Searcher,
            _ => SnapshotOf::Trial { trial: 1, reports },
        };
        let key = SnapshotKey { of, sequence };
        let memories: Vec<_> = content.memories.iter().map(|m| m as &dyn Memory).collect();
        let mut portable = content.portable.as_deref();
        let new = NewSnapshot {
            key,
            purpose: Purpose::Periodic,
            wall_ms: 5,
            header: &content.header,
            memories: &memories,
            since: None,
            portable: portable.as_mut().map(|bytes| bytes as &mut dyn Read),
        };
        run.chunks().write(new).unwrap();
        contents.insert(key, content);
    }
    drop(run);
    let files = std::fs::read_dir(path.join("chunks"))
        .unwrap()
        .map(|entry| {
            let entry = entry.unwrap();
            let name = entry.file_name().into_string().unwrap();
            (name, std::fs::read(entry.path()).unwrap())
        })
        .collect();
    Good {
        _dir: dir,
        path,
        files,
        contents,
    }
}

fn target(name: &'static str, iterations: u64) -> Target {
    Target {
        name,
        iterations,
        seeds: Vec::new(),
        words: Vec::new(),
        scratch: crate::scratch(),
    }
}

#[test]
fn damaged_chunk_files_give_what_was_written_or_an_error() {
    let good = good();
    let summary = target("snapshot-files", 1_500).run(|entropy| {
        let files = change(&good.files, entropy, false).unwrap_or_default();
        let outcome = read(&good, &files, |key, content| {
            let wanted = good.contents.get(&key);
            assert!(
                wanted.is_some_and(|w| w == content),
                "{key:?} is not what was written"
            );
        });
        outcome.unwrap_or_else(|error| Outcome::refused(&error.to_string()))
    });
    assert!(summary.outcomes > 5, "{summary:?}");
}

#[test]
fn forged_chunk_files_are_read_or_refused() {
    let good = good();
    let summary = target("snapshot-forged", 1_500).run(|entropy| {
        let files = change(&good.files, entropy, true).unwrap_or_default();
        let outcome = read(&good, &files, |_, _| {});
        outcome.unwrap_or_else(|error| Outcome::refused(&error.to_string()))
    });
    assert!(summary.outcomes > 8, "{summary:?}");
}

type Files = BTreeMap<String, Vec<u8>>;

fn change(files: &Files, entropy: &[u8], forged: bool) -> Result<Files> {
    let u = &mut Unstructured::new(entropy);
    let mut files = files.clone();
    let names: Vec<_> = files.keys().cloned().collect();
    let others: Vec<_> = files.values().cloned().collect();
    for _ in 0..=u.int_in_range(0..=1)? {
        let name = u.choose(&names)?;
        let Some(mut bytes) = files.remove(name) else {
            continue;
        };
        match u.int_in_range(0..=15)? {
            0 => continue,
            1 => {
                files.insert("00000099.pack".to_owned(), bytes.clone());
            }
            2 => bytes = u.choose(&others)?.clone(),
            _ if forged => forge(&mut bytes, u)?,
            _ => mutate(&mut bytes, &others, &[], u)?,
        }
        files.insert(name.clone(), bytes);
    }
    Ok(files)
}

/// Changes the table of contents and gives it the right hash and foot.
fn forge(bytes: &mut Vec<u8>, u: &mut Unstructured<'_>) -> Result<()> {
    const FOOT_BYTES: usize = 56;
    let Some(foot_at) = bytes.len().checked_sub(FOOT_BYTES) else {
        return Ok(());
    };
    let number: [u8; 8] = bytes[foot_at..foot_at + 8].try_into().unwrap();
    let offset = (u64::from_le_bytes(number) as usize).min(foot_at);
    let mut table = bytes[offset..foot_at].to_vec();
    let magic = bytes[foot_at + 48..].to_vec();
    mutate(&mut table, &[], &[], u)?;
    bytes.truncate(offset);
    bytes.extend_from_slice(&table);
    bytes.extend_from_slice(&(offset as u64).to_le_bytes());
    bytes.extend_from_slice(&(table.len() as u64).to_le_bytes());
    bytes.extend_from_slice(blake3::hash(&table).as_bytes());
    bytes.extend_from_slice(&magic);
    Ok(())
}

/// Reads every snapshot that is listed, as a reader and sometimes as a writer that cleans up.
fn read(
    good: &Good,
    files: &Files,
    check: impl Fn(SnapshotKey, &Content),
) -> std::result::Result<Outcome, StoreError> {
    let folder = good.path.join("chunks");
    put(&folder, files);
    let chunks = RunReader::open(&good.path)?.chunks()?;
    let mut first = None;
    let (mut intact, mut bad) = (0, 0);
    for info in chunks.list() {
        match content(&chunks, &info) {
            Ok(Some(content)) => {
                intact += 1;
                check(info.key, &content);
            }
            Ok(None) => {}
            Err(error) => {
                bad += 1;
                first.get_or_insert(error);
            }
        }
    }
    let _ = (chunks.usage().ratio(), chunks.find(&SnapshotOf::Searcher));
    for damage in chunks.damages() {
        first.get_or_insert(damage);
    }
    // Every eighth time, by the length of what is there: opening for writing syncs.
    let length: usize = files.values().map(Vec::len).sum();
    if length.is_multiple_of(8) {
        let opened = RunDir::open_writable(&good.path)?;
        let keep = |info: &SnapshotInfo| info.key.sequence == 1;
        let freed = opened.dir.chunks().retain(&keep);
        for info in opened.dir.chunks().list() {
            if let Ok(Some(content)) = content(opened.dir.chunks(), &info) {
                check(info.key, &content);
            }
        }
        opened.journal.close()?;
        freed?;
    }
    match first {
        Some(error) => Err(error),
        None => Ok(Outcome::taken(format!("{intact} intact, {bad} not"))),
    }
}

fn put(folder: &Path, files: &Files) {
    std::fs::remove_dir_all(folder).unwrap();
    std::fs::create_dir(folder).unwrap();
    for (name, bytes) in files {
        std::fs::write(folder.join(name), bytes).unwrap();
    }
}

/// All of a snapshot; none if it is larger than any that was written.
fn content(
    chunks: &ChunkStore,
    info: &SnapshotInfo,
) -> std::result::Result<Option<Content>, StoreError> {
    let header = chunks.header(info.id)?;
    let lens = chunks.memory_lens(info.id)?;
    let verified = chunks.verify(info.id);
    if lens.iter().any(|len| *len > MAX_BYTES) {
        return Ok(None);
    }
    let mut memories = Vec::new();
    for (index, len) in lens.into_iter().enumerate() {
        let mut memory = vec![0; len as usize];
        chunks.read_memory(info.id, index, &mut |offset, bytes| {
            let at = offset as usize;
            memory[at..at + bytes.len()].copy_from_slice(bytes);
            Ok(())
        })?;
        memories.push(memory);
    }
    let mut portable = None;
    if let Some(mut source) = chunks.portable(info.id)? {
        if source.byte_len() > MAX_BYTES {
            return Ok(None);
        }
        let mut bytes = Vec::new();
        if source.read_to_end(&mut bytes).is_err() {
            assert!(verified.is_err());
            verified?;
            return Ok(None);
        }
        portable = Some(bytes);
    }
    verified?;
    Ok(Some(Content {
        header,
        memories,
        portable,
    }))
}
