//! Salted commitments, the leaves of the evidence log. Pure.
