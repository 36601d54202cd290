//! An async function: reports `loss` = 10 x `rate` down to 1 x `rate`, and follows changes of `rate`.

use tune_plugin::{Ctx, Failure, Progress};

async fn train(ctx: Ctx) -> Result<(), Failure> {
    let mut rate = ctx.config().read_or("rate", 1.0)?;
    for round in (1..=10).rev() {
        if let Progress::Changed(config) = ctx.report([("loss", f64::from(round) * rate)]).await {
            rate = config.f64("rate")?;
        }
    }
    Ok(())
}

tune_plugin::export_train!(
    name = "trial-coroutine",
    summary = "Ten reports of an async function",
    mutable_parameters = ["rate"],
    train
);
