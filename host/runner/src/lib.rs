//! Carries out the actions of the engine.
