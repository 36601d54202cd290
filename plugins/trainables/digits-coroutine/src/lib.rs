//! The trainable `digits-coroutine`: the model and the configuration of `digits-mlp` in the other
//! form that a trainable can have, a training loop of one's own with a report in it.

use tune_digits_model::Training;
use tune_plugin::{Ctx, Failure, Progress, Reconfigured, Report};

/// The training loop.
///
/// # Errors
/// What is wrong with the configuration or the data.
pub async fn train(ctx: Ctx) -> Result<(), Failure> {
    let mut training = Training::of(&ctx.info(), &ctx.config())?;
    loop {
        let report: Report = training.epoch().into();
        if let Progress::Changed(config) = ctx.report(report).await
            && training.reconfigure(&config, ctx.info().seed)? == Reconfigured::Unsupported
        {
            return Err("only lr, momentum and weight_decay can change in mid-training".into());
        }
    }
}

tune_plugin::export_train!(
    name = "digits-coroutine",
    summary = "The model of digits-mlp as an async fn with reports in its loop",
    grants = ["data"],
    mutable_parameters = ["lr", "momentum", "weight_decay"],
    train,
);

#[cfg(test)]
mod tests {
    use super::*;
    use tune_digits_model::MUTABLE_PARAMETERS;
    use tune_plugin::{Change, Config, Coroutine, Trainable, TrialInfo, data};
    use tune_trainable_digits_mlp::DigitsMlp;

    const INFO: TrialInfo = TrialInfo {
        trial: 3,
        seed: 11,
        workers: 1,
        restoring: false,
    };

    fn config(lr: f64, hidden: i64) -> Config {
        let mut config = Config::new();
        config.insert("lr", lr);
        config.insert("hidden", hidden);
        config
    }

    fn change(config: Config) -> Change {
        Change {
            config,
            seed: 12,
            workers: 1,
        }
    }

    fn mount() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../data/digits");
        data::native::mount("digits", path);
    }

    #[test]
    fn both_forms_give_equal_reports_and_follow_a_change_alike() {
        mount();
        let mut stepped = DigitsMlp::setup(&INFO, &config(0.01, 20)).unwrap();
        let mut looped = Coroutine::start(&INFO, &config(0.01, 20), train);
        for _ in 0..3 {
            assert_eq!(stepped.step(), looped.step());
        }
        let changed = change(config(0.001, 20));
        stepped.reconfigure(&changed).unwrap();
        let _ = looped.reconfigure(&changed);
        let after = looped.step();
        assert_eq!(stepped.step(), after);
        let mut unchanged = DigitsMlp::setup(&INFO, &config(0.01, 20)).unwrap();
        let without = (0..4).map(|_| unchanged.step()).last().unwrap();
        assert_ne!(without, after);
    }

    #[test]
    fn what_cannot_change_ends_the_loop_with_a_message() {
        mount();
        let mut looped = Coroutine::start(&INFO, &config(0.01, 20), train);
        looped.step().unwrap();
        let _ = looped.reconfigure(&change(config(0.01, 21)));
        let error = looped.step().unwrap_err().to_string();
        assert!(
            MUTABLE_PARAMETERS.iter().all(|name| error.contains(name)),
            "{error}"
        );
    }

    #[test]
    fn without_the_data_set_the_message_says_what_to_add() {
        let mut looped = Coroutine::start(&INFO, &config(0.01, 20), train);
        let error = looped.step().unwrap_err().to_string();
        assert!(error.contains("[[data]]"), "{error}");
        let error = DigitsMlp::setup(&INFO, &config(0.01, 20)).unwrap_err();
        assert!(error.to_string().contains("[[data]]"), "{error}");
    }
}
