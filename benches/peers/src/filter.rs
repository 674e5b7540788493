//! Drop unless open, remove, coarsen, alias: ours and the Vector Remap Language's.

use crate::{
    records::{Fleet, RECORDS, Record, View, plain},
    rounds::{Case, measure},
    vrl_programs::{Filter, READING, RECORD, from_json, with_hmac},
};
use anyhow::{Context as _, Result, ensure};
use serde_json::json;
use std::{collections::HashMap, hint::black_box};
use vernport_types::{AssetId, Reading, Value as Typed};
use vrl::value::Value;

/// One reading of one signal, in memory.
pub(crate) fn one_reading(vehicles: usize) -> Result<()> {
    let mut fleet = Fleet::build(vehicles)?;
    let readings = (0..RECORDS).map(|n| fleet.reading(n)).collect::<Result<Vec<Reading>>>()?;
    let event = |reading: &Reading| {
        let Typed::Integer(metres) = reading.value else { unreachable!("an odometer") };
        Value::from(json!({
            "vehicle": reading.asset.to_string(), "signal": "Vehicle.TraveledDistance", "value": metres,
            "time": reading.at.wall.0, "pgn": 65_217, "sa": 0, "identified_by": "bus-vin",
        }))
    };
    let events: Vec<Value> = readings.iter().map(event).collect();
    let mut hashing = Filter::build(&with_hmac(READING), &fleet, events.clone())?;
    let mut filter = Filter::build(READING, &fleet, events)?;
    let mut kept = 0;
    for (n, reading) in readings.iter().enumerate() {
        fleet.table.decide(reading, fleet.now, &mut fleet.sampler, &mut fleet.out);
        let ours = fleet.out.released().first().map(|released| {
            let Typed::Integer(metres) = released.value() else { unreachable!("an odometer") };
            json!({
                "vehicle": released.alias().to_string(), "signal": "Vehicle.TraveledDistance", "value": metres,
                "time": released.at().wall.0, "identified_by": "bus-vin",
            })
        });
        kept += usize::from(ours.is_some());
        let theirs = filter.run(n).cloned().map(serde_json::to_value).transpose()?;
        ensure!(ours == theirs, "reading {n}: {ours:?}, {theirs:?}");
        same_but_for_alias(ours, hashing.run(n))?;
    }
    println!("\n## one reading in memory, {vehicles} vehicles: {RECORDS} readings, {kept} kept");
    measure(vec![
        Case::new("vernport: decide, minimise, alias", RECORDS, || {
            for reading in &readings {
                fleet.table.decide(black_box(reading), fleet.now, &mut fleet.sampler, &mut fleet.out);
                black_box(&fleet.out);
            }
        }),
        Case::new("vrl 0.38.0, the alias given", RECORDS, || {
            for n in 0..RECORDS {
                black_box(filter.run(n));
            }
        }),
        Case::new("vrl 0.38.0, the alias by HMAC", RECORDS, || {
            for n in 0..RECORDS {
                black_box(hashing.run(n));
            }
        }),
    ]);
    Ok(())
}

