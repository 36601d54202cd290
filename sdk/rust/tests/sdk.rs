//! The SDK as the author of a plugin sees it, natively.

#![expect(clippy::indexing_slicing, reason = "helpers of tests may panic")]

use std::fs;

use tune_plugin::{
    Change, Config, Coroutine, Ctx, Failure, NoOptions, PluginOptions, PortableState, Progress,
    Reconfigured, Report, Trainable, TrialInfo, artifact, data, log, manifest::Manifest,
    parse_options,
};

const INFO: TrialInfo = TrialInfo {
    trial: 4,
    seed: 7,
    workers: 1,
    restoring: false,
};

/// Options of every type.
#[tune_plugin::options]
#[derive(Clone, Debug, PartialEq)]
struct Everything {
    /// How long a trial runs
    /// at least.
    #[option(default = 1, minimum = 1)]
    grace: f64,
    /// Lower is "bolder".
    #[option(default = -0.5, exclusive_minimum = -1.0, exclusive_maximum = 0.0)]
    bias: f64,
    /// Brackets.
    #[option(default = 3, maximum = 9)]
    brackets: usize,
    /// Offset.
    #[option(default = -2)]
    offset: i64,
    /// On or off.
    #[option(default = true)]
    active: bool,
    /// Kind of decision.
    #[option(default = "stopping", one_of = ["stopping", "promotion"], name = "type")]
    kind: String,
    /// Not set by default.
    ceiling: Option<f64>,
    /// Weights, one each.
    #[option(default = [1, 2.5], minimum = 0)]
    weights: Vec<f64>,
    /// Names.
    names: Vec<String>,
}

fn options(json: &str) -> Result<Everything, String> {
    parse_options(json).map_err(|errors| format!("{}: {}", errors[0].key, errors[0].message))
}

