//! One writer a run: an advisory lock that the system drops when the process dies, however it dies.

use std::fs::{File, TryLockError};
use std::io::{Read, Seek, Write};
use std::path::Path;
use std::thread;
use std::time::Duration;

use cap_std::fs::{Dir, OpenOptions};

use crate::StoreError;

const LOCK_FILE: &str = "lock";

/// A reader that looks whether a run is alive holds the lock for some microseconds; a writer that
/// comes just then tries again this often.
const ATTEMPTS: u32 = 10;
const PAUSE: Duration = Duration::from_millis(20);

/// Held while this process may write the run.
#[derive(Debug)]
pub(crate) struct Lock {
    _file: File,
}

impl Lock {
    /// Takes the lock and notes the process down for others to name.
    pub(crate) fn take(dir: &Dir, path: &Path) -> Result<Self, StoreError> {
        let io = |error: &_| StoreError::io(path, "taking the lock", error);
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true);
        let mut file = dir
            .open_with(LOCK_FILE, &options)
            .map_err(|e| io(&e))?
            .into_std();
        for attempt in 1.. {
            match file.try_lock() {
                Ok(()) => break,
                Err(TryLockError::WouldBlock) if attempt < ATTEMPTS => thread::sleep(PAUSE),
                Err(TryLockError::WouldBlock) => {
                    return Err(StoreError::InUse {
                        path: path.to_owned(),
                        process: holder(&mut file),
                    });
                }
                Err(TryLockError::Error(error)) => return Err(io(&error)),
            }
        }
        // Only a courtesy to others: on a full disk the lock is held all the same.
        let noted = file
            .set_len(0)
            .and_then(|()| file.rewind())
            .and_then(|()| writeln!(file, "{}", std::process::id()));
        match noted {
            Err(error) if !StoreError::io(path, "", &error).is_disk_full() => Err(io(&error)),
            _ => Ok(Self { _file: file }),
        }
    }

    /// Some process holds the lock of this run right now.
    pub(crate) fn is_held(dir: &Dir) -> bool {
        let Ok(file) = dir.open(LOCK_FILE) else {
            return false;
        };
        matches!(
            file.into_std().try_lock_shared(),
            Err(TryLockError::WouldBlock)
        )
    }
}

fn holder(file: &mut File) -> String {
    // A process id has at most ten digits.
    let mut text = String::new();
    let read = file
        .rewind()
        .and_then(|()| file.take(10).read_to_string(&mut text));
    match read {
        Ok(_) if !text.trim().is_empty() => text.trim().to_owned(),
        _ => "unknown".to_owned(),
    }
}
