//! Hostile and probing guests.
