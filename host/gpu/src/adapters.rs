//! The adapters of this machine, and which of them is used.
//!
//! One instance of the driver's library a process: some loaders do not survive it being opened and
//! closed from several threads.

use std::sync::OnceLock;

use tune_core::GpuLimits;

use crate::error::{Ended, Failure, GpuError};
use crate::keeper::{MAX_STUCK, stuck};

/// Bytes of the largest staging buffer of the host's own.
pub(crate) const STAGING_BYTES: u64 = 16 << 20;
/// What to do on a machine without an adapter.
const INSTALL: &str = "install a Vulkan driver (Debian: `apt-get install mesa-vulkan-drivers \
                       libvulkan1` has one for most cards, and one that computes on the processor)";

/// What kind of device an adapter is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum DeviceType {
    /// A card with memory of its own.
    Discrete,
    /// Part of the processor.
    Integrated,
    /// Of a virtual machine.
    Virtual,
    /// The processor itself.
    Cpu,
    /// Unknown.
    Other,
}

impl DeviceType {
    /// One word for people.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Discrete => "discrete",
            Self::Integrated => "integrated",
            Self::Virtual => "virtual",
            Self::Cpu => "software",
            Self::Other => "other",
        }
    }
}

/// An adapter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AdapterInfo {
    /// As its driver calls it.
    pub name: String,
    /// One of the words of the contract.
    pub vendor: &'static str,
    /// See there.
    pub device_type: DeviceType,
    /// Its driver, with the version.
    pub driver: String,
    /// `vulkan`, `metal`, `dx12` or `noop`.
    pub backend: &'static str,
}

/// The adapters of this machine, the best first.
#[derive(Debug)]
pub struct Adapters {
    adapters: Vec<(AdapterInfo, wgpu::Adapter)>,
    /// Why there is none, if there is none; what to do comes after it.
    reason: &'static str,
}

impl Adapters {
    /// Those of the machine. The first call opens the drivers, which takes up to half a second.
    #[must_use]
    pub fn of_machine() -> &'static Self {
        static ADAPTERS: OnceLock<Adapters> = OnceLock::new();
        ADAPTERS.get_or_init(|| {
            let mut backends = wgpu::Backends::VULKAN;
            if cfg!(target_os = "macos") {
                backends = wgpu::Backends::METAL;
            } else if cfg!(windows) {
                backends |= wgpu::Backends::DX12;
            }
            Self::open(backends)
        })
    }

    /// One that checks everything and computes nothing: for tests.
    #[must_use]
    pub fn that_compute_nothing() -> &'static Self {
        static ADAPTERS: OnceLock<Adapters> = OnceLock::new();
        ADAPTERS.get_or_init(|| Self::open(wgpu::Backends::NOOP))
    }

    /// None, as if the machine had none.
    #[must_use]
    pub fn none() -> &'static Self {
        static NONE: Adapters = Adapters::without(
            "GPUs are switched off (TUNE_HOST_GPU=off): unset it; if there is none then",
        );
        &NONE
    }

    const fn without(reason: &'static str) -> Self {
        Self {
            adapters: Vec::new(),
            reason,
        }
    }

    /// What `TUNE_HOST_GPU` asks for: `off`, `noop`, or those of the machine if it is empty or not there. With
    /// any other word there are none, which their refusal says: a slip must not compute elsewhere.
    #[must_use]
    pub fn chosen(word: Option<&str>) -> &'static Self {
        static UNKNOWN: Adapters = Adapters::without(
            "TUNE_HOST_GPU is neither `off` nor `noop`: correct or unset it; if there is none then",
        );
        match word {
            None | Some("") => Self::of_machine(),
            Some("off") => Self::none(),
            Some("noop") => Self::that_compute_nothing(),
            Some(_) => &UNKNOWN,
        }
    }

    fn open(backends: wgpu::Backends) -> Self {
        let noop = backends == wgpu::Backends::NOOP;
        let instance = wgpu::Instance::new(wgpu::InstanceDescriptor {
            backends,
            // No layers for debugging, whatever the environment says: guests cannot use them, and
            // they print.
            flags: wgpu::InstanceFlags::empty(),
            backend_options: wgpu::BackendOptions {
                noop: wgpu::NoopBackendOptions {
                    enable: noop,
                    ..Default::default()
                },
                ..Default::default()
            },
            ..wgpu::InstanceDescriptor::new_without_display_handle()
        });
        let found = now(instance.enumerate_adapters(backends)).unwrap_or_default();
        let mut adapters: Vec<_> = found.into_iter().map(|a| (describe(&a), a)).collect();
        // Stable: of two alike the driver's order decides.
        adapters.sort_by_key(|(info, _)| info.device_type);
        Self {
            adapters,
            reason: "this machine has no adapter",
        }
    }

    /// What there is, the best first.
    pub fn list(&self) -> impl Iterator<Item = &AdapterInfo> {
        self.adapters.iter().map(|(info, _)| info)
    }

    /// The one that is used.
    #[must_use]
    pub fn first(&self) -> Option<&AdapterInfo> {
        self.list().next()
    }

    /// Why no device can be had for these quotas, in words; none: it can.
    #[must_use]
    pub fn refusal(&self, quotas: &GpuLimits) -> Option<String> {
        let Some((info, adapter)) = self.adapters.first() else {
            return Some(format!("{}: {INSTALL}", self.reason));
        };
        let mut short = None;
        limits(quotas).check_limits_with_fail_fn(&adapter.limits(), false, |name, wanted, has| {
            short.get_or_insert((name, wanted, has));
        });
        if let Some((name, wanted, has)) = short {
            return Some(format!(
                "`{}` offers {has} of {name}, {wanted} are wanted: lower `gpu_buffer` in [limits] or \
                 use another adapter",
                info.name
            ));
        }
        let stuck = stuck();
        (stuck >= MAX_STUCK).then(|| {
            format!(
                "{stuck} devices do not come to rest, so no more are given out: see which trials \
                 ended at a deadline"
            )
        })
    }

    /// A new device.
    pub(crate) fn device(
        &self,
        quotas: &GpuLimits,
    ) -> Result<(AdapterInfo, wgpu::Device, wgpu::Queue), Failure> {
        if let Some(refusal) = self.refusal(quotas) {
            return Err(GpuError::Unavailable(refusal).into());
        }
        let Some((info, adapter)) = self.adapters.first() else {
            return Err(GpuError::Unavailable(self.reason.to_owned()).into());
        };
        let wanted = wgpu::DeviceDescriptor {
            label: None,
            required_features: wgpu::Features::empty(),
            required_limits: limits(quotas),
            experimental_features: wgpu::ExperimentalFeatures::disabled(),
            // Blocks of the size of the buffers: a trial holds few.
            memory_hints: wgpu::MemoryHints::MemoryUsage,
            trace: wgpu::Trace::Off,
        };
        match now(adapter.request_device(&wanted)) {
            Some(Ok((device, queue))) => Ok((info.clone(), device, queue)),
            Some(Err(error)) => Err(Ended::Lost(format!("no device: {error}")).into()),
            None => Err(Ended::Bug("a device did not come at once".to_owned()).into()),
        }
    }
}

