//! The storage key while it is changed: the new one seals, the one before it still opens.

use crate::StorageKey;

/// The storage key of a gateway, and the one before it as long as something waits under that.
#[derive(Debug)]
pub struct StorageKeys {
    current: StorageKey,
    before: Option<StorageKey>,
}

impl StorageKeys {
    /// A key, and the one that it took the place of.
    pub fn new(current: StorageKey, before: Option<StorageKey>) -> Self {
        Self { current, before }
    }

    /// The key that seals.
    pub fn current(&self) -> &StorageKey {
        &self.current
    }

    /// The key before it; opens, and seals nothing any more.
    pub fn before(&self) -> Option<&StorageKey> {
        self.before.as_ref()
    }

    /// The keys that open, the present one first.
    pub fn opening(&self) -> impl Iterator<Item = &StorageKey> {
        std::iter::once(&self.current).chain(&self.before)
    }
}

impl From<StorageKey> for StorageKeys {
    fn from(current: StorageKey) -> Self {
        Self::new(current, None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_present_key_seals_and_both_open() {
        let keys = StorageKeys::new(StorageKey::from_bytes([2; 32]), Some(StorageKey::from_bytes([1; 32])));
        let old = StorageKey::from_bytes([1; 32]).seal(b"", b"x");
        let new = keys.current().seal(b"", b"x");
        for (row, by) in [(&new, [true, false]), (&old, [false, true])] {
            let opens: Vec<bool> = keys.opening().map(|key| key.open(b"", row).is_ok()).collect();
            assert_eq!(opens, by);
        }
        assert_eq!(StorageKeys::from(StorageKey::generate()).opening().count(), 1);
    }
}
