//! What was said about one thing, and whether it counts at a time.

use crate::{Effect, Entry};
use std::{borrow::Borrow, collections::HashMap, hash::Hash};
use vernport_types::{EntryHash, UtcMicros};

/// An entry without its event: name, times, effect.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Filed {
    pub(crate) entry: EntryHash,
    pub(crate) occurred: UtcMicros,
    pub(crate) recorded: UtcMicros,
    pub(crate) effect: Effect,
}

impl Filed {
    pub(crate) fn of(entry: &Entry, hash: EntryHash) -> Self {
        Self {
            entry: hash,
            occurred: entry.occurred_at,
            recorded: entry.recorded_at,
            effect: entry.event.effect(),
        }
    }

    pub(crate) fn item<T>(&self, says: T) -> Item<T> {
        Item {
            entry: self.entry,
            occurred: self.occurred,
            recorded: self.recorded,
            effect: self.effect,
            says,
        }
    }
}

/// Something that was said, by which entry, and when.
#[derive(Debug, Clone)]
pub(crate) struct Item<T> {
    pub(crate) entry: EntryHash,
    pub(crate) occurred: UtcMicros,
    pub(crate) recorded: UtcMicros,
    pub(crate) effect: Effect,
    pub(crate) says: T,
}

/// Where an item stands among others: the greatest decides. Recording time and
/// name break ties, so that the order of arrival does not.
pub(crate) type Place = (UtcMicros, u8, UtcMicros, EntryHash);

impl<T> Item<T> {
    pub(crate) fn place(&self) -> Place {
        (self.occurred, rank(self.effect), self.recorded, self.entry)
    }
}

/// An [`Effect`] in the order in which events of one moment are looked at: what
/// closes comes last, so that it decides.
fn rank(effect: Effect) -> u8 {
    match effect {
        Effect::States => 0,
        Effect::Opens => 1,
        Effect::Closes => 2,
    }
}

/// Items by what they are about.
#[derive(Debug, Clone)]
pub(crate) struct Book<K, T>(HashMap<K, Vec<Item<T>>>);

impl<K, T> Default for Book<K, T> {
    fn default() -> Self {
        Self(HashMap::new())
    }
}

impl<K: Hash + Eq, T> Book<K, T> {
    pub(crate) fn file(&mut self, key: K, item: Item<T>) {
        self.0.entry(key).or_default().push(item);
    }

    pub(crate) fn of<'a, Q: Hash + Eq + ?Sized>(
        &'a self,
        key: &Q,
    ) -> impl Iterator<Item = &'a Item<T>> + use<'a, K, T, Q>
    where
        K: Borrow<Q>,
    {
        self.0.get(key).into_iter().flatten()
    }

    pub(crate) fn of_all(&self, keys: impl IntoIterator<Item = K>) -> impl Iterator<Item = &Item<T>> {
        keys.into_iter().flat_map(|key| self.0.get(&key).into_iter().flatten())
    }

    pub(crate) fn keys(&self) -> impl Iterator<Item = &K> {
        self.0.keys()
    }
}

/// Which entries were mistakes, and since when that is recorded.
#[derive(Debug, Clone, Default)]
pub(crate) struct Voids(HashMap<EntryHash, UtcMicros>);

impl Voids {
    /// Marks an entry. Marked twice, the first time holds.
    pub(crate) fn mark(&mut self, entry: EntryHash, recorded: UtcMicros) {
        let at = self.0.entry(entry).or_insert(recorded);
        *at = recorded.min(*at);
    }

    pub(crate) fn at(&self, entry: &EntryHash) -> Option<UtcMicros> {
        self.0.get(entry).copied()
    }

    /// Whether an item counts at `now`: the meaning of [`Effect`].
    pub(crate) fn counts<T>(&self, item: &Item<T>, now: UtcMicros) -> bool {
        let voided = self.at(&item.entry);
        match item.effect {
            Effect::Opens => voided.is_none() && item.occurred.max(item.recorded) <= now,
            Effect::States => voided.is_none() && item.occurred <= now,
            Effect::Closes => item.occurred <= now && voided.is_none_or(|at| now < at),
        }
    }
}
