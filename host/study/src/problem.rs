//! One problem: a space, a function on it, noise, and the least value; and the list of all.

use tune_space::{Config, Failure, Space, SpaceError, Stream, derive_seed};
use tune_table::{Match, Table};

use crate::bbob::{Function, Instance};
use crate::branches::{self, Branches};
use crate::mixed::{self, Mixed};
use crate::parameters::real;

/// Regrets below count as this: what is left is rounding.
const FLOOR: f64 = 1e-8;
/// Dimensions of the functions of BBOB.
const DIMS: [usize; 3] = [2, 5, 10];
/// The metric of a table that is a problem: the share of right answers.
const ACCURACY: &str = "accuracy";

/// Problems that are judged together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Group {
    /// Functions of so many numbers.
    Bbob(usize),
    /// Mixed and conditional problems and the table.
    Structured,
    /// Noisy and mixed problems.
    Noisy,
}

impl Group {
    /// All, in the order of tables.
    pub const ALL: [Self; 5] = [
        Self::Bbob(2),
        Self::Bbob(5),
        Self::Bbob(10),
        Self::Structured,
        Self::Noisy,
    ];

    /// Its name in tables.
    #[must_use]
    pub fn name(self) -> String {
        match self {
            Self::Bbob(dims) => format!("bbob {dims}"),
            Self::Structured => "mixed, conditional, table".to_owned(),
            Self::Noisy => "noisy, mixed".to_owned(),
        }
    }
}

/// What an evaluation gave.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Evaluation {
    /// What the searcher is told.
    pub value: f64,
    /// The value without noise, above the optimum, at least [`Problem::resolution`].
    pub regret: f64,
}

/// A space, a function on it, noise, and the least value.
#[derive(Clone, Debug)]
pub struct Problem {
    name: String,
    groups: Vec<Group>,
    space: Space,
    shape: Shape,
    /// The least value.
    optimum: f64,
    /// Regrets below count as this.
    resolution: f64,
    /// Standard deviation of the noise.
    noise: f64,
}

#[derive(Clone, Debug)]
enum Shape {
    Bbob(Instance),
    Mixed(Mixed),
    Branches(Branches),
    Table(Box<Table>),
}

impl Problem {
    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The groups that it is judged in.
    #[must_use]
    pub fn groups(&self) -> &[Group] {
        &self.groups
    }

    /// Its space.
    #[must_use]
    pub fn space(&self) -> &Space {
        &self.space
    }

    /// The least value without noise.
    #[must_use]
    pub fn optimum(&self) -> f64 {
        self.optimum
    }

    /// Regrets below count as this: of formulas 1e-8, where rounding begins; of a table half of the
    /// difference between its best and its second best value, so that the best row is as much ahead of the
    /// second as its accuracy is, and not by the logarithm of nothing.
    #[must_use]
    pub fn resolution(&self) -> f64 {
        self.resolution
    }

    /// Standard deviation of the noise on what a searcher is told; 0 without.
    #[must_use]
    pub fn noise(&self) -> f64 {
        self.noise
    }

    /// The value at a configuration. The noise depends on the seed and on how many evaluations came
    /// before, not on the configuration: every searcher has the same.
    ///
    /// # Errors
    /// The configuration is not of the space.
    pub fn evaluate(&self, config: &Config, seed: u64, trial: u64) -> Result<Evaluation, Failure> {
        self.space.check(config)?;
        let above = match &self.shape {
            Shape::Bbob(instance) => {
                let x = self.space.parameters().iter().map(|p| config.f64(&p.name));
                instance.above(&x.collect::<Result<Vec<_>, _>>()?)
            }
            Shape::Mixed(mixed) => mixed.value(config)?,
            Shape::Branches(branches) => branches.value(config)?,
            Shape::Table(table) => {
                let row = table.catalogue().find(config, Match::Nearest);
                let row = row.map_err(|error| Failure::BadConfig(error.to_string()))?;
                wrong(table, row).unwrap_or(1.0) - self.optimum
            }
        };
        let noise = if self.noise > 0.0 {
            let parts: [&[u8]; 4] = [
                b"noise of a study",
                self.name.as_bytes(),
                &seed.to_le_bytes(),
                &trial.to_le_bytes(),
            ];
            self.noise * Stream::new(derive_seed(&parts)).normal()
        } else {
            0.0
        };
        Ok(Evaluation {
            value: above + self.optimum + noise,
            regret: above.max(self.resolution),
        })
    }
}

