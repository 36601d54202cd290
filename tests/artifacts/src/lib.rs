//! Builds the test guests and names their files.
