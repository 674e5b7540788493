//! The whole path, from a bus to the store and the topics.
