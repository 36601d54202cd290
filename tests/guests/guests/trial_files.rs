//! Reads a granted directory as a standard library does, and tries what nobody may do with it. By the text
//! parameter `does`:
//!
//! - `walk` (else): lists `/data` and reads all of it, one step after the other; reports the number of
//!   entries, bytes, and a hash of names, kinds, order, sizes and times;
//! - `hold`: keeps a file and a listing open between steps, and goes on reading;
//! - `escape`: tries ways out and ways to change something; `loss` counts those that were not refused as they
//!   must be;
//! - `open`: opens files without end; `huge`: asks for a hundred terabytes at once.

use std::{
    fs::{self, File, FileTimes, OpenOptions, ReadDir},
    io::{ErrorKind, Read as _, Seek as _, SeekFrom},
    path::Path,
    time::UNIX_EPOCH,
};

use tune_plugin::{Change, Config, Failure, Reconfigured, Report, Trainable, TrialInfo, log};

struct Files {
    does: String,
    step: u32,
    held: Option<(File, ReadDir)>,
    seen: u64,
    rate: f64,
    /// Where `hold` begins to read: another place in each trial.
    start: u64,
}

fn failure(what: &str, error: impl std::fmt::Display) -> Failure {
    format!("{what}: {error}").as_str().into()
}

impl Files {
    fn note(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.seen = (self.seen ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01B3);
        }
    }

    fn walk(&mut self, path: &Path) -> Result<(u32, u64), Failure> {
        let (mut count, mut bytes) = (0, 0);
        for entry in fs::read_dir(path).map_err(|e| failure("read_dir", e))? {
            let entry = entry.map_err(|e| failure("entry", e))?;
            let metadata = entry.metadata().map_err(|e| failure("metadata", e))?;
            let path = entry.path();
            log::info!("{} {}", path.display(), metadata.len());
            self.note(path.to_string_lossy().as_bytes());
            let modified = metadata.modified().map_err(|e| failure("modified", e))?;
            let since = modified.duration_since(UNIX_EPOCH).unwrap_or_default();
            self.note(&since.as_nanos().to_le_bytes());
            count += 1;
            if metadata.is_dir() {
                let (inner, more) = self.walk(&path)?;
                count += inner;
                bytes += more;
            } else {
                let content = fs::read(&path).map_err(|e| failure("read", e))?;
                assert_eq!(content.len() as u64, metadata.len());
                self.note(&content);
                bytes += metadata.len();
            }
        }
        Ok((count, bytes))
    }

    /// A few bytes and one entry a step, through handles that stay open.
    fn hold(&mut self) -> Result<(u32, u64), Failure> {
        let (mut file, mut listing) = match self.held.take() {
            Some(held) => held,
            None => {
                let mut file = File::open("/data/b.bin").map_err(|e| failure("open", e))?;
                let start = SeekFrom::Start(self.start);
                file.seek(start).map_err(|e| failure("seek", e))?;
                let listing = fs::read_dir("/data").map_err(|e| failure("read_dir", e))?;
                (file, listing)
            }
        };
        let mut part = [0; 3];
        file.read_exact(&mut part).map_err(|e| failure("read", e))?;
        self.note(&part);
        let name = match listing.next() {
            Some(entry) => entry.map_err(|e| failure("entry", e))?.file_name(),
            None => Default::default(),
        };
        self.note(name.as_encoded_bytes());
        log::info!("{part:?} {}", name.display());
        self.held = Some((file, listing));
        Ok((1, 3))
    }
}

