//! Snapshots of real guests: wherever a state is put, it goes on bit for bit.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use cap_std::ambient_authority;
use cap_std::fs::Dir;
use tune_core::records::{Change, Config, FailureKind, Reconfigured, Report};
use tune_core::{Limits, Metering};
use tune_runtime::{
    Control, DataSet, DataSets, Grants, Image, Plugin, Runtime, RuntimeOptions, Snapshot,
    SnapshotError, SnapshotHeader, StagedArtifact, Tracking, Trial, TrialStart,
};
use tune_test_artifacts as guests;

use crate::{load, start};

/// Steps that are compared after each copy.
const AFTER: usize = 10;

pub(crate) fn plugin(path: &str, tracking: Tracking, metering: Metering) -> Plugin {
    // Compiled once for all tests of this process.
    static CACHE: OnceLock<tempfile::TempDir> = OnceLock::new();
    let cache = CACHE.get_or_init(|| tempfile::tempdir().unwrap());
    let options = RuntimeOptions {
        cache_dir: Some(cache.path().join("code")),
        tracking: Some(tracking),
        ..RuntimeOptions::default()
    };
    let runtime = Runtime::new(options).unwrap();
    assert_eq!(runtime.tracking(), tracking);
    let bytes = std::fs::read(path).unwrap();
    let limits = Limits::default();
    runtime
        .load("guest", &bytes, metering, false, &limits)
        .unwrap()
}

pub(crate) fn start_with(config: Config) -> TrialStart {
    let mut data = DataSets::new();
    let digits = concat!(env!("CARGO_MANIFEST_DIR"), "/../../data/digits");
    let dir = Dir::open_ambient_dir(digits, ambient_authority()).unwrap();
    data.grant("digits", DataSet::Folder(dir)).unwrap();
    TrialStart {
        config,
        data: Arc::new(data),
        grants: Grants {
            artifact: true,
            ..Grants::default()
        },
        ..start(&Limits::default())
    }
}

pub(crate) fn begun(plugin: &Plugin, config: &Config, steps: u64) -> Trial {
    let mut trial = plugin.trial(start_with(config.clone())).unwrap();
    trial.setup(0).unwrap();
    for step in 0..steps {
        trial.step(step * 1_000_000_000).unwrap();
        drop(trial.take_artifacts());
        drop(trial.take_log());
    }
    trial
}

fn restored(plugin: &Plugin, config: &Config, from: &Snapshot) -> Trial {
    plugin
        .restore_trial(start_with(config.clone()), from, 0)
        .unwrap()
}

/// Everything that can be seen of some steps.
#[derive(Debug, PartialEq)]
struct Seen {
    /// Report, fuel, log, artifacts.
    steps: Vec<(Report, u64, Vec<u8>, Vec<StagedArtifact>)>,
    state: [u8; 32],
    memory: u64,
}

/// Steps after step `done`.
fn go_on(trial: &mut Trial, done: u64) -> Seen {
    let steps = (done..done + AFTER as u64)
        .map(|step| {
            let report = trial.step(step * 1_000_000_000).unwrap();
            let fuel = trial.fuel_burned();
            (report, fuel, trial.take_log(), trial.take_artifacts())
        })
        .collect();
    Seen {
        steps,
        state: trial.snapshot().unwrap().state_hash().unwrap(),
        memory: trial.memory_bytes(),
    }
}

/// The snapshot as another process would have it: from bytes.
fn through_bytes(snapshot: &Snapshot) -> Snapshot {
    let header = serde_json::to_vec(snapshot.header()).unwrap();
    let memories = snapshot.memories().iter().map(|image| {
        let mut copy = Image::builder(image.byte_len()).unwrap();
        let mut page = vec![0; 64 << 10];
        for offset in (0..image.byte_len()).step_by(page.len()) {
            image.read_at(offset, &mut page).unwrap();
            copy.write_at(offset, &page).unwrap();
        }
        copy.finish().unwrap()
    });
    let memories = memories.collect();
    let header: SnapshotHeader = serde_json::from_slice(&header).unwrap();
    Snapshot::from_parts(header, memories).unwrap()
}

