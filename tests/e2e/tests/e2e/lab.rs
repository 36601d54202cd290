//! A temporary directory in which the real binary runs, and what it said.

use std::{
    collections::BTreeMap,
    env, fs,
    io::{BufRead as _, BufReader, Read},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{
        Arc, OnceLock,
        atomic::{AtomicU64, Ordering},
    },
    thread,
    time::{Duration, Instant, SystemTime},
};

use serde_json::Value;

use crate::experiment::Experiment;

/// No command of these tests takes a tenth of it, even on a machine that is busy with other things;
/// a command that hangs must not hang the tests.
const PATIENCE: Duration = Duration::from_secs(300);

/// The folder of the workspace.
pub(crate) fn workspace() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .ancestors()
        .nth(2)
        .unwrap()
}

/// The binary, of the profile with which this test was built. Where the build that made this test
/// made it too, it is used; else cargo is asked for it, of the whole workspace, so that features, and
/// with them wasmtime, are those of that build.
pub(crate) fn binary() -> &'static Path {
    static BINARY: OnceLock<PathBuf> = OnceLock::new();
    BINARY.get_or_init(|| {
        // PROFILE/deps/e2e-HASH
        let test = env::current_exe().unwrap();
        let profile = test.ancestors().nth(2).unwrap();
        let binary = profile.join("tune-host");
        let made = fs::metadata(&binary).and_then(|file| file.modified());
        if made.is_ok_and(|made| made > last_change()) {
            return binary;
        }
        let mut cargo = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        cargo
            .current_dir(workspace())
            .args(["build", "--quiet", "--workspace", "--bin", "tune-host"])
            .arg("--target-dir")
            .arg(profile.parent().unwrap());
        if profile.ends_with("release") {
            cargo.arg("--release");
        }
        assert!(
            cargo.status().unwrap().success(),
            "tune-host does not build"
        );
        binary
    })
}

/// When a source of the binary was changed last.
fn last_change() -> SystemTime {
    fn newest(path: &Path) -> SystemTime {
        let entry = fs::metadata(path).unwrap();
        if !entry.is_dir() {
            return entry.modified().unwrap();
        }
        let children = fs::read_dir(path)
            .unwrap()
            .map(|child| child.unwrap().path());
        children
            .map(|child| newest(&child))
            .max()
            .unwrap_or(SystemTime::UNIX_EPOCH)
    }
    let sources = ["host", "sdk", "plugins", "wit", "Cargo.toml", "Cargo.lock"];
    sources
        .map(|name| newest(&workspace().join(name)))
        .into_iter()
        .max()
        .unwrap()
}

/// A temporary directory; commands run in it.
pub(crate) struct Lab {
    dir: tempfile::TempDir,
}

impl Lab {
    pub(crate) fn new() -> Self {
        Self {
            dir: tempfile::tempdir().unwrap(),
        }
    }

    /// A path in the directory.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Writes a file, with the folders above it.
    pub(crate) fn write(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, content).unwrap();
        path
    }

    /// The text of a file.
    pub(crate) fn read(&self, name: &str) -> String {
        let path = self.path(name);
        String::from_utf8(fs::read(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display())))
            .unwrap()
    }

    /// Every file below a folder, with its content.
    pub(crate) fn tree(&self, name: &str) -> BTreeMap<PathBuf, Vec<u8>> {
        fn collect(folder: &Path, files: &mut BTreeMap<PathBuf, Vec<u8>>) {
            for entry in fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    collect(&path, files);
                } else {
                    files.insert(path.clone(), fs::read(path).unwrap());
                }
            }
        }
        let mut files = BTreeMap::new();
        collect(&self.path(name), &mut files);
        files
    }

    /// A command line of the binary, in this directory.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(binary());
        command
            .current_dir(self.dir.path())
            .args(arguments)
            .env_remove("TUNE_HOST_PLUGINS")
            .env_remove("NO_COLOR")
            // Compiled plugins are kept between tests, apart from those of the user.
            .env(
                "XDG_CACHE_HOME",
                Path::new(env!("CARGO_TARGET_TMPDIR")).join("cache"),
            )
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    /// Starts a command without waiting for it.
    pub(crate) fn start(&self, arguments: &[&str]) -> Started {
        Started::new(self.command(arguments))
    }

    /// Runs a command to its end.
    pub(crate) fn tune(&self, arguments: &[&str]) -> Finished {
        self.start(arguments).wait()
    }

    /// Writes `NAME.toml` and runs it.
    pub(crate) fn run(&self, experiment: &Experiment, more: &[&str]) -> Finished {
        let file = self.file(experiment);
        self.tune(&[&["run", &file], more].concat())
    }

    /// Writes `NAME.toml`.
    pub(crate) fn file(&self, experiment: &Experiment) -> String {
        let file = format!("{}.toml", experiment.name);
        self.write(&file, experiment.to_toml());
        file
    }

    /// Whether there is something to compute on, in hardware or software. If not, tests that need it have nothing to
    /// see; with `TUNE_TEST_GPU=required` that is an error, so that nobody believes they were run.
    pub(crate) fn has_gpu(&self) -> bool {
        let doctor = self.tune(&["doctor", "--format", "json"]).json();
        let there = !doctor["gpus"].as_array().unwrap().is_empty();
        let is_required = std::env::var("TUNE_TEST_GPU").is_ok_and(|word| word == "required");
        assert!(there || !is_required, "no GPU: {doctor}");
        there
    }

    /// A run as `show --format json` gives it.
    pub(crate) fn show(&self, run: &str) -> Value {
        self.tune(&["show", run, "--format", "json"])
            .exits(0)
            .json()
    }

    /// Where a run stands; none if it is not there, or was never whole.
    pub(crate) fn status(&self, run: &str) -> Option<String> {
        let shown = self.tune(&["show", run, "--format", "json"]);
        let status = |shown: Value| Some(shown["status"].as_str()?.to_owned());
        (shown.code == Some(0))
            .then(|| status(shown.json()))
            .flatten()
    }

    /// One trial of a run, with all its reports.
    pub(crate) fn trial(&self, run: &str, trial: u32) -> Value {
        self.tune(&["show", run, &trial.to_string(), "--format", "json"])
            .exits(0)
            .json()
    }

    /// The decision digest of a run.
    pub(crate) fn digest(&self, run: &str) -> String {
        let digest = self.show(run)["digest"].as_str().unwrap().to_owned();
        assert_eq!(digest.len(), 64, "{digest}");
        digest
    }

    /// The status of every trial, by its number.
    pub(crate) fn statuses(&self, run: &str) -> Vec<String> {
        let run = self.show(run);
        let status = |trial: &Value| {
            let kind = trial["failure_kind"].as_str();
            kind.or(trial["status"].as_str()).unwrap().to_owned()
        };
        run["trials"]
            .as_array()
            .unwrap()
            .iter()
            .map(status)
            .collect()
    }
}

