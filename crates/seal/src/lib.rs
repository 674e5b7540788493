//! Envelopes: batches sealed to recipients, signed by the gateway. Pure.
