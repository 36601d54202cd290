//! Who compiles a component, and what that may cost.
//!
//! Compiling is the one thing that a file makes the host do before any limit of the sandbox holds,
//! and a small file can make it slow or hungry. wasmtime leaves that to the embedder, and nothing
//! stops a compiler from outside but the end of its process: so a stranger's component is compiled
//! by a child process that bounds its own memory and that is killed when its time is over. The
//! child ends by itself when its parent is gone.

use std::ffi::OsString;
use std::fmt::Write as _;
use std::io::{Read, Write};
use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tune_core::Metering;

use crate::from_guest::message;
use crate::load_error::{LoadError, LoadProblem};

/// Who compiles a component that is not in the cache, if it is a stranger's. Those that are loaded
/// with [`crate::Runtime::load_trusted`] are always compiled in this process.
#[derive(Clone, Debug, Default)]
pub enum Compiler {
    /// This process, on one thread a core, **without a bound on time and memory**: for programs that
    /// load what they trust, or are bounded from outside. The default.
    #[default]
    InProcess,
    /// A process for each, bounded.
    Child(CompilerChild),
}

/// A process that compiles one component.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CompilerChild {
    /// A program that calls [`crate::compile_child`] and nothing else when it gets `arguments`; it
    /// must be of the same build as this one.
    pub program: PathBuf,
    /// What it is started with.
    pub arguments: Vec<OsString>,
    /// It is killed after so long.
    pub time: Duration,
    /// Bytes of memory that it may take beyond what it begins with, and bytes of code.
    pub memory_bytes: u64,
}

/// What the child is told before the component, in one line.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Task {
    pub(crate) metering: Metering,
    pub(crate) strict: bool,
    pub(crate) memory_bytes: u64,
    /// Bytes of the component.
    pub(crate) size: u64,
}

/// The first byte of an answer: code follows, with its length in front.
pub(crate) const CODE: u8 = b'C';
/// The first byte of an answer: a text follows, why there is none.
pub(crate) const REFUSED: u8 = b'R';
/// The whole answer: there was not enough memory.
pub(crate) const NO_MEMORY: u8 = b'M';

/// Bytes of what a child says on standard error that are read: a panic and its place.
const MAX_SAID: u64 = 4 << 10;
/// What the standard library says last when memory cannot be had.
const ALLOCATION_FAILED: &str = "memory allocation of";

/// Why there is no code.
#[derive(Debug)]
enum Problem {
    Time,
    Memory,
    Refused(String),
    Crashed(String),
    NotStarted(std::io::Error),
}

/// A child that does not outlive whoever waits for it.
struct Leashed(Child);

impl Leashed {
    /// Ends it, and says how it ended: by itself, if it had done so already.
    fn end(&mut self) -> Option<ExitStatus> {
        drop(self.0.kill());
        self.0.wait().ok()
    }
}

impl Drop for Leashed {
    fn drop(&mut self) {
        self.end();
    }
}

impl CompilerChild {
    /// Compiles a component. Returns what [`wasmtime::Engine::precompile_component`] returned there.
    pub(crate) fn compile(
        &self,
        metering: Metering,
        strict: bool,
        bytes: &[u8],
    ) -> Result<Vec<u8>, LoadError> {
        let task = Task {
            metering,
            strict,
            memory_bytes: self.memory_bytes,
            size: bytes.len() as u64,
        };
        self.attempt(&task, bytes)
            .map_err(|problem| self.explain(&problem))
    }

    fn attempt(&self, task: &Task, bytes: &[u8]) -> Result<Vec<u8>, Problem> {
        let mut line = serde_json::to_vec(task).map_err(|e| Problem::Crashed(e.to_string()))?;
        line.push(b'\n');
        // Standard streams are all that it inherits: everything else is opened to be closed.
        let child = Command::new(&self.program)
            .args(&self.arguments)
            .env_clear()
            .current_dir("/")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(Problem::NotStarted)?;
        let mut child = Leashed(child);
        let (stdin, stdout, stderr) = (
            child.0.stdin.take(),
            child.0.stdout.take(),
            child.0.stderr.take(),
        );
        thread::scope(|scope| {
            // Its input stays open while it works; it ends when it is closed.
            let feeding = scope.spawn(move || feed(stdin, &line, bytes));
            let (sender, answers) = mpsc::channel();
            let most = self.memory_bytes.saturating_add(1);
            scope.spawn(move || drop(sender.send(read(stdout, most))));
            let listening = scope.spawn(move || read(stderr, MAX_SAID));
            let answer = answers.recv_timeout(self.time);
            let status = child.end();
            drop(feeding.join());
            let said = listening.join().unwrap_or_default();
            let answer = answer.map_err(|_| Problem::Time)?;
            self.judge(answer, status, &String::from_utf8_lossy(&said))
        })
    }

