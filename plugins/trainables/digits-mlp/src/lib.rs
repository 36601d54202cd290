//! The trainable digits-mlp of tune-host.
