//! A training in progress.

use tune_plugin::{Config, Failure, Reconfigured, Report, Stream, TrialInfo};

use crate::{
    Dataset, Gradients, Network, Settings,
    batch::{self, Score},
    optimizer::Optimizer,
};

/// Images that are validated at once: enough for full register tiles, little memory.
const VALIDATION_BATCH: usize = 64;

/// Results of one epoch.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Epoch {
    /// Mean cross-entropy of the training images while they were trained on.
    pub loss: f64,
    /// Mean cross-entropy of the validation images after the epoch.
    pub val_loss: f64,
    /// Share of validation images that are recognised, 0 to 1.
    pub accuracy: f64,
}

impl From<Epoch> for Report {
    fn from(epoch: Epoch) -> Self {
        Self::default()
            .with("loss", epoch.loss)
            .with("val_loss", epoch.val_loss)
            .with("accuracy", epoch.accuracy)
    }
}

/// A network, its data and its optimizer.
#[derive(Clone, Debug)]
pub struct Training {
    pub(crate) settings: Settings,
    dataset: Dataset,
    pub(crate) network: Network,
    gradients: Gradients,
    pub(crate) optimizer: Optimizer,
    /// Of `stream`.
    pub(crate) seed: u64,
    pub(crate) stream: Stream,
    /// Numbers of the training images in the order of the present epoch.
    pub(crate) order: Vec<usize>,
}

impl Training {
    /// A training from its beginning.
    #[must_use]
    pub fn new(settings: Settings, dataset: Dataset, seed: u64) -> Self {
        let mut stream = Stream::new(seed);
        let network = Network::new(&settings, &mut stream);
        Self {
            gradients: network.gradients(),
            optimizer: Optimizer::new(&network),
            order: (0..dataset.training.len()).collect(),
            settings,
            dataset,
            network,
            seed,
            stream,
        }
    }

    /// The training of a trial: configuration checked, data read from the host.
    ///
    /// # Errors
    /// What is wrong with the configuration or the data.
    pub fn of(info: &TrialInfo, config: &Config) -> Result<Self, Failure> {
        let settings = Settings::read(config)?;
        Ok(Self::new(settings, Dataset::load()?, info.seed))
    }

    /// Trains on every training image once, in random order, and validates.
    pub fn epoch(&mut self) -> Epoch {
        self.stream.shuffle(&mut self.order);
        let mut training = Score::default();
        for numbers in self.order.chunks(self.settings.batch) {
            training.add(batch::run(
                &mut self.network,
                &self.dataset.training,
                numbers,
                Some(&mut self.gradients),
            ));
            self.optimizer
                .step(&mut self.network, &self.gradients, &self.settings);
        }
        let mut validation = Score::default();
        let all: Vec<usize> = (0..self.dataset.validation.len()).collect();
        for numbers in all.chunks(VALIDATION_BATCH) {
            let images = &self.dataset.validation;
            validation.add(batch::run(&mut self.network, images, numbers, None));
        }
        Epoch {
            loss: training.loss / self.order.len() as f64,
            val_loss: validation.loss / all.len() as f64,
            accuracy: validation.hits as f64 / all.len() as f64,
        }
    }

    /// Goes on with other settings and a fresh seed for the order of images.
    ///
    /// # Errors
    /// What is wrong with the configuration.
    pub fn reconfigure(&mut self, config: &Config, seed: u64) -> Result<Reconfigured, Failure> {
        let settings = Settings::read(config)?;
        if !self.settings.can_become(&settings) {
            return Ok(Reconfigured::Unsupported);
        }
        self.settings = settings;
        self.seed = seed;
        self.stream = Stream::new(seed);
        Ok(Reconfigured::Applied)
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) fn training(config: &str, seed: u64) -> Training {
        let csv = include_bytes!("../../../../data/digits/digits.csv");
        let settings = Settings::read(&configuration(config)).unwrap();
        Training::new(settings, Dataset::parse(csv).unwrap(), seed)
    }

    pub(crate) fn configuration(text: &str) -> Config {
        let pairs = text
            .split_whitespace()
            .filter_map(|pair| pair.split_once('='));
        pairs
            .map(|(name, text)| {
                let value = text
                    .parse()
                    .map_or_else(|_| text.into(), tune_plugin::Value::Number);
                (name.to_owned(), value)
            })
            .collect()
    }

    fn best(config: &str, epochs: usize) -> f64 {
        let mut training = training(config, 1);
        (0..epochs)
            .map(|_| training.epoch().accuracy)
            .fold(0.0, f64::max)
    }

    #[test]
    fn a_good_configuration_passes_97_percent_long_before_81_epochs() {
        assert!(best("", 30) > 0.97);
        assert!(
            best(
                "optimizer=sgd lr=0.1 momentum=0.9 activation=tanh layers=2",
                30
            ) > 0.97
        );
    }

    #[test]
    fn a_bad_configuration_does_not() {
        assert!(best("optimizer=sgd lr=0.00001 momentum=0", 10) < 0.6);
    }

    #[test]
    fn equal_seeds_give_equal_reports_and_others_do_not() {
        let run = |seed| {
            let mut training = training("batch=50", seed);
            [training.epoch(), training.epoch()]
        };
        assert_eq!(run(5), run(5));
        assert_ne!(run(5), run(6));
    }

    #[test]
    fn a_new_learning_rate_acts_and_a_new_width_is_refused() {
        let mut trained = training("", 1);
        trained.epoch();
        let config: Config = [("lr".to_owned(), 0.0.into())].into_iter().collect();
        assert_eq!(trained.reconfigure(&config, 2), Ok(Reconfigured::Applied));
        let frozen = trained.epoch();
        assert_eq!(trained.epoch().val_loss, frozen.val_loss);
        let wider: Config = [("hidden".to_owned(), 65.0.into())].into_iter().collect();
        assert_eq!(
            trained.reconfigure(&wider, 3),
            Ok(Reconfigured::Unsupported)
        );
        let wrong: Config = [("lr".to_owned(), "x".into())].into_iter().collect();
        assert!(trained.reconfigure(&wrong, 3).is_err());
    }

    #[test]
    fn each_mutable_parameter_and_the_fresh_seed_act_from_the_next_epoch_on() {
        let base = "optimizer=sgd lr=0.05 momentum=0.5 weight_decay=0.001";
        let mut trained = training(base, 1);
        trained.epoch();
        let next = |config: &str, seed| {
            let mut changed = trained.clone();
            let config = configuration(config);
            assert_eq!(
                changed.reconfigure(&config, seed),
                Ok(Reconfigured::Applied)
            );
            changed.epoch()
        };
        let same = next(base, 2);
        assert_eq!(same, next(base, 2), "equal changes give equal epochs");
        // Another order of the images: other rounding, other losses.
        assert_ne!(same, next(base, 3));
        assert_ne!(same, trained.clone().epoch());
        for changed in [
            "optimizer=sgd lr=0.06 momentum=0.5 weight_decay=0.001",
            "optimizer=sgd lr=0.05 momentum=0.6 weight_decay=0.001",
            "optimizer=sgd lr=0.05 momentum=0.5 weight_decay=0.002",
        ] {
            assert_ne!(same, next(changed, 2), "{changed}");
        }
    }

    #[test]
    fn a_diverged_training_reports_what_is_not_a_number() {
        let mut diverged = training("optimizer=sgd lr=100 momentum=0.99", 1);
        let last = (0..3).map(|_| diverged.epoch()).last().unwrap();
        assert!(last.loss.is_nan() || last.loss > 100.0, "{last:?}");
        assert!(last.accuracy < 0.2);
    }
}
