//! Against the same network on the CPU. Without a GPU, in hardware or software, they say so and pass,
//! unless `TUNE_TEST_GPU=required`.

use tune_digits_model::{Dataset, Settings, Training as OnCpu};
use tune_plugin::{Config, Value};
use tune_plugin_gpu::{Batch, adapter};

use crate::training::Training;

fn dataset() -> Dataset {
    Dataset::parse(include_bytes!("../../../../data/digits/digits.csv")).unwrap()
}

fn configuration(text: &str) -> Config {
    let pairs = text
        .split_whitespace()
        .filter_map(|pair| pair.split_once('='));
    pairs
        .map(|(name, text)| {
            let value = text.parse().map_or_else(|_| text.into(), Value::Number);
            (name.to_owned(), value)
        })
        .collect()
}

fn settings(text: &str) -> Settings {
    Settings::read(&configuration(text)).unwrap()
}

/// Whether there is something to test on.
fn has_gpu() -> bool {
    let found = adapter();
    if let Err(error) = &found {
        let is_required = std::env::var("TUNE_TEST_GPU").is_ok_and(|word| word == "required");
        assert!(!is_required, "{error}");
        eprintln!("skipped: {error}");
    }
    found.is_ok()
}

/// Losses of both after each of three epochs.
fn losses(text: &str) -> Vec<[f64; 2]> {
    let mut here = Training::new(settings(text), &dataset(), 3).unwrap();
    let mut there = OnCpu::new(settings(text), dataset(), 3);
    (0..3)
        .map(|_| [here.epoch().unwrap().val_loss, there.epoch().val_loss])
        .collect()
}

#[test]
fn it_learns_as_the_same_network_does_on_the_cpu() {
    if !has_gpu() {
        return;
    }
    for text in [
        "",
        "optimizer=sgd lr=0.05 momentum=0.5 weight_decay=0.001 batch=100",
        "layers=2 activation=tanh hidden=20 batch=50",
    ] {
        for [here, there] in losses(text) {
            let difference = (here - there).abs() / there;
            // Sums in another order, a few hundred steps on: some digits are left of seven.
            assert!(difference < 0.02, "{text}: {here} and {there}");
        }
    }
}

#[test]
fn a_good_configuration_passes_97_percent() {
    if !has_gpu() {
        return;
    }
    let mut training = Training::new(settings(""), &dataset(), 1).unwrap();
    let best = (0..30)
        .map(|_| training.epoch().unwrap().accuracy)
        .fold(0.0, f64::max);
    assert!(best > 0.97, "{best}");
}

#[test]
fn a_rate_of_0_changes_nothing_and_a_new_width_is_refused() {
    use tune_plugin::Reconfigured::{Applied, Unsupported};
    if !has_gpu() {
        return;
    }
    let mut training = Training::new(settings(""), &dataset(), 1).unwrap();
    let before = training.epoch().unwrap().val_loss;
    assert_eq!(training.reconfigure(&configuration("lr=0"), 2), Ok(Applied));
    let frozen = training.epoch().unwrap().val_loss;
    assert_eq!(frozen, before);
    let wider = configuration("hidden=65");
    assert_eq!(training.reconfigure(&wider, 3), Ok(Unsupported));
    assert!(training.reconfigure(&configuration("lr=x"), 3).is_err());
    Batch::new().submit().unwrap();
}

#[test]
fn every_command_is_valid_also_where_nothing_is_computed() {
    tune_plugin_gpu::use_noop().unwrap();
    let mut training = Training::new(settings("batch=7 layers=2"), &dataset(), 1).unwrap();
    let epoch = training.epoch().unwrap();
    assert_eq!((epoch.loss, epoch.val_loss), (0.0, 0.0));
    let used = tune_plugin_gpu::usage().unwrap();
    assert!(used.commands > 1_000 && used.objects > 20, "{used:?}");
    drop(training);
    assert_eq!(tune_plugin_gpu::usage().unwrap().objects, 0);
}
