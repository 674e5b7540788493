//! Hearing at once what other processes recorded.

#[cfg(feature = "model")]
use crate::model;
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
pub struct Listener(Heeding);

enum Heeding {
    Postgres(PgListener),
    #[cfg(feature = "model")]
    Model(model::Ear),
}

#[cfg(feature = "model")]
impl From<model::Ear> for Listener {
    fn from(ear: model::Ear) -> Self {
        Self(Heeding::Model(ear))
    }
}

impl Store {
    /// Begins to listen; none over SQLite, where one process knows all by itself.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn listen(&self) -> Result<Option<Listener>, StoreError> {
        let db = sql_or!(self, listen());
        let Pool::Postgres(pool) = &db.main else { return Ok(None) };
        let mut listener = PgListener::connect_with(pool).await?;
        listener.listen_all([RECORDED, APPLIED]).await?;
        Ok(Some(Listener(Heeding::Postgres(listener))))
    }
}

impl Listener {
    /// What comes next. After an error, listen anew.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn next(&mut self) -> Result<Heard, StoreError> {
        let listener = match &mut self.0 {
            Heeding::Postgres(listener) => listener,
            #[cfg(feature = "model")]
            Heeding::Model(ear) => return ear.next().await,
        };
        let Some(told) = listener.try_recv().await? else { return Ok(Heard::Anything) };
        // Others may use these channels, too: what cannot be read wakes all.
        Ok(match (told.channel(), told.payload().parse()) {
            (RECORDED, Ok(controller)) => Heard::Recorded(controller),
            (APPLIED, Ok(controller)) => Heard::Applied(controller),
            _ => Heard::Anything,
        })
    }
}
