//! What the tests of frozen forms share.

use serde::{Serialize, de::DeserializeOwned};
use std::fmt::Debug;
use vernport_types::Slug;

/// Both ways: the value is written as the file says, and the file is read as the value.
pub(crate) fn frozen<T: Serialize + DeserializeOwned + PartialEq + Debug>(file: &str, value: &T) {
    let written = serde_json::to_string_pretty(value).expect("plain data") + "\n";
    assert_eq!(written, file);
    assert_eq!(serde_json::from_str::<T>(file).expect("was written"), *value);
}

pub(crate) fn slug(text: &str) -> Slug {
    text.parse().expect("a slug")
}
