//! A small embedded MQTT broker for the demo and for faults.
