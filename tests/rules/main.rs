//! The rules: the shipped bundles kept to their notices, clause by clause.

mod clauses;
mod mutation;
mod published;
mod random;
mod reference;
mod regressions;
mod small;
