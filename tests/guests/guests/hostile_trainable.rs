//! Does what `hostile` says, once, and else trains well: four steps that draw numbers, hash, print and
//! write a file. A name that begins with `good` is the latter. Each way is a row of the threat table.

use std::{
    collections::HashMap,
    env, fs,
    hash::{BuildHasher as _, RandomState},
    hint::black_box,
    io::{Read as _, Write as _},
    net::{TcpStream, UdpSocket},
    process, thread,
    time::Duration,
};

use tune_plugin::{Config, Failure, Report, Stream, Trainable, TrialInfo, artifact, data, log};

struct Hostile {
    how: String,
    step: u32,
    draws: Stream,
    hoard: Vec<Vec<u8>>,
}

/// A megabyte of text.
fn megabyte() -> String {
    "x".repeat(1 << 20)
}

fn spin() -> ! {
    loop {
        black_box(0);
    }
}

fn recurse(depth: u64) -> u64 {
    let ballast = black_box([depth; 64]);
    if black_box(depth) == u64::MAX {
        return 0;
    }
    recurse(depth + 1) + black_box(ballast).iter().sum::<u64>()
}

/// What was tried has failed, as it must; what has not failed is told by another kind of ending.
fn refused(tried: &[(&str, bool)]) -> Result<Report, Failure> {
    match tried.iter().find(|(_, done)| *done) {
        Some((what, _)) => Ok(Report::default().with(format!("it could {what}"), 1.0)),
        None => Err("all of it was refused".into()),
    }
}

impl Hostile {
    fn hoard(&mut self) -> ! {
        loop {
            self.hoard.push(black_box(vec![1; 1 << 20]));
        }
    }

    /// Four steps that use everything that a trial may use.
    fn train(&mut self) -> Result<Report, Failure> {
        self.step += 1;
        let drawn = self.draws.unit();
        let map: HashMap<u32, u32> = (0..50).map(|i| (i, i)).collect();
        let order = map
            .keys()
            .fold(0_u32, |h, k| h.wrapping_mul(31).wrapping_add(*k));
        let hashed = RandomState::new().hash_one(self.step) as u32;
        log::info!("step {} drew {drawn}", self.step);
        artifact::append("drawn.txt", format!("{drawn}\n").as_bytes())?;
        Ok(Report {
            finished: self.step == 4,
            ..Report::default()
        }
        .with("loss", drawn / f64::from(self.step))
        .with("order", f64::from(order))
        .with("hashed", f64::from(hashed)))
    }

