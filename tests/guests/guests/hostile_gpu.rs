//! Does to the GPU what `hostile` says, once, and else computes well: four steps of a kernel on whole numbers,
//! whose results are equal on every device. A name that begins with `good` is the latter. Each way is a
//! row of the threat table.

use tune_plugin::{
    Config, Failure, Report, Trainable, TrialInfo, bindings::trainable::tune::plugin::gpu as raw,
};
use tune_plugin_gpu::{Batch, BindGroup, Buffer, GpuError, Module, Pipeline, Usage};

/// Draws the next number of each of 64 generators, `TURNS` times.
const WGSL: &str = "
    override TURNS: u32 = 1u;
    override OFFSET: u32 = 0u;
    @group(0) @binding(0) var<storage, read_write> numbers: array<u32>;
    @compute @workgroup_size(64)
    fn draw(@builtin(global_invocation_id) id: vec3u) {
        let at = id.x + OFFSET;
        var x = numbers[at];
        for (var i = 0u; i < TURNS; i++) { x = x * 1664525u + 1013904223u; }
        numbers[at] = x;
    }";

/// What a software device does before it silently ends a loop.
const MOST_TURNS: f64 = 60_000.0;
/// Workgroups along an axis that every device has.
const MOST_GROUPS: u32 = 65_535;

struct Hostile {
    how: String,
    step: u32,
    numbers: Buffer<u32>,
    draw: Pipeline,
    group: BindGroup,
    hoard: Vec<Buffer<u32>>,
}

/// A kernel over the numbers.
fn kernel(
    numbers: &Buffer<u32>,
    constants: &[(&str, f64)],
) -> Result<(Pipeline, BindGroup), GpuError> {
    let draw = Pipeline::new(&Module::new("draw", WGSL)?, "draw", &[], constants)?;
    let group = draw.layout(0)?.bind(&[numbers.all()])?;
    Ok((draw, group))
}

/// All of it must be refused; what is not, is told by another kind of ending.
fn refused(tried: &[(&str, bool)]) -> Result<Report, Failure> {
    match tried.iter().find(|(_, done)| *done) {
        Some((what, _)) => Ok(Report::default().with(format!("it could {what}"), 1.0)),
        None => Err("all of it was refused".into()),
    }
}

impl Hostile {
    fn batch(&self, workgroups: [u32; 3]) -> Batch {
        let mut batch = Batch::new();
        batch.dispatch(&self.draw, &[self.group.whole()], workgroups);
        batch
    }

    fn train(&mut self) -> Result<Report, Failure> {
        self.step += 1;
        self.batch([1, 1, 1]).submit()?;
        let drawn = self.numbers.read()?;
        let sum = drawn.iter().fold(0_u32, |sum, n| sum.wrapping_add(*n));
        Ok(Report {
            finished: self.step == 4,
            ..Report::default()
        }
        .with("loss", f64::from(sum) / f64::from(u32::MAX)))
    }

    /// Minutes of work on any device.
    fn long(&mut self) -> Result<Batch, GpuError> {
        (self.draw, self.group) = kernel(&self.numbers, &[("TURNS", MOST_TURNS)])?;
        Ok(self.batch([MOST_GROUPS, 64, 1]))
    }

