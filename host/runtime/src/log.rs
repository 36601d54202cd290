//! What a guest says, by the `log` interface or by printing: cut, cleaned, counted, never in its
//! way. A guest must not fail because of what it prints, and a reader's terminal must not obey it.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::{Deserialize, Serialize};
use tune_core::Limits;
use wasmtime_wasi::async_trait;
use wasmtime_wasi::p2::{OutputStream, Pollable, StreamResult};
use wasmtime_wasi_io::bytes::Bytes;

/// Lines that an error shows.
const RECENT_LINES: usize = 10;
/// Bytes of a level and the space behind it: more than the longest has.
const LEVEL_BYTES: u64 = 16;
/// What a stream takes in one write: the usual size of WASI streams, it bounds host memory.
const WRITE_BYTES: usize = 64 << 10;

/// The log of one instance.
#[derive(Debug)]
pub(crate) struct Log {
    /// Lines since the last take.
    lines: Vec<u8>,
    /// Bytes that may still be logged.
    left: u64,
    line_bytes: usize,
    limit: u64,
    /// Bytes dropped since the last take.
    dropped: u64,
    recent: VecDeque<String>,
    stdout: Vec<u8>,
    stderr: Vec<u8>,
    /// Bytes received and not yet charged to the guest.
    uncharged: u64,
}

/// What of a log belongs to the state of its instance: how much may still be logged, and what an
/// error would show. Lines that nobody has taken yet are output, not state.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct LogState {
    left: u64,
    recent: VecDeque<String>,
}

impl LogState {
    /// Checks what was read from a file.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(crate) fn check(&self, limits: &Limits) -> Result<(), String> {
        if self.left > limits.log_bytes {
            return Err(format!(
                "{} bytes may still be logged, of {} in all",
                self.left, limits.log_bytes
            ));
        }
        let longest = limits.log_line_bytes.saturating_add(LEVEL_BYTES);
        if self.recent.len() > RECENT_LINES
            || self.recent.iter().any(|line| line.len() as u64 > longest)
        {
            return Err("its last log lines are too many or too long".to_owned());
        }
        Ok(())
    }
}

/// Standard output or error.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Printed {
    Out,
    Err,
}

impl Printed {
    fn level(self) -> &'static str {
        match self {
            Self::Out => "STDOUT",
            Self::Err => "STDERR",
        }
    }
}

impl Log {
    fn new(limits: &Limits) -> Self {
        Self {
            lines: Vec::new(),
            left: limits.log_bytes,
            line_bytes: usize::try_from(limits.log_line_bytes).unwrap_or(usize::MAX),
            limit: limits.log_bytes,
            dropped: 0,
            recent: VecDeque::new(),
            stdout: Vec::new(),
            stderr: Vec::new(),
            uncharged: 0,
        }
    }

    /// Adds a line; line breaks in it become spaces.
    pub(crate) fn line(&mut self, level: &str, message: &str) {
        self.uncharged += message.len() as u64;
        self.add(level, message);
    }

    /// Adds a line of the host's, which the guest does not pay for.
    pub(crate) fn note(&mut self, message: &str) {
        self.add("NOTE", message);
    }

    fn add(&mut self, level: &str, message: &str) {
        let kept = message.floor_char_boundary(self.line_bytes.min(message.len()));
        let (message, cut) = message.split_at(kept);
        self.dropped += cut.len() as u64;
        let clean: String = message
            .chars()
            .map(|c| if c.is_control() { ' ' } else { c })
            .collect();
        let line = format!("{level} {clean}\n");
        let bytes = line.len() as u64;
        if bytes <= self.left {
            self.left -= bytes;
            self.lines.extend_from_slice(line.as_bytes());
        } else {
            self.dropped += bytes;
        }
        if self.recent.len() == RECENT_LINES {
            self.recent.pop_front();
        }
        self.recent.push_back(line.trim_end().to_owned());
    }