    #[expect(
        clippy::panic,
        clippy::print_stdout,
        reason = "the purpose of this guest"
    )]
    fn attack(&mut self) -> Result<Report, Failure> {
        let report = Report::default().with("loss", 0.0).finished();
        match self.how.as_str() {
            "spin_in_step" => spin(),
            "fill_memory_for_ever" => {
                let mut bytes = vec![0_u8; 4 << 20];
                loop {
                    black_box(&mut bytes).fill(self.step as u8);
                }
            }
            "sleep_for_ever" => loop {
                thread::sleep(Duration::from_secs(365 * 24 * 3600));
            },
            "take_memory_in_step" => self.hoard(),
            "recurse_for_ever" => {
                let end = recurse(0);
                Ok(report.with("end", end as f64))
            }
            "panic_in_step" => panic!("panicked on purpose"),
            "exit_in_step" => process::exit(3),
            "abort_in_step" => process::abort(),
            "panic_in_a_panic" => {
                // The panic runs hooks that themselves panic.
                std::panic::set_hook(Box::new(|_| panic!("a panic in a panic")));
                panic!("panicked on purpose")
            }
            // --- text ---
            "huge_log_line" => {
                log::info!("{}", megabyte().repeat(2));
                Ok(report)
            }
            "huge_failure_text" => Err(megabyte().repeat(2).as_str().into()),
            "large_failure_text" => Err(megabyte()[..100_000].into()),
            "log_for_ever" => loop {
                log::info!("again");
            },
            "print_for_ever" => loop {
                println!("again");
            },
            "print_a_megabyte" => {
                for _ in 0..1024 {
                    println!("{}", "x".repeat(1023));
                }
                Ok(report)
            }
            "print_rubbish" => {
                let mut out = std::io::stdout();
                out.write_all(b"\xff\xfe\xc0 \x1b[2J\x1b]0;owned\x07 \0 \r\x08\n")
                    .map_err(|e| e.to_string())?;
                log::info!("\x1b[31m{}", '\u{202e}');
                Ok(report)
            }
            "read_for_ever" => {
                let mut read = Vec::new();
                std::io::stdin()
                    .read_to_end(&mut read)
                    .map_err(|e| e.to_string())?;
                refused(&[("read its input", !read.is_empty())])
            }
            // --- reports ---
            "infinite_metric" => Ok(Report::default().with("loss", f64::INFINITY).finished()),
            "nan_metric" => Ok(Report::default().with("loss", f64::NAN).finished()),
            "repeated_metric" => Ok(report.with("loss", -1.0)),
            "metric_of_the_host" => Ok(report.with("training_iteration", 1e9)),
            "metric_of_the_clock" => Ok(report.with("timestamp", 0.0)),
            "long_metric_name" => Ok(report.with("m".repeat(129), 0.0)),
            "empty_metric_name" => Ok(report.with("", 0.0)),
            "metric_name_with_escapes" => Ok(report.with("m\x1b[2J\n", 0.0)),
            "metric_name_as_path" => Ok(report.with("../../../../owned,\"=1+1", 0.0)),
            "too_many_metrics" => Ok((0..2_000).fold(report, |r, i| r.with(format!("m{i}"), 0.0))),
            "huge_report" => {
                let name = "m".repeat(100);
                Ok((0..20_000).fold(report, |r, _| r.with(name.clone(), 0.0)))
            }
            "no_metric" => Ok(Report::default().finished()),
            "cost_without_grant" => Ok(Report {
                cost: Some(u64::MAX),
                ..report
            }),
            // --- files ---
            "artifact_with_a_path" => {
                artifact::write("../../../owned", b"owned")?;
                Ok(report)
            }
            "artifact_at_the_root" => {
                artifact::write("/tmp/owned", b"owned")?;
                Ok(report)
            }
            "artifact_hidden" => {
                artifact::write(".bashrc", b"owned")?;
                Ok(report)
            }
            "too_many_artifacts" => {
                for i in 0..100_000 {
                    artifact::write(&format!("a{i}"), b"")?;
                }
                Ok(report)
            }
            "too_large_artifacts" => loop {
                artifact::append("large", &[0; 4096])?;
            },
            "write_artifacts_for_ever" => loop {
                artifact::write("same", &[0; 4096])?;
            },
            "data_outside_its_folder" => {
                let read = |name: &str| data::read_all(name).is_ok();
                refused(&[
                    ("read ..", read("numbers/../secret")),
                    ("read a path", read("/etc/passwd")),
                    ("read beside", read("secret")),
                    ("read a long name", read(&"x/".repeat(10_000))),
                ])
            }
            // --- the machine ---
            "files_of_the_machine" => refused(&[
                ("read a file", fs::read("/etc/passwd").is_ok()),
                ("list a folder", fs::read_dir("/").is_ok()),
                ("write a file", fs::write("owned", "owned").is_ok()),
                (
                    "write a temporary file",
                    fs::write("/tmp/owned", "").is_ok(),
                ),
            ]),
            "network_of_the_machine" => refused(&[
                ("connect", TcpStream::connect("127.0.0.1:22").is_ok()),
                ("send", {
                    let socket = UdpSocket::bind("0.0.0.0:0");
                    socket.is_ok_and(|s| s.send_to(b"x", "127.0.0.1:53").is_ok())
                }),
            ]),
            "environment_of_the_machine" => refused(&[
                ("see variables", env::vars_os().count() > 0),
                ("see arguments", env::args_os().any(|a| !a.is_empty())),
            ]),
            "threads" => refused(&[(
                "start a thread",
                thread::Builder::new().spawn(|| ()).is_ok(),
            )]),
            other => Err(Failure::BadConfig(format!("there is no way `{other}`"))),
        }
    }
}

impl Trainable for Hostile {
    const NAME: &'static str = "hostile-trainable";
    const SUMMARY: &'static str = "Does to the host what `hostile` says";
    const GRANTS: &'static [&'static str] = &["artifact", "data"];

    #[expect(clippy::panic, reason = "the purpose of this guest")]
    fn setup(info: &TrialInfo, config: &Config) -> Result<Self, Failure> {
        let mut this = Self {
            how: config.text("hostile")?,
            step: 0,
            draws: Stream::new(info.seed),
            hoard: Vec::new(),
        };
        match this.how.as_str() {
            "spin_in_setup" => spin(),
            "take_memory_in_setup" => this.hoard(),
            "panic_in_setup" => panic!("panicked on purpose"),
            _ => Ok(this),
        }
    }

    fn step(&mut self) -> Result<Report, Failure> {
        if self.how.starts_with("good") {
            self.train()
        } else {
            self.attack()
        }
    }
}

tune_plugin::export_trainable!(Hostile);
