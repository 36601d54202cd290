//! The trainable digits-coroutine of tune-host.