/// A state after `done` steps goes on the same in every place.
fn goes_on_the_same_everywhere(plugin: &Plugin, config: &Config, done: u64) {
    let expected = go_on(&mut begun(plugin, config, done), done);
    let mut original = begun(plugin, config, done);
    let fuel = (original.fuel_burned(), original.own_fuel());
    let snapshot = original.snapshot().unwrap();
    assert!(snapshot.same_build());
    assert_eq!((original.fuel_burned(), original.own_fuel()), fuel);
    let again = original.snapshot().unwrap();
    assert_eq!(again.state_hash().unwrap(), snapshot.state_hash().unwrap());
    let original = &mut original;
    assert_eq!(go_on(original, done), expected, "the same instance");
    for _ in 0..2 {
        let mut fresh = restored(plugin, config, &snapshot);
        assert_eq!(
            fresh.snapshot().unwrap().state_hash().unwrap(),
            snapshot.state_hash().unwrap()
        );
        assert_eq!(go_on(&mut fresh, done), expected, "a fresh instance");
    }
    // The one that has gone on, one that has just begun, one that was only instantiated.
    for steps in [done + 5, 1] {
        let mut over = begun(plugin, config, steps);
        over.restore_over(&snapshot, 5).unwrap();
        assert_eq!(over.own_fuel(), 5);
        assert_eq!(
            go_on(&mut over, done),
            expected,
            "over one after {steps} steps"
        );
    }
    original.restore_over(&snapshot, 0).unwrap();
    assert_eq!(go_on(original, done), expected, "back in time");
    let mut other = restored(plugin, config, &through_bytes(&snapshot));
    assert_eq!(go_on(&mut other, done), expected, "from bytes");
    // A snapshot of a copy is as good.
    let mut copy = restored(plugin, config, &snapshot);
    copy.step(done * 1_000_000_000).unwrap();
    copy.restore_over(&snapshot, 0).unwrap();
    let second = copy.snapshot().unwrap();
    assert_eq!(
        go_on(&mut restored(plugin, config, &second), done),
        expected
    );
}

#[test]
fn whatever_a_standard_library_keeps_goes_on_bit_for_bit() {
    let config = Config::new();
    for tracking in Tracking::ALL {
        if tracking.works() {
            let plugin = plugin(guests::TRIAL_EVERYTHING, tracking, Metering::Fuel);
            for done in [1, 2, 3, 7] {
                goes_on_the_same_everywhere(&plugin, &config, done);
            }
        }
    }
}

#[test]
fn artifacts_logs_and_a_growing_heap_go_on_bit_for_bit() {
    let plugin = plugin(guests::TRIAL_DIARY, Tracking::detect(), Metering::Fuel);
    let mut config = Config::new();
    config.insert("rate", 0.1);
    config.insert("work", 3);
    goes_on_the_same_everywhere(&plugin, &config, 3);
}

#[test]
fn training_on_digits_goes_on_bit_for_bit() {
    let embedded = tune_embedded::all().iter();
    for plugin in embedded.filter(|p| p.name.starts_with("digits")) {
        let (bytes, linear) = (plugin.bytes, plugin.name == "digits-softmax");
        let plugin = load(bytes, Metering::Fuel).unwrap();
        let mut config = Config::new();
        config.insert("lr", 0.01);
        if !linear {
            config.insert("hidden", 8);
        }
        goes_on_the_same_everywhere(&plugin, &config, 1);
    }
}

#[test]
fn at_every_level_of_metering_a_state_goes_on() {
    for metering in [
        Metering::None,
        Metering::Epoch,
        Metering::Fuel,
        Metering::Full,
    ] {
        let plugin = plugin(guests::TRIAL_EVERYTHING, Tracking::detect(), metering);
        let config = Config::new();
        let mut original = begun(&plugin, &config, 4);
        let snapshot = original.snapshot().unwrap();
        let mut copy = restored(&plugin, &config, &snapshot);
        assert_eq!(go_on(&mut copy, 4), go_on(&mut original, 4), "{metering:?}");
    }
}

#[test]
fn after_the_deadline_of_its_step_an_instance_can_still_be_copied_and_replaced() {
    for metering in [Metering::Epoch, Metering::Full] {
        let plugin = plugin(guests::TRIAL_EVERYTHING, Tracking::detect(), metering);
        let config = Config::new();
        let mut start = start_with(config.clone());
        let control = Arc::new(Control::new());
        start.control = Arc::clone(&control);
        let mut trial = plugin.trial(start).unwrap();
        trial.setup(0).unwrap();
        trial.step(0).unwrap();
        control.arm(Duration::ZERO);
        let first = trial.snapshot().unwrap();
        trial.restore_over(&first, 0).unwrap();
        control.arm(Duration::from_secs(600));
        trial.step(0).unwrap();
        assert_eq!(control.burned(), trial.fuel_burned());
        let published = control.burned();
        trial.snapshot().unwrap();
        assert_eq!(control.burned(), published);
    }
}