    fn attack(&mut self) -> Result<Report, Failure> {
        match self.how.as_str() {
            "endless_dispatch" => {
                self.long()?.submit()?.wait()?;
            }
            "endless_dispatch_left_behind" => {
                self.long()?.submit()?;
            }
            "endless_dispatch_read" => {
                self.long()?.submit()?;
                self.numbers.read()?;
            }
            "buffers_for_ever" => loop {
                let more = Buffer::zeroed("more", Usage::STORAGE, 1 << 18)?;
                self.hoard.push(more);
            },
            "huge_buffer" => {
                Buffer::<u32>::zeroed("huge", Usage::STORAGE, 1 << 29)?;
            }
            "objects_for_ever" => loop {
                let more = Buffer::zeroed("more", Usage::STORAGE, 1)?;
                self.hoard.push(more);
            },
            "long_shader" => {
                Module::new("long", &format!("{WGSL} // {}", "x".repeat(2 << 20)))?;
            }
            "deep_shader" => {
                let (open, close) = ("(".repeat(200_000), ")".repeat(200_000));
                Module::new("deep", &format!("const x = {open}1{close};"))?;
            }
            "deep_blocks" => {
                let (open, close) = ("{".repeat(100_000), "}".repeat(100_000));
                Module::new("deep", &format!("fn f() {open}{close}"))?;
            }
            "deep_types" => {
                let (open, close) = ("array<".repeat(50_000), ",2>".repeat(50_000));
                Module::new("deep", &format!("var<private> x: {open}u32{close};"))?;
            }
            "huge_private_array" => {
                let wgsl = "
                    var<private> huge: array<u32, 1000000000>;
                    @group(0) @binding(0) var<storage, read_write> numbers: array<u32>;
                    @compute @workgroup_size(64)
                    fn main(@builtin(global_invocation_id) id: vec3u) {
                        huge[numbers[0] + id.x] = 1u;
                        numbers[id.x] = huge[numbers[1]];
                    }";
                Pipeline::new(&Module::new("huge", wgsl)?, "main", &[], &[])?;
            }
            "wrong_shader" => {
                Module::new("wrong", "fn main() {\n    let x: u32 = 1.5;\n}")?;
            }
            "too_many_workgroups" => {
                self.batch([MOST_GROUPS + 1, 1, 1]).submit()?;
            }
            "too_much_at_once" => {
                self.batch([MOST_GROUPS, MOST_GROUPS, 1]).submit()?;
            }
            "too_many_commands" => {
                let mut batch = Batch::new();
                for _ in 0..200_000 {
                    batch.dispatch(&self.draw, &[self.group.whole()], [1, 1, 1]);
                }
                batch.submit()?;
            }
            "submissions_for_ever" => loop {
                self.batch([1, 1, 1]).submit()?;
            },
            "reads_for_ever" => loop {
                self.numbers.read()?;
            },
            "reads_that_nobody_finishes" => {
                let mut reads = Vec::new();
                loop {
                    reads.push(self.numbers.start_read(0..64)?);
                }
            }
            "writes_for_ever" => loop {
                self.numbers.write(0, &[0; 64])?;
            },
            "objects_of_others" => {
                let own = 1_000;
                let any = |done: fn(u64) -> bool| (own..own + 1_000).any(done);
                return refused(&[
                    ("destroy", any(|id| raw::destroy(id).is_ok())),
                    ("read", any(|id| raw::start_read(id, 0, 4).is_ok())),
                    ("write", any(|id| raw::write_buffer(id, 0, &[0; 4]).is_ok())),
                    ("finish a read", any(|id| raw::finish_read(id).is_ok())),
                    ("wait", any(|id| raw::wait(id).is_ok())),
                ]);
            }
            "places_that_are_none" => {
                let far = u64::MAX - 3;
                let own = (1..100)
                    .find(|id| raw::write_buffer(*id, 0, &[0; 4]).is_ok())
                    .ok_or("it has no buffer")?;
                let buffer = |usage, size| raw::create_buffer("", size, usage).is_ok();
                let storage = raw::BufferUsage::STORAGE;
                return refused(&[
                    (
                        "write far away",
                        raw::write_buffer(own, far, &[0; 4]).is_ok(),
                    ),
                    (
                        "write half a word",
                        raw::write_buffer(own, 0, &[0; 3]).is_ok(),
                    ),
                    ("read far away", raw::start_read(own, far, 8).is_ok()),
                    ("read half a word", raw::start_read(own, 2, 4).is_ok()),
                    ("make it of half a word", buffer(storage, 6)),
                    ("make the largest", buffer(storage, far)),
                ]);
            }
            how => return Err(format!("there is no way `{how}`").into()),
        }
        Ok(Report::default().with("it could", 1.0))
    }
}

impl Trainable for Hostile {
    const NAME: &'static str = "hostile-gpu";
    const SUMMARY: &'static str = "Does to the GPU what nobody should";
    const GRANTS: &'static [&'static str] = &["gpu"];

    fn setup(info: &TrialInfo, config: &Config) -> Result<Self, Failure> {
        let how: String = config.read("hostile")?;
        let seeds: Vec<u32> = (0..64).map(|i| info.seed as u32 ^ i).collect();
        let numbers = Buffer::with("numbers", Usage::STORAGE, &seeds)?;
        let offset = if how == "out_of_bounds" { 1e9 } else { 0.0 };
        let (draw, group) = kernel(&numbers, &[("OFFSET", offset)])?;
        Ok(Self {
            how,
            step: 0,
            numbers,
            draw,
            group,
            hoard: Vec::new(),
        })
    }

    fn step(&mut self) -> Result<Report, Failure> {
        if self.how.starts_with("good") || self.how == "out_of_bounds" {
            return self.train();
        }
        self.attack()
    }
}

tune_plugin::export_trainable!(Hostile);