/// Ways that must fail, each with the kind of error that it must have.
fn wrong_ways() -> Vec<String> {
    use ErrorKind::{NotADirectory, NotFound, PermissionDenied, ReadOnlyFilesystem};
    let mut wrong = Vec::new();
    let mut refused = |way: &str, kinds: &[ErrorKind], result: std::io::Result<()>| match result {
        Err(error) if kinds.contains(&error.kind()) => {}
        Err(error) => wrong.push(format!("{way}: {:?}", error.kind())),
        Ok(()) => wrong.push(format!("{way}: nothing hindered it")),
    };
    // A path that leads nowhere granted is found in no directory, or is not permitted in it.
    let out = [
        NotFound,
        PermissionDenied,
        ErrorKind::Other,
        ErrorKind::Unsupported,
    ];
    for path in [
        "/data/../secret",
        "/data/sub/../../secret",
        "/data/..",
        "/secret",
        "../secret",
        "/",
        "/etc/passwd",
        "/proc/self/maps",
        "/data/sub/../../data/../secret",
        "/data//../secret",
    ] {
        refused(path, &out, fs::read(path).map(drop));
        refused(path, &out, fs::read_dir(path).map(drop));
    }
    refused(
        "slash",
        &[NotADirectory],
        fs::read("/data/b.bin/").map(drop),
    );
    refused(
        "below a file",
        &[NotADirectory],
        fs::read("/data/b.bin/x").map(drop),
    );
    refused("missing", &[NotFound], fs::read("/data/none").map(drop));
    refused(
        "list a file",
        &[NotADirectory],
        fs::read_dir("/data/b.bin").map(drop),
    );
    let changes = [ReadOnlyFilesystem];
    refused("create", &changes, File::create("/data/new").map(drop));
    refused(
        "create over",
        &changes,
        File::create("/data/b.bin").map(drop),
    );
    let writing = |options: &mut OpenOptions| options.open("/data/b.bin").map(drop);
    refused("write", &changes, writing(OpenOptions::new().write(true)));
    refused("append", &changes, writing(OpenOptions::new().append(true)));
    refused(
        "write too",
        &changes,
        writing(OpenOptions::new().read(true).write(true)),
    );
    refused(
        "truncate",
        &changes,
        writing(OpenOptions::new().write(true).truncate(true)),
    );
    refused("remove", &changes, fs::remove_file("/data/b.bin"));
    refused("mkdir", &changes, fs::create_dir("/data/new"));
    refused("rmdir", &changes, fs::remove_dir("/data/sub"));
    refused("rename", &changes, fs::rename("/data/b.bin", "/data/c"));
    refused("link", &changes, fs::hard_link("/data/b.bin", "/data/c"));
    if let Ok(file) = File::open("/data/b.bin") {
        let times = FileTimes::new().set_modified(UNIX_EPOCH);
        let no = [
            ReadOnlyFilesystem,
            PermissionDenied,
            ErrorKind::InvalidInput,
        ];
        refused("times", &no, file.set_times(times));
        refused("size", &no, file.set_len(0));
        if std::io::Write::write(&mut &file, b"x").is_ok() {
            wrong.push("write to it: nothing hindered it".to_owned());
        }
    }
    wrong
}

impl Trainable for Files {
    const NAME: &'static str = "trial-files";
    const SUMMARY: &'static str = "Reads a granted directory and reports what it saw";
    const GRANTS: &'static [&'static str] = &["directory"];
    const MUTABLE_PARAMETERS: &'static [&'static str] = &["rate"];

    fn setup(info: &TrialInfo, config: &Config) -> Result<Self, Failure> {
        println!("the standard library keeps its handles from now on");
        Ok(Self {
            does: config.read_or("does", "walk".to_owned())?,
            step: 0,
            held: None,
            seen: 0,
            rate: config.read_or("rate", 1.0)?,
            start: info.seed % 1_000,
        })
    }

    fn step(&mut self) -> Result<Report, Failure> {
        self.step += 1;
        let (mut entries, mut bytes, mut loss) = (0, 0, 1.0 / (self.rate * f64::from(self.step)));
        match self.does.as_str() {
            "hold" => (entries, bytes) = self.hold()?,
            "escape" => {
                let wrong = wrong_ways();
                log::info!("{wrong:?}");
                loss = wrong.len() as f64;
            }
            "open" => {
                let mut held = Vec::new();
                loop {
                    held.push(File::open("/data/b.bin").map_err(|e| failure("open", e))?);
                }
            }
            "huge" => {
                let mut file = File::open("/data/b.bin").map_err(|e| failure("open", e))?;
                let end = file.seek(SeekFrom::Start(1 << 50)).and_then(|_| {
                    let mut past = Vec::new();
                    file.read_to_end(&mut past)
                });
                entries = u32::from(end.is_ok_and(|bytes| bytes == 0));
                let mut large = vec![0; 8 << 20];
                file.rewind().map_err(|e| failure("rewind", e))?;
                bytes = file.read(&mut large).map_err(|e| failure("read", e))? as u64;
            }
            _ => (entries, bytes) = self.walk(Path::new("/data"))?,
        }
        // 32 bits, which an f64 holds exactly.
        Ok(Report::default()
            .with("loss", loss)
            .with("entries", f64::from(entries))
            .with("bytes", bytes as f64)
            .with("seen", f64::from(self.seen as u32)))
    }

    fn reconfigure(&mut self, change: &Change) -> Result<Reconfigured, Failure> {
        self.rate = change.config.read_or("rate", 1.0)?;
        Ok(Reconfigured::Applied)
    }
}

tune_plugin::export_trainable!(Files);