#[test]
fn missing_options_take_their_defaults_and_given_ones_count() {
    let defaults = Everything {
        grace: 1.0,
        bias: -0.5,
        brackets: 3,
        offset: -2,
        active: true,
        kind: "stopping".to_owned(),
        ceiling: None,
        weights: vec![1.0, 2.5],
        names: vec![],
    };
    assert_eq!(Everything::default(), defaults);
    assert_eq!(options("{}"), Ok(defaults.clone()));
    assert_eq!(options(""), Ok(defaults.clone()));
    let given = options(r#"{"grace": 4, "type": "promotion", "ceiling": 2.5, "names": ["a"]}"#);
    assert_eq!(
        given,
        Ok(Everything {
            grace: 4.0,
            kind: "promotion".to_owned(),
            ceiling: Some(2.5),
            names: vec!["a".to_owned()],
            ..defaults
        })
    );
}

#[test]
fn wrong_options_are_refused_by_name() {
    let unknown = options(r#"{"gracee": 1}"#).unwrap_err();
    assert!(
        unknown.contains("gracee") && unknown.contains("grace"),
        "{unknown}"
    );
    let wrong = options(r#"{"brackets": -1}"#).unwrap_err();
    assert!(wrong.starts_with("brackets:"), "{wrong}");
    assert!(parse_options::<NoOptions>(r#"{"any": 1}"#).is_err());
}

#[test]
fn the_schema_states_type_default_range_and_description_of_each_option() {
    let schema: serde_json::Value = serde_json::from_str(Everything::SCHEMA).unwrap();
    assert_eq!(
        schema,
        serde_json::json!({
            "type": "object",
            "properties": {
                "grace": {"type": "number", "minimum": 1.0, "default": 1.0,
                    "description": "How long a trial runs at least."},
                "bias": {"type": "number", "exclusiveMinimum": -1.0, "exclusiveMaximum": 0.0,
                    "default": -0.5, "description": "Lower is \"bolder\"."},
                "brackets": {"type": "integer", "minimum": 0, "maximum": 9, "default": 3,
                    "description": "Brackets."},
                "offset": {"type": "integer", "default": -2, "description": "Offset."},
                "active": {"type": "boolean", "default": true, "description": "On or off."},
                "type": {"type": "string", "enum": ["stopping", "promotion"],
                    "default": "stopping", "description": "Kind of decision."},
                "ceiling": {"type": "number", "description": "Not set by default."},
                "weights": {"type": "array", "items": {"type": "number", "minimum": 0.0},
                    "default": [1.0, 2.5], "description": "Weights, one each."},
                "names": {"type": "array", "items": {"type": "string"}, "description": "Names."},
            },
            "additionalProperties": false,
        })
    );
}

struct Quoted;

impl Trainable for Quoted {
    const NAME: &'static str = "quoted";
    const SUMMARY: &'static str = "A \"summary\" with \\ and\na line";
    const GRANTS: &'static [&'static str] = &["data", "artifact"];

    fn setup(_: &TrialInfo, _: &Config) -> Result<Self, Failure> {
        Ok(Self)
    }

    fn step(&mut self) -> Result<Report, Failure> {
        Ok(Report::default())
    }
}

tune_plugin::export_trainable!(Quoted);

#[test]
fn a_manifest_is_json_made_at_compile_time() {
    const MANIFEST: Manifest = Manifest::of_trainable::<Quoted>().package("1.2.3", "MIT");
    static JSON: [u8; MANIFEST.json_len()] = MANIFEST.json();
    let json: serde_json::Value = serde_json::from_slice(&JSON).unwrap();
    assert_eq!(json["name"], "quoted");
    assert_eq!(json["version"], "1.2.3");
    assert_eq!(json["licence"], "MIT");
    assert_eq!(json["summary"], Quoted::SUMMARY);
    assert_eq!(json["grants"], serde_json::json!(["data", "artifact"]));
    assert_eq!(json["mutable_parameters"], serde_json::json!([]));
    assert_eq!(json["options"]["additionalProperties"], false);
    assert_eq!(json["pauses"], false);
}

#[test]
fn a_trainable_without_reconfigure_says_that_it_cannot_change() {
    let change = Change {
        config: Config::new(),
        seed: 1,
        workers: 1,
    };
    assert_eq!(Quoted.reconfigure(&change), Ok(Reconfigured::Unsupported));
}

/// Counts its steps.
struct Counter(u64);

impl Trainable for Counter {
    const NAME: &'static str = "counter";
    const SUMMARY: &'static str = "Counts";

    fn setup(_: &TrialInfo, _: &Config) -> Result<Self, Failure> {
        Ok(Self(0))
    }

    fn step(&mut self) -> Result<Report, Failure> {
        self.0 += 1;
        Ok(Report::default().with("count", self.0 as f64))
    }
}

impl PortableState for Counter {
    fn save(&self) -> Result<Vec<u8>, Failure> {
        Ok([&[1], self.0.to_le_bytes().as_slice()].concat())
    }

    fn restore(&mut self, state: &[u8]) -> Result<(), Failure> {
        let Some((1, count)) = state.split_first() else {
            return Err("the saved state is not of version 1".into());
        };
        let count = count.try_into().map_err(|_| "the saved state is cut off")?;
        self.0 = u64::from_le_bytes(count);
        Ok(())
    }
}

mod portable {
    tune_plugin::export_portable_trainable!(super::Counter);
}

#[test]
fn a_state_that_is_saved_and_restored_goes_on_where_it_was() {
    let mut first = Counter::setup(&INFO, &Config::new()).unwrap();
    first.step().unwrap();
    first.step().unwrap();
    let state = first.save().unwrap();
    let mut second = Counter::setup(&INFO, &Config::new()).unwrap();
    second.restore(&state).unwrap();
    assert_eq!(second.step(), first.step());
    for wrong in [&[][..], &[2, 0], &state[..5]] {
        assert!(second.restore(wrong).is_err());
    }
}

async fn countdown(ctx: Ctx) -> Result<(), Failure> {
    let mut rate = ctx.config().f64("rate")?;
    for i in 1..=3 {
        let metrics = [
            ("loss", f64::from(i) * rate),
            ("seed", ctx.info().seed as f64),
        ];
        if let Progress::Changed(config) = ctx.report(metrics).await {
            rate = config.f64("rate")?;
        }
    }
    Ok(())
}

fn rate(value: f64) -> Config {
    let mut config = Config::new();
    config.insert("rate", value);
    config
}

#[test]
fn an_async_function_hands_out_a_report_a_step_and_repeats_the_last_as_finished() {
    let mut trial = Coroutine::start(&INFO, &rate(10.0), countdown);
    let reports: Vec<(f64, bool)> = (0..4)
        .map(|_| trial.step().unwrap())
        .map(|r| (r.get("loss").unwrap(), r.finished))
        .collect();
    assert_eq!(
        reports,
        [(10.0, false), (20.0, false), (30.0, false), (30.0, true)]
    );
    assert!(
        trial
            .step()
            .unwrap_err()
            .message()
            .contains("already ended")
    );
}

#[test]
fn an_async_function_learns_of_a_change_at_the_report_that_it_awaits() {
    let mut trial = Coroutine::start(&INFO, &rate(1.0), countdown);
    let change = |value, seed| Change {
        config: rate(value),
        seed,
        workers: 2,
    };
    // Before its first step there is nothing to tell: it starts with the new configuration.
    assert_eq!(trial.reconfigure(&change(2.0, 8)), Reconfigured::Applied);
    let first = trial.step().unwrap();
    assert_eq!(
        (first.get("loss"), first.get("seed")),
        (Some(2.0), Some(8.0))
    );
    assert_eq!(trial.reconfigure(&change(100.0, 9)), Reconfigured::Applied);
    let second = trial.step().unwrap();
    assert_eq!(
        (second.get("loss"), second.get("seed")),
        (Some(200.0), Some(9.0))
    );
    assert_eq!(trial.step().unwrap().get("loss"), Some(300.0));
}

#[test]
fn a_report_marked_finished_is_the_last_one() {
    let mut trial = Coroutine::start(&INFO, &Config::new(), |ctx: Ctx| async move {
        ctx.report(Report::default().with("loss", 1.0).finished())
            .await;
        Ok(())
    });
    assert!(trial.step().unwrap().finished);
}

#[test]
fn misuse_of_an_async_function_is_told_and_its_own_error_passed_on() {
    let mut error = Coroutine::start(&INFO, &Config::new(), countdown);
    assert!(error.step().unwrap_err().message().contains("rate"));

    let mut silent = Coroutine::start(&INFO, &Config::new(), |_: Ctx| async { Ok(()) });
    assert!(
        silent
            .step()
            .unwrap_err()
            .message()
            .contains("without a report")
    );

    let mut stuck = Coroutine::start(&INFO, &Config::new(), |_: Ctx| std::future::pending());
    assert!(
        stuck
            .step()
            .unwrap_err()
            .message()
            .contains("something other")
    );

    let mut both = Coroutine::start(&INFO, &Config::new(), |ctx: Ctx| async move {
        let mut one = std::pin::pin!(ctx.report([("loss", 1.0)]));
        let mut two = std::pin::pin!(ctx.report([("loss", 2.0)]));
        std::future::poll_fn(|cx| {
            let _ = one.as_mut().poll(cx);
            two.as_mut().poll(cx)
        })
        .await;
        Ok(())
    });
    assert!(both.step().unwrap_err().message().contains("two reports"));
}

#[test]
fn mounted_data_is_read_as_in_the_sandbox() {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("inner")).unwrap();
    fs::write(folder.path().join("inner/b.bin"), vec![7; (1 << 20) + 5]).unwrap();
    fs::write(folder.path().join("a.txt"), "hello").unwrap();
    data::native::mount("set", folder.path());
    data::native::mount("file", folder.path().join("a.txt"));

    assert_eq!(
        data::entries(),
        [
            ("file".to_owned(), 5),
            ("set/a.txt".to_owned(), 5),
            ("set/inner/b.bin".to_owned(), (1 << 20) + 5)
        ]
    );
    assert_eq!(data::size("set/a.txt"), Ok(5));
    assert_eq!(
        data::read("set/a.txt", 3, 100).as_deref(),
        Ok(b"lo".as_slice())
    );
    assert_eq!(
        data::read_all("set/inner/b.bin").map(|b| b.len()),
        Ok((1 << 20) + 5)
    );
    assert_eq!(
        data::read_all("set/c"),
        Err(data::DataError::NotFound("set/c".to_owned()))
    );
    let Err(data::DataError::NotGranted(names)) = data::size("other") else {
        panic!("another set is not granted")
    };
    assert_eq!(names, ["file", "set"]);
}

#[test]
fn artifacts_and_log_lines_are_kept_for_the_test() {
    artifact::append("history.txt", b"a").unwrap();
    artifact::append("history.txt", b"b").unwrap();
    artifact::write("model.bin", &[1]).unwrap();
    artifact::write("model.bin", &[2]).unwrap();
    for name in ["", ".hidden", "a/b", "ä", &"x".repeat(129)] {
        assert!(artifact::write(name, b"").is_err(), "{name}");
    }
    let files = artifact::native::take();
    assert_eq!(files["history.txt"], b"ab");
    assert_eq!(files["model.bin"], [2]);

    let loss = 0.5;
    log::info!("loss {loss}");
    log::warn!("{} of {}", 1, 2);
    assert_eq!(
        log::native::take(),
        [
            (log::Level::Info, "loss 0.5".to_owned()),
            (log::Level::Warn, "1 of 2".to_owned())
        ]
    );
}
