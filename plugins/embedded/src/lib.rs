//! The components that are shipped inside the binary.