#[test]
fn a_clone_in_the_middle_of_a_coroutine_learns_of_its_own_change() {
    let plugin = plugin(guests::TRIAL_COROUTINE, Tracking::detect(), Metering::Fuel);
    let mut config = Config::new();
    config.insert("rate", 1.0);
    let mut source = begun(&plugin, &config, 3);
    let snapshot = source.snapshot().unwrap();
    let mut clone = restored(&plugin, &config, &snapshot);
    let mut changed = Config::new();
    changed.insert("rate", 2.0);
    let change = Change {
        config: changed,
        seed: 99,
        workers: 1,
    };
    assert_eq!(
        clone.reconfigure(&change, 0).unwrap(),
        Reconfigured::Applied
    );
    assert!(matches!(clone.snapshot(), Err(SnapshotError::InStep)));
    let loss = |trial: &mut Trial| trial.step(0).unwrap().metrics[0].value;
    let (of_clone, of_source): (Vec<_>, Vec<_>) = (0..3)
        .map(|_| (loss(&mut clone), loss(&mut source)))
        .unzip();
    assert_eq!(of_source, [7.0, 6.0, 5.0]);
    assert_eq!(of_clone, [14.0, 12.0, 10.0]);
    clone.snapshot().unwrap();
}

#[test]
fn a_change_gives_a_clone_fresh_randomness() {
    let plugin = plugin(guests::TRIAL_DIARY, Tracking::detect(), Metering::Fuel);
    let mut config = Config::new();
    config.insert("rate", 0.1);
    let snapshot = begun(&plugin, &config, 2).snapshot().unwrap();
    let with_seed = |seed| {
        let mut clone = restored(&plugin, &config, &snapshot);
        let change = Change {
            config: config.clone(),
            seed,
            workers: 1,
        };
        clone.reconfigure(&change, 0).unwrap();
        go_on(&mut clone, 2)
    };
    assert_eq!(with_seed(1), with_seed(1));
    assert_ne!(with_seed(1).state, with_seed(2).state);
}

#[test]
fn only_what_was_written_counts_as_dirty() {
    let plugin = plugin(guests::TRIAL_BALLAST, Tracking::detect(), Metering::Fuel);
    let mut config = Config::new();
    config.insert("mb", 16);
    config.insert("dirty", 0.01);
    let mut trial = begun(&plugin, &config, 1);
    let first = trial.snapshot().unwrap();
    assert!(first.byte_len() > 16 << 20);
    assert!(first.dirty_ratio() > 0.5, "{}", first.dirty_ratio());
    trial.step(0).unwrap();
    let second = trial.snapshot().unwrap();
    assert!(second.dirty_ratio() < 0.1, "{}", second.dirty_ratio());
    assert!(second.held_bytes() < first.held_bytes());
}

#[test]
fn a_state_that_is_too_small_for_a_live_instance_gets_a_new_one() {
    let plugin = plugin(guests::TRIAL_BALLAST, Tracking::detect(), Metering::Fuel);
    let with = |mb: i64| {
        let mut config = Config::new();
        config.insert("mb", mb);
        config
    };
    let snapshot = begun(&plugin, &with(1), 2).snapshot().unwrap();
    let mut large = begun(&plugin, &with(8), 1);
    large.restore_over(&snapshot, 0).unwrap();
    assert_eq!(large.memory_bytes(), snapshot.byte_len());
    let mut expected = restored(&plugin, &with(1), &snapshot);
    assert_eq!(go_on(&mut large, 2), go_on(&mut expected, 2));
}

#[test]
fn a_trial_is_limited_by_the_fuel_of_its_own_steps() {
    let plugin = plugin(guests::TRIAL_EVERYTHING, Tracking::detect(), Metering::Fuel);
    let config = Config::new();
    let mut donor = begun(&plugin, &config, 3);
    let snapshot = donor.snapshot().unwrap();
    let mut start = start_with(config);
    start.limits.fuel_per_trial = 2 * donor.fuel_burned();
    let mut clone = plugin.restore_trial(start.clone(), &snapshot, 0).unwrap();
    clone.step(0).unwrap();
    assert_eq!(clone.own_fuel(), clone.fuel_burned());
    let own = start.limits.fuel_per_trial - 10;
    let mut clone = plugin.restore_trial(start, &snapshot, own).unwrap();
    let fault = clone.step(0).unwrap_err();
    assert_eq!(fault.kind, FailureKind::OutOfFuel, "{fault}");
    assert!(fault.message.contains("fuel_per_trial"), "{fault}");
}
