//! Bytes to readings: candump, J1939, ISO-TP, OBD-II, visits. Pure.
