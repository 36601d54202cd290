//! Would behave only under observation: it looks for any trace of who runs it, and when, how often and
//! where, and reports what it saw. `loss` falls with the step; `seen` is a hash of all traces.

use std::{
    collections::HashMap,
    env, fs,
    hash::{BuildHasher as _, RandomState},
    io::Read as _,
    sync::atomic::{AtomicU32, Ordering},
    thread,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use tune_plugin::{Change, Config, Failure, Reconfigured, Report, Trainable, TrialInfo, log};

/// Would count how often its code was entered, if an instance were used for two things.
static ENTERED: AtomicU32 = AtomicU32::new(0);

struct Observed {
    step: u32,
    start: Instant,
    seen: u64,
}

impl Observed {
    fn note(&mut self, trace: u64) {
        self.seen = (self.seen ^ trace).wrapping_mul(0x0000_0100_0000_01B3);
    }

    fn look(&mut self) {
        self.note(ENTERED.fetch_add(1, Ordering::Relaxed).into());
        self.note(self.start.elapsed().as_nanos() as u64);
        let wall = SystemTime::now().duration_since(UNIX_EPOCH);
        self.note(wall.unwrap_or_default().as_nanos() as u64);
        thread::sleep(Duration::from_millis(3));
        self.note(self.start.elapsed().as_nanos() as u64);
        self.note(RandomState::new().hash_one(self.step));
        let map: HashMap<u32, u32> = (0..20).map(|i| (i, i)).collect();
        map.keys().for_each(|k| self.note((*k).into()));
        // Where things lie in memory, and how much of it there is.
        let place = Box::new(0_u8);
        self.note(std::ptr::from_ref(&*place).addr() as u64);
        self.note(std::ptr::from_ref(self).addr() as u64);
        self.note(vec![0_u8; 100_000 * self.step as usize].as_ptr().addr() as u64);
        self.note(env::vars_os().count() as u64 + env::args_os().count() as u64);
        self.note(fs::metadata("/proc/self").is_ok().into());
        let mut byte = [0];
        self.note(std::io::stdin().read(&mut byte).is_ok_and(|n| n > 0).into());
        log::info!("seen {:x}", self.seen);
    }
}

impl Trainable for Observed {
    const NAME: &'static str = "hostile-observed";
    const SUMMARY: &'static str = "Looks for whoever looks at it";

    fn setup(info: &TrialInfo, _: &Config) -> Result<Self, Failure> {
        let mut this = Self {
            step: 0,
            start: Instant::now(),
            seen: info.seed,
        };
        this.look();
        Ok(this)
    }

    fn step(&mut self) -> Result<Report, Failure> {
        self.step += 1;
        self.look();
        // 32 bits, which an f64 holds exactly.
        Ok(Report::default()
            .with("loss", 1.0 / f64::from(self.step))
            .with("seen", f64::from(self.seen as u32)))
    }

    fn reconfigure(&mut self, _: &Change) -> Result<Reconfigured, Failure> {
        self.look();
        Ok(Reconfigured::Applied)
    }
}

tune_plugin::export_trainable!(Observed);