/// The share of wrong answers of a row at its end.
fn wrong(table: &Table, row: usize) -> Option<f64> {
    let last = table.curves().get(row)?.len() as u64;
    let accuracy = table.report(row, last)?.get(ACCURACY)?;
    accuracy.is_finite().then_some(1.0 - accuracy)
}

/// All problems: eight functions of BBOB in 2, 5 and 10 dimensions, three mixed ones, two conditional
/// ones, two with noise, and the table, of which the value is 1 - `accuracy` at the end of the row that
/// is nearest.
///
/// # Errors
/// A space makes no sense: only that of a table can.
pub fn problems(table: Table) -> Result<Vec<Problem>, SpaceError> {
    let mut all = Vec::new();
    for dims in DIMS {
        for function in Function::ALL {
            let name = format!("{}-{dims}", function.name());
            all.push(continuous(name, vec![Group::Bbob(dims)], function, dims)?);
        }
    }
    for kind in mixed::Kind::ALL {
        let shape = Shape::Mixed(Mixed::draw(kind, &mut stream(kind.name())));
        let mut problem = formula(kind.name(), kind.space(), shape)?;
        problem.groups.push(Group::Noisy);
        all.push(problem);
    }
    for kind in branches::Kind::ALL {
        let shape = Shape::Branches(Branches::draw(kind, &mut stream(kind.name())));
        all.push(formula(kind.name(), kind.space(), shape)?);
    }
    all.push(of_table(table));
    // A standard deviation that hides the last decades of five dimensions, not the slope.
    for (function, noise) in [(Function::Sphere, 1.0), (Function::Rosenbrock, 10.0)] {
        let name = format!("noisy-{}-5", function.name());
        let mut problem = continuous(name, vec![Group::Noisy], function, 5)?;
        problem.noise = noise;
        all.push(problem);
    }
    Ok(all)
}

/// The stream that a problem is drawn from.
fn stream(name: &str) -> Stream {
    Stream::new(derive_seed(&[b"problem of a study", name.as_bytes()]))
}

fn continuous(
    name: String,
    groups: Vec<Group>,
    function: Function,
    dims: usize,
) -> Result<Problem, SpaceError> {
    let instance = Instance::draw(function, dims, &mut stream(&name));
    let parameters = (0..dims).map(|i| real(&format!("x{i}"), -5.0, 5.0));
    Ok(Problem {
        groups,
        space: Space::new(parameters.collect())?,
        optimum: instance.optimum(),
        shape: Shape::Bbob(instance),
        resolution: FLOOR,
        noise: 0.0,
        name,
    })
}

fn formula(
    name: &str,
    space: Vec<tune_space::Parameter>,
    shape: Shape,
) -> Result<Problem, SpaceError> {
    Ok(Problem {
        name: name.to_owned(),
        groups: vec![Group::Structured],
        space: Space::new(space)?,
        shape,
        optimum: 0.0,
        resolution: FLOOR,
        noise: 0.0,
    })
}

