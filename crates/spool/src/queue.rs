//! Writing a unit, inside a transaction that the writer opened.

use crate::{
    Config, Unit, Withheld,
    command::{Failure, Outcome, Refusal},
    log::{self, Appending},
    refused,
};
use sqlx::SqliteConnection;
use vernport_audit::LeafKind;
use vernport_crypto::sha256;
use vernport_types::UtcMicros;

/// How many bytes of the bound a unit takes.
pub(crate) fn asked_bytes(unit: &Unit) -> u64 {
    let batches = unit.batches.iter().map(|batch| cost(batch.sealed.as_bytes().len()));
    let topics = unit.topics.iter().map(|topic| cost(topic.sealed.as_bytes().len()));
    batches.chain(topics).sum()
}

/// What one row counts for in the bound, in bytes.
pub(crate) fn cost(sealed_bytes: usize) -> u64 {
    sealed_bytes as u64 + Config::ROW_BYTES
}

/// Numbers in the database are signed; ours stay far below the end of the range, and stop there.
fn integer(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// Writes a unit, and the evidence of what is in it.
pub(crate) async fn queue(
    connection: &mut SqliteConnection,
    config: &Config,
    unit: &Unit,
) -> Result<Outcome, Failure> {
    for message in &unit.tool_messages {
        let new =
            sqlx::query("INSERT INTO tool_message (tool, id, at) VALUES (?, ?, ?) ON CONFLICT DO NOTHING")
                .bind(message.tool.as_str())
                .bind(&message.id[..])
                .bind(unit.at.0)
                .execute(&mut *connection)
                .await?;
        if new.rows_affected() == 0 {
            return Err(Failure::Refused(Refusal::Seen(message.tool.clone())));
        }
    }
    refused::add(connection, &unit.refused).await?;
    let mut log = Appending::begin(connection).await?;
    queue_batches(connection, &mut log, unit).await?;
    queue_topics(connection, &mut log, unit).await?;
    for cursor in &unit.cursors {
        sqlx::query(
            "INSERT INTO cursor (source, position) VALUES (?, ?)
             ON CONFLICT (source) DO UPDATE SET position = excluded.position",
        )
        .bind(cursor.source.as_str())
        .bind(integer(cursor.position))
        .execute(&mut *connection)
        .await?;
    }
    for sample in &unit.samples {
        sqlx::query(
            "INSERT INTO sample (key, until) VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET until = excluded.until",
        )
        .bind(&sample.key.0[..])
        .bind(sample.until.0)
        .execute(&mut *connection)
        .await?;
    }
    for withheld in &unit.withheld {
        add_withheld(connection, withheld, unit.at).await?;
    }
    if unit.closes_counts {
        log::close_counts(connection, &mut log, unit.at).await?;
    }
    log::condense(connection, config).await?;
    let changed = (unit.batches.len() + unit.topics.len()) as u64;
    Ok(Outcome { changed, taken_bytes: asked_bytes(unit), ..Outcome::default() })
}

/// Adds to the counts since the spool was made, and to those since the last leaf about them.
async fn add_withheld(
    connection: &mut SqliteConnection,
    withheld: &Withheld,
    at: UtcMicros,
) -> sqlx::Result<()> {
    for (statement, since) in [
        (
            "INSERT INTO withheld (controller, flow, reason, count) VALUES (?, ?, ?, ?)
             ON CONFLICT (controller, flow, reason) DO UPDATE SET count = count + excluded.count",
            None,
        ),
        (
            "INSERT INTO uncounted (controller, flow, reason, count, since) VALUES (?, ?, ?, ?, ?)
             ON CONFLICT (controller, flow, reason) DO UPDATE SET count = count + excluded.count",
            Some(at.0),
        ),
    ] {
        let mut insert = sqlx::query(statement)
            .bind(withheld.controller.as_str())
            .bind(withheld.flow.as_ref().map_or("", |flow| flow.as_str()))
            .bind(i64::from(withheld.reason.number()))
            .bind(integer(withheld.count));
        if let Some(since) = since {
            insert = insert.bind(since);
        }
        insert.execute(&mut *connection).await?;
    }
    Ok(())
}

async fn queue_batches(
    connection: &mut SqliteConnection,
    log: &mut Appending,
    unit: &Unit,
) -> Result<(), Failure> {
    for batch in &unit.batches {
        let header = batch.sealed.header();
        let leaf = log.append(connection, LeafKind::Batch, batch.sealed.as_bytes()).await?;
        let row: Option<i64> = sqlx::query_scalar(
            "INSERT INTO batch (id, controller, grant_id, latest_due, queued_at, digest, leaf, rank)
             VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING RETURNING row",
        )
        .bind(&header.batch.as_bytes()[..])
        .bind(header.controller.as_str())
        .bind(&batch.grant.as_bytes()[..])
        .bind(header.latest_due.0)
        .bind(unit.at.0)
        .bind(&sha256(batch.sealed.as_bytes())[..])
        .bind(leaf)
        .bind(batch.when_full.rank())
        .fetch_optional(&mut *connection)
        .await?;
        let row = row.ok_or(Failure::Refused(Refusal::DuplicateBatch(header.batch)))?;
        sqlx::query("INSERT INTO envelope (row, sealed) VALUES (?, ?)")
            .bind(row)
            .bind(batch.sealed.as_bytes())
            .execute(&mut *connection)
            .await?;
    }
    Ok(())
}

async fn queue_topics(
    connection: &mut SqliteConnection,
    log: &mut Appending,
    unit: &Unit,
) -> Result<(), Failure> {
    for topic in &unit.topics {
        let leaf = log.append(connection, LeafKind::Message, topic.sealed.as_bytes()).await?;
        let stream = topic.stream.id();
        let seq = next_seq(connection, &stream, unit.at).await?;
        let new = sqlx::query(
            "INSERT INTO topic
                 (id, controller, grant_id, operator, stream, seq, expiry, queued_at, digest, sealed, leaf, rank)
             VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
        )
        .bind(&topic.message.as_bytes()[..])
        .bind(topic.controller.as_str())
        .bind(&topic.grant.as_bytes()[..])
        .bind(topic.stream.operator.as_str())
        .bind(&stream[..])
        .bind(seq)
        .bind(topic.expiry.0)
        .bind(unit.at.0)
        .bind(&sha256(topic.sealed.as_bytes())[..])
        .bind(topic.sealed.as_bytes())
        .bind(leaf)
        .bind(topic.when_full.rank())
        .execute(&mut *connection)
        .await?;
        if new.rows_affected() == 0 {
            return Err(Failure::Refused(Refusal::DuplicateMessage(topic.message)));
        }
    }
    Ok(())
}

/// Takes the next number of a stream, from 1.
pub(crate) async fn next_seq(
    connection: &mut SqliteConnection,
    stream: &[u8],
    at: UtcMicros,
) -> sqlx::Result<i64> {
    sqlx::query_scalar(
        "INSERT INTO stream (id, next_seq, delivered, last_at) VALUES (?, 2, 0, ?)
         ON CONFLICT (id) DO UPDATE SET next_seq = next_seq + 1, last_at = excluded.last_at
         RETURNING next_seq - 1",
    )
    .bind(stream)
    .bind(at.0)
    .fetch_one(connection)
    .await
}

#[cfg(test)]
mod tests {
    use crate::Stream;

    #[test]
    fn streams_that_differ_in_one_part_are_numbered_apart() {
        let stream = |operator: &str, purpose: &str, alias| Stream {
            operator: operator.parse().expect("a slug"),
            purpose: purpose.parse().expect("a slug"),
            alias: vernport_types::VehicleAlias::from_bytes([alias; 16]),
        };
        let ids = [stream("a", "b", 1), stream("a", "b", 2), stream("a", "c", 1), stream("ab", "b", 1)];
        for (place, one) in ids.iter().enumerate() {
            for other in &ids[place + 1..] {
                assert_ne!(one.id(), other.id());
            }
        }
    }

    /// Frozen: another name would begin each numbering anew.
    #[test]
    fn the_stored_name_of_a_stream_is_what_it_was() {
        let stream = Stream {
            operator: "operator".parse().expect("a slug"),
            purpose: "fleet-location".parse().expect("a slug"),
            alias: vernport_types::VehicleAlias::from_bytes([0x11; 16]),
        };
        let golden = [
            0x25, 0x59, 0xD2, 0x81, 0x3C, 0xB1, 0xD4, 0x9B, 0xBD, 0x56, 0x20, 0x47, 0x7F, 0x60, 0x4C, 0x6E,
            0xEC, 0x4B, 0x94, 0xB2, 0x28, 0x03, 0x64, 0xCB, 0x85, 0x5F, 0x0C, 0xE2, 0xDC, 0xF8, 0x10, 0xA7,
        ];
        assert_eq!(stream.id(), golden);
    }
}