    fn print(&mut self, printed: Printed, bytes: &[u8]) {
        self.uncharged += bytes.len() as u64;
        let partial = match printed {
            Printed::Out => &mut self.stdout,
            Printed::Err => &mut self.stderr,
        };
        let mut pending = std::mem::take(partial);
        for piece in bytes.split_inclusive(|b| *b == b'\n') {
            let (text, ends) = match piece.strip_suffix(b"\n") {
                Some(text) => (text, true),
                None => (piece, false),
            };
            let room = self
                .line_bytes
                .saturating_sub(pending.len())
                .min(text.len());
            let (kept, cut) = text.split_at(room);
            pending.extend_from_slice(kept);
            self.dropped += cut.len() as u64;
            if ends {
                self.add(printed.level(), &String::from_utf8_lossy(&pending));
                pending.clear();
            }
        }
        match printed {
            Printed::Out => self.stdout = pending,
            Printed::Err => self.stderr = pending,
        }
    }

    /// Ends the lines that were begun by printing.
    fn end_lines(&mut self) {
        for printed in [Printed::Out, Printed::Err] {
            let partial = match printed {
                Printed::Out => std::mem::take(&mut self.stdout),
                Printed::Err => std::mem::take(&mut self.stderr),
            };
            if !partial.is_empty() {
                self.add(printed.level(), &String::from_utf8_lossy(&partial));
            }
        }
    }

    /// The state between two steps. Begun lines are ended, as if they were taken now: when somebody
    /// takes them makes no difference to the state.
    pub(crate) fn state(&mut self) -> LogState {
        self.end_lines();
        LogState {
            left: self.left,
            recent: self.recent.clone(),
        }
    }

    /// Goes on from there. Lines that were not taken stay.
    pub(crate) fn restore(&mut self, state: &LogState) {
        self.end_lines();
        self.left = state.left;
        self.recent.clone_from(&state.recent);
    }

    /// Bytes kept of all that was logged so far; begun lines count as if they were ended now.
    pub(crate) fn used(&self) -> u64 {
        let begun = [(Printed::Out, &self.stdout), (Printed::Err, &self.stderr)];
        let begun = begun.into_iter().filter(|(_, partial)| !partial.is_empty());
        // Level, space, text, line break.
        let bytes = |(printed, partial): (Printed, &Vec<u8>)| {
            printed.level().len() as u64 + String::from_utf8_lossy(partial).len() as u64 + 2
        };
        let begun: u64 = begun.map(bytes).filter(|bytes| *bytes <= self.left).sum();
        let left = self.left.saturating_sub(begun);
        self.limit.saturating_sub(left)
    }

    /// Where the lines since the last take end.
    pub(crate) fn end(&mut self) -> usize {
        self.end_lines();
        self.lines.len()
    }

    /// Forgets what came after that end.
    pub(crate) fn forget(&mut self, end: usize) {
        self.stdout.clear();
        self.stderr.clear();
        self.lines.truncate(end);
    }

    /// Everything since the last take, with a note if something was dropped.
    pub(crate) fn take(&mut self) -> Vec<u8> {
        self.end_lines();
        let mut lines = std::mem::take(&mut self.lines);
        let dropped = std::mem::take(&mut self.dropped);
        if dropped > 0 {
            let note = format!(
                "NOTE {dropped} bytes dropped: lines are cut at {} bytes and the log ends at {}\n",
                self.line_bytes, self.limit
            );
            lines.extend_from_slice(note.as_bytes());
        }
        lines
    }

    /// The last lines, oldest first.
    pub(crate) fn recent(&self) -> Vec<String> {
        self.recent.iter().cloned().collect()
    }
}

/// The log of an instance, shared with the streams that it opened.
#[derive(Clone, Debug)]
pub(crate) struct SharedLog(Arc<Mutex<Log>>);

impl SharedLog {
    pub(crate) fn new(limits: &Limits) -> Self {
        Self(Arc::new(Mutex::new(Log::new(limits))))
    }

