//! All whole numbers (max_t, reduction factor) up to a bound: does any plan lead to a state with
//! trials paused, nothing running, and no way on? Ray Tune has such pairs.

use std::{collections::VecDeque, time::Instant};

use tune_plugin::{
    Action, Config, Creation, FailureKind, Next, Objective, Report, Scheduler, Setup, TrialId,
    parse_options, schedule::milestones,
};
use tune_scheduler_hyperband::Hyperband;

/// A run in the making.
#[derive(Clone, Copy, Debug)]
struct Case {
    max_t: u32,
    eta: u32,
    slots: usize,
    trials: u32,
    bohb: bool,
    /// When all are created: nothing more will come, or the searcher waits.
    end: Creation,
}

impl Case {
    fn scheduler(&self) -> Hyperband {
        let setup = Setup {
            space: Vec::new(),
            objectives: vec![Objective {
                metric: "score".to_owned(),
                maximize: true,
            }],
            constraints: Vec::new(),
            time_attr: "t".to_owned(),
            max_t: Some(f64::from(self.max_t)),
            trials: None,
            slots: 1,
            seed: 0,
            options: String::new(),
        };
        let options = format!(
            "{{\"reduction_factor\":{},\"bohb\":{}}}",
            self.eta, self.bohb
        );
        Hyperband::init(&setup, parse_options(&options).unwrap()).unwrap()
    }

    /// Trials go from one possible milestone to the next; every tenth jumps over one, every seventh
    /// fails at its second report, every eleventh ends by itself at its first. The number of states.
    fn run(&self) -> u64 {
        let mut scheduler = self.scheduler();
        let mut times: Vec<u32> = Vec::new();
        let mut reports: Vec<u32> = Vec::new();
        let mut running: VecDeque<TrialId> = VecDeque::new();
        let (mut paused, mut states) = (0_usize, 0_u64);
        loop {
            while running.len() < self.slots {
                let creation = if times.len() < self.trials as usize {
                    Creation::Possible
                } else {
                    self.end
                };
                let turn = scheduler.next_to_run(creation);
                states += 1;
                let stops = turn.actions.iter().filter(|a| matches!(a, Action::Stop(_)));
                paused -= stops.count();
                match turn.next {
                    Next::Create => {
                        scheduler.on_add(times.len() as TrialId, &Config::new());
                        times.push(0);
                        reports.push(0);
                    }
                    Next::Run(trial) => {
                        paused -= usize::from(reports[trial as usize] > 0);
                        running.push_back(trial);
                    }
                    Next::Idle | Next::Done => break,
                }
            }
            let Some(trial) = running.pop_front() else {
                assert_eq!(paused, 0, "only paused trials are left: {self:?}");
                assert_eq!(times.len(), self.trials as usize, "{self:?}");
                return states;
            };
            states += 1;
            let id = trial as usize;
            reports[id] += 1;
            if trial % 7 == 6 && reports[id] == 2 {
                scheduler.on_error(trial, FailureKind::Trap, false);
                continue;
            }
            times[id] = self.after(times[id]);
            if trial % 10 == 9 {
                times[id] = self.after(times[id]);
            }
            if times[id] >= self.max_t || trial % 11 == 10 {
                scheduler.on_complete(trial, None);
                continue;
            }
            let score = f64::from(trial.wrapping_mul(2_654_435_761) % 1000);
            let report = Report::default().with("t", f64::from(times[id]));
            let actions = scheduler.on_result(trial, &report.with("score", score));
            if actions == [Action::Pause(trial)] {
                paused += 1;
            } else {
                assert!(actions.is_empty(), "{actions:?}");
                running.push_back(trial);
            }
        }
    }

    /// The smallest max_t / eta^i, rounded down, that is above the time.
    fn after(&self, time: u32) -> u32 {
        let mut next = self.max_t;
        while next / self.eta > time {
            next /= self.eta;
        }
        next.max(time + 1)
    }
}

/// All pairs up to `most`, with bands that end full, short of one trial and half-filled.
fn every_pair(most: u32) -> (u64, u64, u64) {
    let (mut pairs, mut runs, mut states) = (0, 0, 0);
    for max_t in 1..=most {
        for eta in 2..=most {
            pairs += 1;
            let brackets = milestones(1.0, f64::from(eta), Some(f64::from(max_t))).unwrap();
            let first = |i: usize| brackets[i][0].1 as u32;
            let band: u32 = (0..brackets.len()).map(first).sum();
            for (i, trials) in [band, band - 1, first(0).div_ceil(2)]
                .into_iter()
                .enumerate()
            {
                for (bohb, end) in [
                    (false, Creation::Closed),
                    (true, Creation::Closed),
                    (i == 0, Creation::Waiting),
                ] {
                    let slots = 1 + (max_t + eta) as usize % 5 * 2;
                    let case = Case {
                        max_t,
                        eta,
                        slots,
                        trials,
                        bohb,
                        end,
                    };
                    runs += 1;
                    states += case.run();
                }
            }
        }
    }
    (pairs, runs, states)
}

#[test]
fn no_pair_up_to_40_leaves_only_paused_trials() {
    let (pairs, runs, _) = every_pair(40);
    assert_eq!((pairs, runs), (40 * 39, 40 * 39 * 9));
}

#[test]
#[ignore = "a minute; docs/schedulers.md has its last output"]
fn no_pair_up_to_300_leaves_only_paused_trials() {
    let start = Instant::now();
    let (pairs, runs, states) = every_pair(300);
    let seconds = start.elapsed().as_secs_f64();
    println!("{pairs} pairs, {runs} runs, {states} states, none stuck, {seconds:.0} s");
}
