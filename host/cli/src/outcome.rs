//! What is told of a result: the best trial, its configuration, where its files are.

use std::path::Path;

use tune_core::records::{Config, Objective};
use tune_report::{BestReport, clean, columns, short};

/// The best trial in full.
pub(crate) fn best_lines(
    run: &Path,
    objective: &Objective,
    best: &BestReport,
    config: &Config,
) -> Vec<String> {
    let mut lines = vec![format!(
        "best {} {}: trial {}, iteration {}",
        clean(&objective.metric),
        short(best.value),
        best.trial,
        best.iteration
    )];
    let names: Vec<_> = config.iter().map(|(name, _)| clean(name)).collect();
    let width = names.iter().map(|name| columns(name)).max().unwrap_or(0);
    for (name, (_, value)) in names.iter().zip(config.iter()) {
        let fill = " ".repeat(width.saturating_sub(columns(name)));
        // In full: it is there to be copied.
        lines.push(format!("  {name}{fill} = {}", clean(&value.to_string())));
    }
    let files = run.join("trials").join(format!("{:06}", best.trial));
    if files.is_dir() {
        lines.push(format!("files  {}", clean(&files.display().to_string())));
    }
    lines
}

/// Time for people.
pub(crate) fn time(seconds: f64) -> String {
    let whole = seconds.max(0.0) as u64;
    match whole {
        0..60 => format!("{seconds:.1} s"),
        60..3600 => format!("{} min {} s", whole / 60, whole % 60),
        _ => format!("{} h {} min", whole / 3600, whole / 60 % 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_best_trial_is_told_with_its_exact_configuration() {
        let mut config = Config::new();
        config.insert("lr", 0.123_456_789);
        config.insert("hidden", 16_i64);
        let objective = Objective {
            metric: "accuracy".to_owned(),
            maximize: true,
        };
        let best = BestReport {
            trial: 7,
            iteration: 81,
            reports: 81,
            value: 0.975_123,
        };
        let lines = best_lines(Path::new("no/such/run"), &objective, &best, &config);
        assert_eq!(
            lines,
            [
                "best accuracy 0.9751: trial 7, iteration 81",
                "  hidden = 16",
                "  lr     = 0.123456789",
            ]
        );
    }

    #[test]
    fn times_are_told_in_their_unit() {
        assert_eq!(time(0.25), "0.2 s");
        assert_eq!(time(61.9), "1 min 1 s");
        assert_eq!(time(7260.0), "2 h 1 min");
    }
}
