//! The one adapter around rumqttc: tool readings in, fleet messages out.
