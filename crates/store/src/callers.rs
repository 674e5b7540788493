//! What callers rely on: requests under an Idempotency-Key, entries by their
//! reference, entries behind a position.
//!
//! Promises:
//! - The answer to a keyed request is recorded with what the request changed, in one transaction.
//! - Of several attempts under one key, at any number of processes, one works at a time.
//! - Keys and references are kept as keyed hashes, answers sealed.

use crate::{
    RecordError, Sql, Store, StoreError, Write, bytes,
    ledger::{entry_place, reference},
    sql::sql,
};
use vernport_types::{ControllerId, EntryHash, Slug, UtcMicros};

/// For how long an answer is kept, in seconds: 24 h, and an hour for clocks and sweeps.
pub const KEPT_SECONDS: i64 = 25 * 3_600;
/// How many keyed requests of one controller are kept at a time.
pub const MAX_KEYED: i64 = 20_000;

/// A request under a key, as one attempt works on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Keyed {
    /// Keyed hash of the caller.
    pub(crate) caller: [u8; 32],
    /// Keyed hash of the key.
    pub(crate) key: [u8; 32],
    /// Drawn for this attempt.
    pub(crate) holder: [u8; 16],
}

/// What the store knows of a key when an attempt begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Begun {
    /// This attempt works on it, and nobody else does.
    Free,
    /// Another attempt works on it.
    UnderWay,
    /// It was answered before.
    Answered {
        /// SHA-256 of the request that was answered.
        request: [u8; 32],
        /// The answer.
        answer: Vec<u8>,
    },
    /// So many keyed requests of this controller are kept that no other can be.
    Full,
}

/// An answer to be kept with a change, sealed ([`Store::answered`]).
#[derive(Debug, Clone)]
pub struct Answered {
    pub(crate) keyed: Keyed,
    pub(crate) request: [u8; 32],
    pub(crate) sealed: Vec<u8>,
}

/// An entry as the store knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EntryRow {
    /// Its place in the order of recording; other things have places in between.
    pub position: i64,
    /// Its hash.
    pub entry: EntryHash,
    /// The kind of its event.
    pub kind: String,
    /// When it was recorded.
    pub recorded_at: UtcMicros,
}

type EntryColumns = (i64, Vec<u8>, String, i64);
type SealedColumns = (i64, Vec<u8>, String, i64, Vec<u8>);
type KeyedColumns = (i64, Option<Vec<u8>>, Option<Vec<u8>>);

impl Store {
    /// A key of a caller, for one attempt. `attempt` is drawn anew for each.
    pub fn keyed(&self, controller: &ControllerId, caller: &str, key: &str, attempt: [u8; 16]) -> Keyed {
        let index = |what: &[u8], text: &str| {
            self.master.index(&[what, controller.as_str().as_bytes(), b"\0", text.as_bytes()].concat())
        };
        let key = index(b"keyed-request\0", &format!("{caller}\0{key}"));
        Keyed { caller: index(b"keyed-caller\0", caller), key, holder: attempt }
    }

    /// An answer as it is kept: under which key, SHA-256 of the request, what was answered.
    pub fn answered(
        &self,
        controller: &ControllerId,
        keyed: Keyed,
        request: [u8; 32],
        answer: &[u8],
    ) -> Answered {
        Answered { keyed, request, sealed: self.master.seal(&place(controller, &keyed), answer) }
    }

