//! Curves by formula: power laws that cross, where early results mislead.

use tune_space::{Config, Domain, Parameter, RealRange, Stream};

use crate::{About, Curve, FORMAT, Mode, Row, Table};

/// The seed of the family: any would do, this one makes it the same everywhere.
const SEED: u64 = 2018;
/// Microseconds of a step of a configuration of size 1.
const STEP: f64 = 1_000_000.0;
/// Standard deviation of the noise, in units of the distance to the asymptote plus 0.01.
const NOISE: f64 = 0.03;

/// A table of so many configurations of so many steps, computed.
///
/// A configuration has `quality` q and `haste` h, uniform in \[0, 1\], and `size` s, log-uniform in
/// \[0.25, 4\]. The loss after step t is
///
/// ```text
/// loss(t) = a + (1 - a) (1 + t)^-c + 0.03 (loss0(t) - a + 0.01) e(t)
/// a = 0.02 + 0.40 (1 - q)^2 + 0.15 h^2 + 0.02 / s
/// c = 0.5 x 2.5^h
/// ```
///
/// where `loss0` is the loss without noise and e(t) a standard normal number of its own for every
/// step. A step costs s seconds. Hasty configurations fall fast and stay high, patient ones fall
/// slowly and end low: the best after 1 step is far from the best after 81.
#[must_use]
pub fn crossing(configurations: u32, steps: u32) -> Table {
    let real = |name: &str, low: f64, high: f64, log: bool| Parameter {
        name: name.to_owned(),
        domain: Domain::Real(RealRange {
            low,
            high,
            log,
            step: None,
        }),
        conditions: Vec::new(),
    };
    let parameters = vec![
        real("quality", 0.0, 1.0, false),
        real("haste", 0.0, 1.0, false),
        real("size", 0.25, 4.0, true),
    ];
    let mut stream = Stream::new(SEED);
    let mut rows = Vec::new();
    for id in 0..configurations.max(1) {
        let config: Config = parameters
            .iter()
            .map(|p| (p.name.clone(), p.domain.sample(&mut stream)))
            .collect();
        let of = |name: &str| config.get(name).and_then(tune_space::Value::as_f64);
        let (q, h, s) = (
            of("quality").unwrap_or(0.0),
            of("haste").unwrap_or(0.0),
            of("size").unwrap_or(1.0),
        );
        let a = 0.02 + 0.40 * (1.0 - q) * (1.0 - q) + 0.15 * h * h + 0.02 / s;
        let c = 0.5 * libm::pow(2.5, h);
        let mut curve = Curve::default();
        for t in 1..=steps.max(1) {
            let plain = a + (1.0 - a) * libm::pow(1.0 + f64::from(t), -c);
            let loss = plain + NOISE * (plain - a + 0.01) * stream.normal();
            curve.push((s * STEP) as u64, &[loss]);
        }
        rows.push((Row { id, config }, curve));
    }
    let about = About {
        format: FORMAT,
        name: "crossing".to_owned(),
        description: "Power laws that cross, by formula".to_owned(),
        source: "docs/tables.md".to_owned(),
        licence: String::new(),
        metric: "loss".to_owned(),
        mode: Mode::Min,
        time_attr: "training_iteration".to_owned(),
        max_t: Some(f64::from(steps.max(1))),
        metrics: vec!["loss".into()],
        cost: "size x 1 s a step".to_owned(),
        space: crate::about::Entries::default(),
    };
    match Table::new(about, parameters, Config::new(), rows) {
        Ok(table) => table,
        // Ids ascend, values are drawn from the space, and every curve has a step.
        Err(reason) => unreachable!("a family by formula is a table: {reason}"),
    }
}
