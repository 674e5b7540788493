//! The one place that calls ring and hpke.