/// A process that is running. Its output is read meanwhile.
pub(crate) struct Started {
    child: Child,
    readers: [thread::JoinHandle<String>; 2],
    lines: Lines,
}

/// How many lines a process has said on standard error so far.
#[derive(Clone, Default)]
pub(crate) struct Lines(Arc<AtomicU64>);

impl Lines {
    pub(crate) fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

impl Started {
    fn new(mut command: Command) -> Self {
        let mut child = command.spawn().unwrap();
        let (out, err) = (child.stdout.take().unwrap(), child.stderr.take().unwrap());
        let lines = Lines::default();
        Self {
            child,
            readers: [read(out, Lines::default()), read(err, lines.clone())],
            lines,
        }
    }

    /// Of the process.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn lines(&self) -> Lines {
        self.lines.clone()
    }

    /// Waits until something is there, or the process has ended.
    pub(crate) fn until(&mut self, condition: impl Fn() -> bool) {
        let begin = Instant::now();
        while !condition() && self.child.try_wait().unwrap().is_none() {
            assert!(begin.elapsed() < PATIENCE, "it never comes");
            thread::sleep(Duration::from_millis(1));
        }
    }

    /// Kills it so that it cannot know.
    pub(crate) fn kill(mut self) -> Finished {
        self.child.kill().unwrap();
        self.wait()
    }

    /// What Ctrl-C sends.
    pub(crate) fn interrupt(&self) {
        let id = self.child.id().to_string();
        assert!(
            Command::new("kill")
                .args(["-INT", &id])
                .status()
                .unwrap()
                .success()
        );
    }

    /// Waits for its end.
    pub(crate) fn wait(mut self) -> Finished {
        let begin = Instant::now();
        let status = loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                break status;
            }
            if begin.elapsed() > PATIENCE {
                self.child.kill().unwrap();
                panic!("a command does not end");
            }
            thread::sleep(Duration::from_millis(2));
        };
        let [stdout, stderr] = self.readers.map(|reader| reader.join().unwrap());
        Finished {
            code: status.code(),
            stdout,
            stderr,
        }
    }
}

fn read(from: impl Read + Send + 'static, lines: Lines) -> thread::JoinHandle<String> {
    thread::spawn(move || {
        let mut from = BufReader::new(from);
        let mut text = String::new();
        while from.read_line(&mut text).unwrap() > 0 {
            lines.0.fetch_add(1, Ordering::Relaxed);
        }
        text
    })
}

/// A command that has ended.
#[derive(Debug)]
pub(crate) struct Finished {
    /// None: ended by a signal.
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Finished {
    /// It ended with this exit code.
    #[track_caller]
    pub(crate) fn exits(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "{self}");
        self
    }

    /// Standard error holds all of these.
    #[track_caller]
    pub(crate) fn says(self, parts: &[&str]) -> Self {
        for part in parts {
            assert!(self.stderr.contains(part), "no {part:?} in\n{self}");
        }
        self
    }

    /// Standard output as JSON.
    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|e| panic!("{e}\n{self}"))
    }

    /// The command that goes on with a run is the last thing said.
    #[track_caller]
    pub(crate) fn ends_with_resume_of(self, run: &str) -> Self {
        let last = self.stderr.trim_end().lines().last().unwrap_or_default();
        assert!(
            last.contains("tune-host resume ") && last.contains(run),
            "{self}"
        );
        self
    }
}

impl std::fmt::Display for Finished {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self {
            code,
            stdout,
            stderr,
        } = self;
        write!(
            f,
            "exit code {code:?}\n--- stdout\n{stdout}\n--- stderr\n{stderr}"
        )
    }
}
