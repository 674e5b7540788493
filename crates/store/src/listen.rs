//! Hearing at once what other processes recorded.

use crate::{Store, StoreError, sql::Pool};
use sqlx::postgres::PgListener;
use vernport_types::ControllerId;

/// The channel on which a process says that a controller's state is another one.
pub(crate) const RECORDED: &str = "vernport_recorded";
/// The channel on which a process says what a gateway has in effect.
pub(crate) const APPLIED: &str = "vernport_applied";

/// What another process, or this one, did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Heard {
    /// A change of this controller was recorded.
    Recorded(ControllerId),
    /// A gateway of this controller told what it has in effect.
    Applied(ControllerId),
    /// The connection was lost for a while: anything may have happened.
    Anything,
}

/// Hears what is recorded.
pub struct Listener(PgListener);

impl Store {
    /// Begins to listen; none over SQLite, where one process knows all by itself.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn listen(&self) -> Result<Option<Listener>, StoreError> {
        let Pool::Postgres(pool) = &self.main else { return Ok(None) };
        let mut listener = PgListener::connect_with(pool).await?;
        listener.listen_all([RECORDED, APPLIED]).await?;
        Ok(Some(Listener(listener)))
    }
}

impl Listener {
    /// What comes next. After an error, listen anew.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn next(&mut self) -> Result<Heard, StoreError> {
        let Some(told) = self.0.try_recv().await? else { return Ok(Heard::Anything) };
        // Others may use these channels, too: what cannot be read wakes all.
        Ok(match (told.channel(), told.payload().parse()) {
            (RECORDED, Ok(controller)) => Heard::Recorded(controller),
            (APPLIED, Ok(controller)) => Heard::Applied(controller),
            _ => Heard::Anything,
        })
    }
}
