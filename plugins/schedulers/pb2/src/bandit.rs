//! Which alternative of a categorical parameter is trained next: Exp3 whose weights are forgotten
//! (TV.EXP3.M of Parker-Holder et al. 2021, *Tuning Mixed Input Hyperparameters on the Fly for
//! Efficient Population Based AutoRL*, arXiv 2106.15883), with one play at a time, since the members
//! of an asynchronous population change one by one.

use tune_plugin::Stream;

/// The alternatives of one parameter and what they are worth.
#[derive(Clone, Debug)]
pub(crate) struct Bandit {
    weights: Vec<f64>,
    plays: u32,
}

impl Bandit {
    /// All of `alternatives` (at least 1) are worth the same.
    pub(crate) fn new(alternatives: usize) -> Self {
        Self {
            weights: vec![1.0; alternatives.max(1)],
            plays: 0,
        }
    }

    fn count(&self) -> f64 {
        self.weights.len() as f64
    }

    /// The share of plays that are drawn evenly. The paper's, with the plays so far in the place of
    /// the unknown number of all: at first everything, so that no alternative is given up early.
    fn exploring(&self) -> f64 {
        let count = self.count();
        let plays = f64::from(self.plays.max(1));
        let share = count * libm::log(count) / ((std::f64::consts::E - 1.0) * plays);
        share.sqrt().min(1.0)
    }

    /// How likely each alternative is drawn.
    pub(crate) fn chances(&self) -> Vec<f64> {
        let (exploring, total) = (self.exploring(), self.weights.iter().sum::<f64>());
        let weights = self.weights.iter();
        weights
            .map(|w| (1.0 - exploring) * w / total + exploring / self.count())
            .collect()
    }

    /// Draws one, and how likely it was.
    pub(crate) fn draw(&self, stream: &mut Stream) -> (usize, f64) {
        let chances = self.chances();
        let drawn = stream.weighted(&chances).unwrap_or(0);
        (drawn, chances.get(drawn).copied().unwrap_or(1.0))
    }

    /// Learns the reward in [0, 1] of an alternative that was drawn with this chance.
    pub(crate) fn learn(&mut self, drawn: usize, chance: f64, reward: f64) {
        self.plays = self.plays.saturating_add(1);
        let count = self.count();
        let gain = self.exploring() * (reward / chance) / count;
        // How fast the past is forgotten: 1 / plays, the paper's at its horizon.
        let evening = std::f64::consts::E / (count * f64::from(self.plays));
        let total = self.weights.iter().sum::<f64>();
        for (alternative, weight) in self.weights.iter_mut().enumerate() {
            if alternative == drawn {
                *weight *= libm::exp(gain);
            }
            *weight += evening * total;
        }
        // Only their ratios count; so they never overflow.
        let mean = self.weights.iter().sum::<f64>() / count;
        self.weights.iter_mut().for_each(|weight| *weight /= mean);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Plays, and how often each alternative was drawn in the last third of them.
    fn play(plays: u32, reward: impl Fn(u32, usize) -> f64) -> Vec<u32> {
        let mut bandit = Bandit::new(3);
        let mut stream = Stream::new(5);
        let mut drawn = vec![0; 3];
        for number in 0..plays {
            let (alternative, chance) = bandit.draw(&mut stream);
            bandit.learn(alternative, chance, reward(number, alternative));
            if number >= plays - plays / 3 {
                drawn[alternative] += 1;
            }
        }
        drawn
    }

    #[test]
    fn a_first_step_by_hand() {
        let mut bandit = Bandit::new(2);
        assert_eq!(bandit.chances(), [0.5, 0.5]);
        bandit.learn(0, 0.5, 1.0);
        // exploring = sqrt(2 ln 2 / (e - 1)), gain = exploring / 0.5 / 2, evening = e / 2.
        let e = std::f64::consts::E;
        let exploring = (2.0 * libm::log(2.0) / (e - 1.0)).sqrt();
        let (first, second) = (libm::exp(exploring) + e, 1.0 + e);
        let expected = (1.0 - exploring) * first / (first + second) + exploring / 2.0;
        assert!((bandit.chances()[0] - expected).abs() < 1e-15);
    }

    #[test]
    fn the_alternative_that_pays_is_drawn_most_and_no_other_is_given_up() {
        let drawn = play(600, |_, a| if a == 1 { 0.8 } else { 0.2 });
        assert!(drawn[1] > 110 && drawn[0] > 0 && drawn[2] > 0, "{drawn:?}");
        let even = play(600, |_, _| 0.5);
        assert!(even.iter().all(|d| (40..95).contains(d)), "{even:?}");
    }

    #[test]
    fn when_another_one_pays_it_takes_over() {
        let best = |number| if number < 200 { 0 } else { 2 };
        let drawn = play(600, |number, a| if a == best(number) { 0.9 } else { 0.1 });
        assert!(drawn[2] > drawn[0] && drawn[2] > 100, "{drawn:?}");
    }

    #[test]
    fn chances_are_chances_whatever_was_learnt() {
        let mut bandit = Bandit::new(4);
        for _ in 0..10_000 {
            bandit.learn(2, 1e-3, 1.0);
        }
        let chances = bandit.chances();
        assert!((chances.iter().sum::<f64>() - 1.0).abs() < 1e-12);
        assert!(
            chances.iter().all(|c| *c > 0.0 && c.is_finite()),
            "{chances:?}"
        );
        assert_eq!(Bandit::new(1).draw(&mut Stream::new(0)), (0, 1.0));
    }
}