    fn judge(
        &self,
        mut answer: Vec<u8>,
        status: Option<ExitStatus>,
        said: &str,
    ) -> Result<Vec<u8>, Problem> {
        if answer.len() as u64 > self.memory_bytes || answer.first() == Some(&NO_MEMORY) {
            return Err(Problem::Memory);
        }
        match answer.split_first() {
            Some((&CODE, rest)) => {
                let code = rest.split_first_chunk::<8>();
                let whole = code
                    .is_some_and(|(length, code)| u64::from_le_bytes(*length) == code.len() as u64);
                if whole {
                    answer.drain(..9);
                    return Ok(answer);
                }
            }
            Some((&REFUSED, text)) => {
                return Err(Problem::Refused(message(&String::from_utf8_lossy(text))));
            }
            _ => {}
        }
        if said.contains(ALLOCATION_FAILED) {
            return Err(Problem::Memory);
        }
        let mut how = status.map_or_else(
            || "in an unknown way".to_owned(),
            |status| match (status.signal(), status.code()) {
                (Some(signal), _) => format!("by signal {signal}"),
                (None, Some(code)) => format!("with exit code {code}"),
                (None, None) => status.to_string(),
            },
        );
        if !said.trim().is_empty() {
            // Writing to a string cannot fail.
            let _ = write!(how, ": {}", message(said.trim()));
        }
        Err(Problem::Crashed(how))
    }

    fn explain(&self, problem: &Problem) -> LoadError {
        let Self {
            time, memory_bytes, ..
        } = self;
        let (text, hint) = match problem {
            Problem::Time => (
                format!("compiling it took more than {time:?} (`compile_time`), and was ended"),
                "raise `compile_time` in [limits] if you trust it, or build it with smaller functions",
            ),
            Problem::Memory => (
                format!(
                    "compiling it took more than {memory_bytes} bytes of memory (`compile_memory`), \
                     and was ended"
                ),
                "raise `compile_memory` in [limits] if you trust it, or build it with smaller functions",
            ),
            Problem::Refused(why) => (
                why.clone(),
                "the component is valid and cannot be compiled: please report it",
            ),
            Problem::Crashed(how) => (
                format!("the compiler ended {how}"),
                "the component is valid and cannot be compiled: please report it",
            ),
            Problem::NotStarted(error) => (
                format!("the compiler cannot be started: {error}"),
                "end other programs, or look whether this user may start processes",
            ),
        };
        LoadError::new(LoadProblem::Load, text, hint)
    }
}

/// Gives the child its task. If it dies meanwhile, its answer says why.
fn feed(stdin: Option<ChildStdin>, line: &[u8], bytes: &[u8]) -> Option<ChildStdin> {
    let mut stdin = stdin?;
    drop(stdin.write_all(line).and_then(|()| stdin.write_all(bytes)));
    Some(stdin)
}

/// Reads to the end, or so many bytes.
fn read(from: Option<impl Read>, most: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    if let Some(from) = from {
        // What cannot be read is missed by whoever judges the answer.
        drop(from.take(most).read_to_end(&mut bytes));
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    fn child(program: &str, arguments: &[&str]) -> CompilerChild {
        CompilerChild {
            program: program.into(),
            arguments: arguments.iter().map(OsString::from).collect(),
            time: Duration::from_millis(200),
            memory_bytes: 1_000,
        }
    }

    fn compiled(child: &CompilerChild) -> Result<Vec<u8>, LoadError> {
        child.compile(Metering::Full, false, b"component")
    }

    fn shell(script: &str) -> Result<Vec<u8>, LoadError> {
        compiled(&child("/bin/sh", &["-c", script]))
    }

    #[test]
    fn a_whole_answer_is_the_code() {
        let code = shell(r"printf 'C\003\0\0\0\0\0\0\0abc'").unwrap();
        assert_eq!(code, b"abc");
    }

    #[test]
    fn a_compiler_that_never_ends_is_killed_and_the_limit_named() {
        let error = shell("exec sleep 1000").unwrap_err();
        assert_eq!(
            error.message,
            "compiling it took more than 200ms (`compile_time`), and was ended"
        );
        assert!(error.hint.contains("`compile_time`"), "{}", error.hint);
    }

    #[test]
    fn a_compiler_that_takes_too_much_memory_or_makes_too_much_code_names_the_limit() {
        for script in [
            "printf M",
            "echo memory allocation of 7 bytes failed >&2; kill -ABRT $$",
            "exec cat /dev/zero",
        ] {
            let error = shell(script).unwrap_err();
            assert!(
                error
                    .message
                    .contains("1000 bytes of memory (`compile_memory`)"),
                "{script}: {}",
                error.message
            );
        }
    }

    #[test]
    fn a_compiler_that_dies_or_babbles_is_no_compiler() {
        for (script, part) in [
            (
                "echo panicked >&2; exit 101",
                "with exit code 101: panicked",
            ),
            ("kill -SEGV $$", "by signal 11"),
            (r"printf 'C\004\0\0\0\0\0\0\0abc'", "with exit code 0"),
            ("printf x", "with exit code 0"),
        ] {
            let error = shell(script).unwrap_err();
            assert!(error.message.contains(part), "{script}: {}", error.message);
        }
        let error = shell(r"printf 'Rno such \033[31mthing'").unwrap_err();
        assert_eq!(error.message, "no such  [31mthing");
    }

    #[test]
    fn a_compiler_that_is_not_there_is_told() {
        let error = compiled(&child("/no/such/program", &[])).unwrap_err();
        assert!(error.message.contains("cannot be started"), "{error}");
    }
}