    /// Begins an attempt, and forgets answers that are older than [`KEPT_SECONDS`]. Until `until` no
    /// other attempt may begin.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn begin_keyed(
        &self,
        controller: &ControllerId,
        keyed: &Keyed,
        now: UtcMicros,
        until: UtcMicros,
    ) -> Result<Begun, StoreError> {
        match self.begin_sealed(controller, keyed, now, until).await? {
            Begun::Answered { request, answer: sealed } => {
                let broken = |_| StoreError::Row { table: "keyed_request" };
                let answer = self.master.open(&place(controller, keyed), &sealed).map_err(broken)?;
                Ok(Begun::Answered { request, answer: answer.to_vec() })
            }
            begun => Ok(begun),
        }
    }

    /// The same; an answer is still sealed.
    async fn begin_sealed(
        &self,
        controller: &ControllerId,
        keyed: &Keyed,
        now: UtcMicros,
        until: UtcMicros,
    ) -> Result<Begun, StoreError> {
        let db = sql_or!(self, begin_keyed(controller, keyed, now, until));
        db.begin_keyed(controller, keyed, now, until).await
    }

    /// Goes on with an attempt that takes longer; false if another attempt took it over.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn hold_keyed(
        &self,
        controller: &ControllerId,
        keyed: &Keyed,
        until: UtcMicros,
    ) -> Result<bool, StoreError> {
        let db = sql_or!(self, hold_keyed(controller, keyed, until));
        let mut write = db.write(controller).await?;
        let held = sql("UPDATE keyed_request SET until = $5
             WHERE controller = $1 AND caller = $2 AND key = $3 AND holder = $4 AND answer IS NULL")
        .bind(controller.as_str())
        .bind(&keyed.caller)
        .bind(&keyed.key)
        .bind(&keyed.holder)
        .bind(until.0)
        .execute(&mut write.transaction)
        .await?;
        write.commit().await?;
        Ok(held == 1)
    }

    /// Keeps the answer that is given in the end, in place of one that was recorded with a change, and
    /// lets others have it.
    ///
    /// # Errors
    /// [`RecordError::Overtaken`] if another attempt works on it.
    pub async fn answer_keyed(
        &self,
        controller: &ControllerId,
        answered: &Answered,
    ) -> Result<(), RecordError> {
        let db = sql_or!(self, answer_keyed(controller, answered));
        let mut write = db.write(controller).await?;
        write.answer_keyed(controller, answered).await?;
        write.let_go(controller, &answered.keyed).await?;
        Ok(write.commit().await?)
    }

    /// Gives up an attempt that changed nothing: the next one judges the request anew. One whose answer
    /// was recorded stays answered.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn give_up_keyed(&self, controller: &ControllerId, keyed: &Keyed) -> Result<(), StoreError> {
        let db = sql_or!(self, give_up_keyed(controller, keyed));
        let mut write = db.write(controller).await?;
        sql("DELETE FROM keyed_request
             WHERE controller = $1 AND caller = $2 AND key = $3 AND holder = $4 AND answer IS NULL")
        .bind(controller.as_str())
        .bind(&keyed.caller)
        .bind(&keyed.key)
        .bind(&keyed.holder)
        .execute(&mut write.transaction)
        .await?;
        write.let_go(controller, keyed).await?;
        write.commit().await
    }

    /// Forgets all keys: under another master key none is found again.
    pub(crate) async fn forget_keyed(&self, controller: &ControllerId) -> Result<(), StoreError> {
        let db = sql_or!(self, forget_keyed(controller));
        let mut write = db.write(controller).await?;
        sql("DELETE FROM keyed_request WHERE controller = $1")
            .bind(controller.as_str())
            .execute(&mut write.transaction)
            .await?;
        write.commit().await
    }

    /// The entry that a source recorded under its own reference.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn find_entry(
        &self,
        controller: &ControllerId,
        source: &Slug,
        external_ref: &str,
    ) -> Result<Option<EntryRow>, StoreError> {
        let reference = reference(&self.master, controller, external_ref);
        let db = sql_or!(self, find_entry(controller, source, &reference));
        let row: Option<EntryColumns> = sql("SELECT position, entry, kind, recorded_at FROM entry
             WHERE controller = $1 AND source = $2 AND reference = $3")
        .bind(controller.as_str())
        .bind(source.as_str())
        .bind(&reference)
        .fetch_optional(&db.main)
        .await?;
        row.map(entry_row).transpose()
    }

    /// The entry at a position; none if there is none.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn entry_at(
        &self,
        controller: &ControllerId,
        position: i64,
    ) -> Result<Option<EntryHash>, StoreError> {
        let db = sql_or!(self, entry_at(controller, position));
        let row: Option<(Vec<u8>,)> = sql("SELECT entry FROM entry WHERE controller = $1 AND position = $2")
            .bind(controller.as_str())
            .bind(position)
            .fetch_optional(&db.main)
            .await?;
        row.map(|(entry,)| Ok(EntryHash::from_bytes(bytes("entry", &entry)?))).transpose()
    }

    /// Entries behind a position with their JSON, in the order of recording. Positions become visible
    /// in their order: whoever goes on behind the last one misses none.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn entries_after(
        &self,
        controller: &ControllerId,
        position: i64,
        limit: u16,
    ) -> Result<Vec<(EntryRow, Vec<u8>)>, StoreError> {
        let open = |(row, sealed): (EntryRow, Vec<u8>)| {
            let json = self
                .master
                .open(&entry_place(controller, row.entry), &sealed)
                .map_err(|_| StoreError::Row { table: "entry" })?;
            Ok((row, json.to_vec()))
        };
        self.sealed_after(controller, position, limit).await?.into_iter().map(open).collect()
    }

    async fn sealed_after(
        &self,
        controller: &ControllerId,
        position: i64,
        limit: u16,
    ) -> Result<Vec<(EntryRow, Vec<u8>)>, StoreError> {
        let db = sql_or!(self, sealed_after(controller, position, limit));
        let rows: Vec<SealedColumns> = sql("SELECT position, entry, kind, recorded_at, sealed FROM entry
             WHERE controller = $1 AND position > $2 ORDER BY position LIMIT $3")
        .bind(controller.as_str())
        .bind(position)
        .bind(i64::from(limit))
        .fetch_all(&db.main)
        .await?;
        let row = |(position, entry, kind, recorded_at, sealed): SealedColumns| {
            Ok((entry_row((position, entry, kind, recorded_at))?, sealed))
        };
        rows.into_iter().map(row).collect()
    }
}

