//! Bundles to rules; facts to grants; decide and minimise. Pure.