    /// Std mutex: held for one line or one take, by the one thread that runs the instance.
    pub(crate) fn lock(&self) -> MutexGuard<'_, Log> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Bytes since the last call of this, for the guest to pay.
    pub(crate) fn take_uncharged(&self) -> u64 {
        std::mem::take(&mut self.lock().uncharged)
    }

    /// A new stream onto the log.
    pub(crate) fn stream(&self, printed: Printed) -> Box<dyn OutputStream> {
        Box::new(LogStream {
            log: self.clone(),
            printed,
        })
    }
}

/// Standard output or error of a guest: always ready, never closed.
struct LogStream {
    log: SharedLog,
    printed: Printed,
}

#[async_trait]
impl Pollable for LogStream {
    async fn ready(&mut self) {}
}

impl OutputStream for LogStream {
    fn write(&mut self, bytes: Bytes) -> StreamResult<()> {
        self.log.lock().print(self.printed, &bytes);
        Ok(())
    }

    fn flush(&mut self) -> StreamResult<()> {
        Ok(())
    }

    fn check_write(&mut self) -> StreamResult<usize> {
        Ok(WRITE_BYTES)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn log(log_bytes: u64, log_line_bytes: u64) -> Log {
        Log::new(&Limits {
            log_bytes,
            log_line_bytes,
            ..Limits::default()
        })
    }

    fn taken(log: &mut Log) -> String {
        String::from_utf8(log.take()).unwrap()
    }

    #[test]
    fn printed_pieces_become_lines() {
        let mut log = log(1_000, 100);
        log.print(Printed::Out, b"loss ");
        log.print(Printed::Err, b"oh\n");
        log.print(Printed::Out, b"0.5\nnext");
        log.line("INFO", "done");
        assert_eq!(
            taken(&mut log),
            "STDERR oh\nSTDOUT loss 0.5\nINFO done\nSTDOUT next\n"
        );
        assert_eq!(taken(&mut log), "");
    }

    #[test]
    fn a_begun_line_is_used_room_whether_it_was_ended_or_not() {
        let mut log = log(40, 100);
        log.line("INFO", "done");
        log.print(Printed::Out, b"begun");
        let before = log.used();
        assert_eq!(before, "INFO done\nSTDOUT begun\n".len() as u64);
        log.end_lines();
        assert_eq!(log.used(), before);
        // What has no room any more is not kept, and not counted.
        log.print(Printed::Err, b"far too long for the rest of it");
        assert_eq!(log.used(), before);
    }

    #[test]
    fn control_characters_and_broken_text_do_no_harm() {
        let mut log = log(1_000, 100);
        log.line("INFO", "a\x1b[2Jb\nc");
        log.print(Printed::Out, b"\xff\n");
        assert_eq!(taken(&mut log), "INFO a [2Jb c\nSTDOUT \u{fffd}\n");
    }

    #[test]
    fn long_lines_are_cut_and_counted() {
        let mut log = log(1_000, 3);
        log.print(Printed::Out, b"ab");
        log.print(Printed::Out, b"cdef\n");
        log.line("INFO", "aéé");
        let text = taken(&mut log);
        assert!(
            text.starts_with("STDOUT abc\nINFO aé\nNOTE 5 bytes dropped"),
            "{text}"
        );
    }

    #[test]
    fn a_flood_is_dropped_and_counted_and_its_end_still_known() {
        let mut log = log(30, 100);
        for i in 0..1_000 {
            log.line("INFO", &format!("line {i:03}"));
        }
        let text = taken(&mut log);
        assert!(
            text.starts_with("INFO line 000\nINFO line 001\nNOTE 13972 bytes"),
            "{text}"
        );
        assert_eq!(log.recent().len(), RECENT_LINES);
        assert_eq!(log.recent().last().unwrap(), "INFO line 999");
        // The limit holds for the whole trial, not for each step.
        log.line("INFO", "more");
        assert!(taken(&mut log).starts_with("NOTE"));
    }
}
