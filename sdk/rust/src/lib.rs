//! What the author of a tune-host plugin depends on.