/// What a device of these quotas offers: that of every WebGPU device, except for the size of buffers.
/// So a guest sees the same limits on all adapters.
pub(crate) fn limits(quotas: &GpuLimits) -> wgpu::Limits {
    let base = wgpu::Limits::default();
    wgpu::Limits {
        max_buffer_size: quotas.one_buffer_bytes.max(STAGING_BYTES),
        max_storage_buffer_binding_size: quotas.one_buffer_bytes,
        ..base
    }
}

fn describe(adapter: &wgpu::Adapter) -> AdapterInfo {
    let info = adapter.get_info();
    AdapterInfo {
        // As PCI numbers them; Mesa has a number for its software.
        vendor: match info.vendor {
            0x10de => "nvidia",
            0x1002 => "amd",
            0x8086 => "intel",
            0x106b => "apple",
            0x13b5 => "arm",
            0x5143 => "qualcomm",
            0x1_0005 => "mesa",
            _ => "other",
        },
        device_type: match info.device_type {
            wgpu::DeviceType::DiscreteGpu => DeviceType::Discrete,
            wgpu::DeviceType::IntegratedGpu => DeviceType::Integrated,
            wgpu::DeviceType::VirtualGpu => DeviceType::Virtual,
            wgpu::DeviceType::Cpu => DeviceType::Cpu,
            wgpu::DeviceType::Other => DeviceType::Other,
        },
        driver: format!("{} {}", info.driver, info.driver_info)
            .trim()
            .to_owned(),
        backend: info.backend.to_str(),
        name: info.name,
    }
}

/// The value of a future that is ready, as all of the native library are.
pub(crate) fn now<T>(future: impl Future<Output = T>) -> Option<T> {
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    match std::pin::pin!(future).poll(&mut context) {
        std::task::Poll::Ready(value) => Some(value),
        std::task::Poll::Pending => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_an_adapter_the_refusal_says_what_to_install() {
        let refusal = Adapters::none().refusal(&GpuLimits::default()).unwrap();
        assert!(refusal.contains("mesa-vulkan-drivers"), "{refusal}");
    }

    #[test]
    fn a_word_that_nobody_knows_gives_no_adapter_and_is_named() {
        let adapters = Adapters::chosen(Some("nop"));
        let refusal = adapters.refusal(&GpuLimits::default()).unwrap();
        assert!(refusal.contains("neither `off` nor `noop`"), "{refusal}");
        assert!(adapters.first().is_none());
    }

    #[test]
    fn buffers_larger_than_the_adapter_has_are_refused_by_name() {
        let adapters = Adapters::that_compute_nothing();
        assert_eq!(adapters.refusal(&GpuLimits::default()), None);
        let quotas = GpuLimits {
            one_buffer_bytes: u64::MAX,
            ..GpuLimits::default()
        };
        let refusal = adapters.refusal(&quotas).unwrap();
        assert!(refusal.contains("buffer_binding_size"), "{refusal}");
    }
}