fn of_table(table: Table) -> Problem {
    let rows = 0..table.catalogue().rows().len();
    let mut values: Vec<f64> = rows.filter_map(|row| wrong(&table, row)).collect();
    values.sort_by(f64::total_cmp);
    let best = values.first().copied().unwrap_or(0.0);
    let second = values.iter().copied().find(|value| *value > best);
    Problem {
        name: format!("table-{}", table.catalogue().about().name),
        groups: vec![Group::Structured],
        space: table.catalogue().space().clone(),
        optimum: best,
        resolution: second.map_or(FLOOR, |second| (second - best) / 2.0),
        noise: 0.0,
        shape: Shape::Table(Box::new(table)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table() -> Table {
        const DIR: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../data/tables/digits-mlp");
        let read = |file: &str| std::fs::read(format!("{DIR}/{file}")).unwrap();
        let files = ["table.json", "configurations.csv", "curves.csv"].map(read);
        Table::parse(&files[0], &files[1], &files[2]).unwrap()
    }

    fn all() -> Vec<Problem> {
        problems(table()).unwrap()
    }

    fn named(name: &str) -> Problem {
        all()
            .into_iter()
            .find(|problem| problem.name == name)
            .unwrap()
    }

    #[test]
    fn every_group_has_at_least_five_problems_and_every_name_stands_once() {
        let all = all();
        assert_eq!(all.len(), 32);
        for group in Group::ALL {
            let count = all.iter().filter(|p| p.groups.contains(&group)).count();
            assert!(count >= 5, "{group:?}");
        }
        let mut names: Vec<&str> = all.iter().map(Problem::name).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), 32);
    }

    #[test]
    fn no_draw_is_below_the_optimum_and_the_optimum_is_reached() {
        let mut stream = Stream::new(9);
        for problem in all() {
            for trial in 0..300 {
                let config = problem.space.sample(&mut stream, &Config::new()).unwrap();
                let evaluation = problem.evaluate(&config, 1, trial).unwrap();
                assert!(evaluation.regret >= problem.resolution, "{}", problem.name);
                if problem.noise == 0.0 {
                    let above = evaluation.value - problem.optimum;
                    assert!(above >= 0.0, "{} {config}", problem.name);
                    assert!(
                        (above.max(problem.resolution) - evaluation.regret).abs()
                            < 1e-6 * above.max(1.0)
                    );
                }
            }
            let best = match &problem.shape {
                Shape::Bbob(instance) => {
                    let at = instance.best_at().iter().enumerate();
                    at.map(|(i, x)| (format!("x{i}"), (*x).into())).collect()
                }
                Shape::Mixed(mixed) => mixed.best(),
                Shape::Branches(branches) => branches.best(),
                Shape::Table(table) => {
                    let rows = table.catalogue().rows().iter().enumerate();
                    let mut rows = rows.map(|(i, row)| (wrong(table, i), row));
                    rows.find(|(value, _)| *value == Some(problem.optimum))
                        .unwrap()
                        .1
                        .config
                        .clone()
                }
            };
            let evaluation = problem.evaluate(&best, 1, 0).unwrap();
            assert_eq!(evaluation.regret, problem.resolution, "{}", problem.name);
        }
    }

    #[test]
    fn noise_depends_on_seed_and_trial_alone_and_has_its_deviation() {
        let problem = named("noisy-sphere-5");
        let config = |x: f64| -> Config { (0..5).map(|i| (format!("x{i}"), x.into())).collect() };
        let noise = |x: f64, seed, trial| {
            let evaluation = problem.evaluate(&config(x), seed, trial).unwrap();
            evaluation.value - evaluation.regret - problem.optimum
        };
        assert!((noise(1.0, 2, 3) - noise(-2.0, 2, 3)).abs() < 1e-9);
        assert!((noise(1.0, 2, 3) - noise(1.0, 2, 4)).abs() > 1e-6);
        assert!((noise(1.0, 2, 3) - noise(1.0, 5, 3)).abs() > 1e-6);
        let draws: Vec<f64> = (0..2_000).map(|trial| noise(0.0, 7, trial)).collect();
        let square = draws.iter().map(|x| x * x).sum::<f64>() / 2_000.0;
        assert!((square - 1.0).abs() < 0.1, "{square}");
    }

    #[test]
    fn problems_are_pinned() {
        let at = |name: &str, x: f64| {
            let problem = named(name);
            let config: Config = (0..5).map(|i| (format!("x{i}"), x.into())).collect();
            problem.evaluate(&config, 1, 0).unwrap().value
        };
        let values = ["rastrigin-5", "gallagher-5", "step-ellipsoid-5"].map(|name| at(name, 0.5));
        let pinned = [
            -112.204_496_318_475_7,
            -309.437_556_500_695_45,
            128.864_011_027_016_43,
        ];
        assert_eq!(values, pinned);
    }

    #[test]
    fn a_configuration_from_elsewhere_is_refused() {
        let error = named("sphere-2")
            .evaluate(&Config::new(), 1, 0)
            .unwrap_err();
        assert!(error.message().contains("x0"), "{error}");
    }

    #[test]
    fn the_table_tells_its_best_rows_apart() {
        let problem = named("table-digits-mlp");
        assert!(
            problem.resolution > 1e-4 && problem.resolution < 1e-2,
            "{}",
            problem.resolution
        );
        assert!(
            problem.optimum > 0.0 && problem.optimum < 0.05,
            "{}",
            problem.optimum
        );
    }
}
