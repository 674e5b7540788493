//! What a station has to remember: what was said there, until central knows it, and a
//! few single values. Written like a settlement: at need out of the reserve, since
//! a withdrawal must be possible on a full disk.

use crate::{ReadError, SettleError, Spool, command::Outcome, evidence};
use sqlx::{Row as _, SqliteConnection};

/// Under which name the end of the chain of links is kept.
const TIP: &str = "station-tip";

/// One change of what is remembered.
#[derive(Debug, Clone)]
pub(crate) enum Memory {
    /// A link, and the end of the chain with it.
    Link { sequence: i64, link: Vec<u8>, tip: Vec<u8> },
    /// Links up to this one are known to central.
    Forget { up_to: i64 },
    /// A single value; none takes it away.
    Keep { name: &'static str, bytes: Option<Vec<u8>> },
    /// A checkpoint, and when it was cosigned.
    Checkpoint { size: i64, note: String, cosigned: Option<i64> },
}

impl Spool {
    /// Remembers a link and the new end of its chain, both or neither; durable when it answers. `tip` is
    /// given back by [`Self::station_tip`], `link` by [`Self::links`].
    ///
    /// # Errors
    /// [`SettleError`]; a full disk alone is none while the reserve suffices.
    pub async fn append_link(&self, sequence: u64, link: Vec<u8>, tip: Vec<u8>) -> Result<(), SettleError> {
        self.remember(Memory::Link { sequence: place(sequence), link, tip }).await.map(drop)
    }

    /// Forgets the links up to a place; how many there were. The end of the chain stays.
    ///
    /// # Errors
    /// [`SettleError`].
    pub async fn forget_links(&self, up_to: u64) -> Result<u64, SettleError> {
        self.remember(Memory::Forget { up_to: place(up_to) }).await
    }

    /// Keeps a single value in the place of the last one of its name; none takes it away.
    ///
    /// # Errors
    /// [`SettleError`]; a full disk alone is none while the reserve suffices.
    pub async fn keep(&self, name: &'static str, bytes: Option<Vec<u8>>) -> Result<(), SettleError> {
        self.remember(Memory::Keep { name, bytes }).await.map(drop)
    }

    /// The links that are remembered, in their order.
    ///
    /// # Errors
    /// [`ReadError`].
    pub async fn links(&self) -> Result<Vec<Vec<u8>>, ReadError> {
        self.read(async |reader| {
            let rows = sqlx::query("SELECT link FROM link ORDER BY sequence").fetch_all(reader).await?;
            rows.iter().map(|row| row.try_get("link")).collect()
        })
        .await
    }

    /// The end of the chain, if it ever had a link.
    ///
    /// # Errors
    /// [`ReadError`].
    pub async fn station_tip(&self) -> Result<Option<Vec<u8>>, ReadError> {
        self.kept(TIP).await
    }

    /// A single value.
    ///
    /// # Errors
    /// [`ReadError`].
    pub async fn kept(&self, name: &'static str) -> Result<Option<Vec<u8>>, ReadError> {
        self.read(async |reader| {
            sqlx::query_scalar("SELECT bytes FROM kept WHERE name = ?")
                .bind(name)
                .fetch_optional(reader)
                .await
        })
        .await
    }
}

/// Numbers in the database are signed; places stay far below the end of the range, and stop there.
fn place(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// Carries out one change, inside a transaction that the writer opened.
pub(crate) async fn remember(connection: &mut SqliteConnection, memory: &Memory) -> sqlx::Result<Outcome> {
    let changed = match memory {
        Memory::Link { sequence, link, tip } => {
            sqlx::query("INSERT INTO link (sequence, link) VALUES (?, ?)")
                .bind(sequence)
                .bind(&link[..])
                .execute(&mut *connection)
                .await?;
            keep(connection, TIP, tip).await?
        }
        Memory::Forget { up_to } => {
            let gone = sqlx::query("DELETE FROM link WHERE sequence <= ?").bind(up_to);
            gone.execute(connection).await?.rows_affected()
        }
        Memory::Checkpoint { size, note, cosigned } => {
            evidence::keep_checkpoint(connection, *size, note, *cosigned).await?
        }
        Memory::Keep { name, bytes: Some(bytes) } => keep(connection, name, bytes).await?,
        Memory::Keep { name, bytes: None } => {
            let gone = sqlx::query("DELETE FROM kept WHERE name = ?").bind(*name);
            gone.execute(connection).await?.rows_affected()
        }
    };
    Ok(Outcome { changed, ..Outcome::default() })
}

async fn keep(connection: &mut SqliteConnection, name: &str, bytes: &[u8]) -> sqlx::Result<u64> {
    let kept = sqlx::query(
        "INSERT INTO kept (name, bytes) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET bytes = excluded.bytes",
    );
    Ok(kept.bind(name).bind(bytes).execute(connection).await?.rows_affected())
}