/// A record of seven signals, in memory and from and to JSON.
pub(crate) fn whole_records(vehicles: usize) -> Result<()> {
    let mut fleet = Fleet::build(vehicles)?;
    let lines = fleet.lines.clone();
    let of = fleet.of.clone();
    let parsed = lines.iter().map(|line| serde_json::from_str(line)).collect::<Result<Vec<Record>, _>>()?;
    let values = lines.iter().map(|line| serde_json::from_str::<serde_json::Value>(line));
    let values = values.map(|value| value.map(Value::from)).collect::<Result<Vec<_>, _>>()?;
    let texts = lines.iter().map(|line| Value::from(json!({ "message": line }))).collect();
    let mut hashing = Filter::build(&with_hmac(RECORD), &fleet, values.clone())?;
    let mut in_memory = Filter::build(RECORD, &fleet, values)?;
    let mut from_text = Filter::build(&from_json(RECORD), &fleet, texts)?;
    let mut kept = 0;
    let mut bytes = Vec::with_capacity(1_024);
    for (n, line) in lines.iter().enumerate() {
        let mut alias = [0; 32];
        let ours = fleet.view(of[n].0, &parsed[n], &mut alias).map(serde_json::to_value).transpose()?;
        kept += usize::from(ours.is_some());
        let by_hand = of[n].1.then(|| serde_json::to_value(plain(&parsed[n], &of[n].2))).transpose()?;
        ensure!(ours == by_hand, "record {n}: {ours:?}, by hand {by_hand:?}");
        same_but_for_alias(ours.clone(), hashing.run(n))?;
        let theirs = in_memory.run(n).cloned().map(serde_json::to_value).transpose()?;
        ensure!(ours == theirs, "record {n}: {ours:?}, in memory {theirs:?}");
        let theirs = from_text.run(n).map(text).transpose()?;
        ensure!(ours == theirs, "record {n}: {ours:?}, from text {theirs:?}");
        let written = bytes_to_bytes(&mut fleet, line, &mut bytes)?.then(|| serde_json::from_slice(&bytes));
        ensure!(ours == written.transpose()?, "record {n}: bytes to bytes");
    }
    println!("\n## a record of 7 signals, {vehicles} vehicles: {RECORDS} records, {kept} kept");
    let mut again = Fleet::build(vehicles)?;
    let known: Known =
        of.iter().map(|(asset, open, alias)| (asset.to_string(), (*open, alias.clone()))).collect();
    let mut plain_bytes = Vec::with_capacity(1_024);
    println!("\nIn memory:");
    measure(vec![
        Case::new("vernport: 7 decisions, minimised, alias in digits", RECORDS, || {
            for (record, (asset, ..)) in parsed.iter().zip(&of) {
                let mut alias = [0; 32];
                black_box(fleet.view(*asset, black_box(record), &mut alias));
            }
        }),
        Case::new("vrl 0.38.0, the alias given", RECORDS, || {
            for n in 0..RECORDS {
                black_box(in_memory.run(n));
            }
        }),
        Case::new("vrl 0.38.0, the alias by HMAC", RECORDS, || {
            for n in 0..RECORDS {
                black_box(hashing.run(n));
            }
        }),
    ]);
    println!("\nFrom and to JSON bytes:");
    measure(vec![
        Case::new("vernport with typed serde_json", RECORDS, || {
            for line in &lines {
                black_box(bytes_to_bytes(&mut again, line, &mut bytes).is_ok());
            }
        }),
        Case::new("typed serde_json, the rule by hand, a map of vehicles", RECORDS, || {
            for line in &lines {
                black_box(by_hand(line, &known, &mut plain_bytes).is_ok());
            }
        }),
        Case::new("vrl 0.38.0: parse_json … encode_json", RECORDS, || {
            for n in 0..RECORDS {
                black_box(from_text.run(n));
            }
        }),
    ]);
    Ok(())
}

/// Ours, from text to bytes; whether anything is released.
fn bytes_to_bytes(fleet: &mut Fleet, line: &str, bytes: &mut Vec<u8>) -> Result<bool> {
    bytes.clear();
    let record: Record<'_> = serde_json::from_str(line)?;
    let mut id = [0; 16];
    hex::decode_to_slice(record.vehicle, &mut id)?;
    let mut alias = [0; 32];
    let Some(view) = fleet.view(AssetId::from_bytes(id), &record, &mut alias) else { return Ok(false) };
    serde_json::to_writer(bytes, &view)?;
    Ok(true)
}

/// Whether a vehicle's flow is open, and its alias.
type Known = HashMap<String, (bool, String)>;

/// What typed JSON costs with a map of vehicles and no other decision: the same structs, the rule by hand.
fn by_hand(line: &str, known: &Known, bytes: &mut Vec<u8>) -> Result<bool> {
    bytes.clear();
    let record: Record<'_> = serde_json::from_str(line)?;
    let Some((true, alias)) = known.get(record.vehicle) else { return Ok(false) };
    let view: View<'_> = plain(&record, alias);
    serde_json::to_writer(bytes, &view)?;
    Ok(true)
}

/// Checks an answer whose alias was computed in another way.
fn same_but_for_alias(ours: Option<serde_json::Value>, theirs: Option<&Value>) -> Result<()> {
    let theirs = theirs.cloned().map(serde_json::to_value).transpose()?;
    let without = |mut answer: serde_json::Value| {
        let alias = answer["vehicle"].take();
        (answer, alias)
    };
    let (ours, theirs) = (ours.map(without), theirs.map(without));
    let alias = |digits: &serde_json::Value| digits.as_str().is_some_and(|digits| digits.len() == 64);
    ensure!(theirs.as_ref().is_none_or(|(_, digits)| alias(digits)), "an alias by HMAC has 64 digits");
    ensure!(ours.map(|(answer, _)| answer) == theirs.map(|(answer, _)| answer), "another answer");
    Ok(())
}

/// The message that the text program left.
fn text(left: &Value) -> Result<serde_json::Value> {
    let message = left
        .as_object()
        .and_then(|event| event.get("message"))
        .and_then(Value::as_bytes)
        .context("a message")?;
    Ok(serde_json::from_slice(message)?)
}