fn entry_row((position, entry, kind, recorded_at): EntryColumns) -> Result<EntryRow, StoreError> {
    let entry = EntryHash::from_bytes(bytes("entry", &entry)?);
    Ok(EntryRow { position, entry, kind, recorded_at: UtcMicros(recorded_at) })
}

fn place(controller: &ControllerId, keyed: &Keyed) -> Vec<u8> {
    [b"keyed-answer\0", controller.as_str().as_bytes(), b"\0", &keyed.caller, &keyed.key].concat()
}

impl Sql {
    async fn begin_keyed(
        &self,
        controller: &ControllerId,
        keyed: &Keyed,
        now: UtcMicros,
        until: UtcMicros,
    ) -> Result<Begun, StoreError> {
        let mut write = self.write(controller).await?;
        sql("DELETE FROM keyed_request WHERE controller = $1 AND first_at <= $2 AND until <= $3")
            .bind(controller.as_str())
            .bind(now.plus_seconds(-KEPT_SECONDS).0)
            .bind(now.0)
            .execute(&mut write.transaction)
            .await?;
        let known: Option<KeyedColumns> = sql("SELECT until, request, answer FROM keyed_request
             WHERE controller = $1 AND caller = $2 AND key = $3")
        .bind(controller.as_str())
        .bind(&keyed.caller)
        .bind(&keyed.key)
        .fetch_optional(&mut write.transaction)
        .await?;
        let begun = match known {
            // Also one that is recorded with its change, but not yet given: it may say more in the end.
            Some((held_until, ..)) if now.0 < held_until => Begun::UnderWay,
            Some((_, Some(request), Some(answer))) => {
                Begun::Answered { request: bytes("keyed_request", &request)?, answer }
            }
            Some(_) => {
                write.hold(controller, keyed, until).await?;
                Begun::Free
            }
            None if write.count_keyed(controller).await? >= MAX_KEYED => Begun::Full,
            None => {
                write.enter_keyed(controller, keyed, now, until).await?;
                Begun::Free
            }
        };
        write.commit().await?;
        Ok(begun)
    }
}

impl Write {
    /// Fails, and with it the whole transaction, if the attempt is no longer the one that works on it.
    pub(crate) async fn answer_keyed(
        &mut self,
        controller: &ControllerId,
        answered: &Answered,
    ) -> Result<(), RecordError> {
        let Keyed { caller, key, holder } = &answered.keyed;
        let kept = sql("UPDATE keyed_request SET request = $5, answer = $6
             WHERE controller = $1 AND caller = $2 AND key = $3 AND holder = $4")
        .bind(controller.as_str())
        .bind(caller)
        .bind(key)
        .bind(holder)
        .bind(&answered.request)
        .bind(&answered.sealed)
        .execute(&mut self.transaction)
        .await?;
        if kept == 1 { Ok(()) } else { Err(RecordError::Overtaken) }
    }

    async fn enter_keyed(
        &mut self,
        controller: &ControllerId,
        keyed: &Keyed,
        now: UtcMicros,
        until: UtcMicros,
    ) -> Result<(), StoreError> {
        sql("INSERT INTO keyed_request (controller, caller, key, holder, until, first_at)
             VALUES ($1, $2, $3, $4, $5, $6)")
        .bind(controller.as_str())
        .bind(&keyed.caller)
        .bind(&keyed.key)
        .bind(&keyed.holder)
        .bind(until.0)
        .bind(now.0)
        .execute(&mut self.transaction)
        .await?;
        Ok(())
    }

    async fn hold(
        &mut self,
        controller: &ControllerId,
        keyed: &Keyed,
        until: UtcMicros,
    ) -> Result<(), StoreError> {
        sql("UPDATE keyed_request SET holder = $4, until = $5
             WHERE controller = $1 AND caller = $2 AND key = $3")
        .bind(controller.as_str())
        .bind(&keyed.caller)
        .bind(&keyed.key)
        .bind(&keyed.holder)
        .bind(until.0)
        .execute(&mut self.transaction)
        .await?;
        Ok(())
    }

    /// Ends the time for which an attempt has its key to itself.
    async fn let_go(&mut self, controller: &ControllerId, keyed: &Keyed) -> Result<(), StoreError> {
        sql("UPDATE keyed_request SET until = 0
             WHERE controller = $1 AND caller = $2 AND key = $3 AND holder = $4")
        .bind(controller.as_str())
        .bind(&keyed.caller)
        .bind(&keyed.key)
        .bind(&keyed.holder)
        .execute(&mut self.transaction)
        .await?;
        Ok(())
    }

    async fn count_keyed(&mut self, controller: &ControllerId) -> Result<i64, StoreError> {
        let (count,): (i64,) = sql("SELECT COUNT(*) FROM keyed_request WHERE controller = $1")
            .bind(controller.as_str())
            .fetch_one(&mut self.transaction)
            .await?;
        Ok(count)
    }
}
