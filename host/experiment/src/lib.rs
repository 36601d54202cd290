//! Experiment file to validated plan.
