//! The trainable functions of tune-host.
