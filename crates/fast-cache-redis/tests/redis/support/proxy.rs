//! A proxy that fails on purpose.
