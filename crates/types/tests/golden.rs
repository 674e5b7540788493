//! The stored bytes of the value types (decision note 0001). These lines are
//! added to and never edited: a change here makes stored batches unreadable.

use serde::{Serialize, de::DeserializeOwned};
use std::fmt::Debug;
use vernport_types::{
    AssetId, BatchId, BootId, BootMicros, Cell, EntryHash, EpochId, Fault, FaultState, GrantId,
    Identification, KeyId, Label, LegalBasis, MessageId, Number, OrderId, PersonAlias, Position, Reason,
    Source, Stamp, SubjectId, TimeQuality, TroubleCode, UtcMicros, Value, VehicleAlias,
};

/// Writes and reads back; `golden` is postcard in hexadecimal.
#[track_caller]
fn stored<T: Serialize + DeserializeOwned + PartialEq + Debug>(value: &T, golden: &str) {
    let bytes = postcard::to_allocvec(value).expect("encodes");
    assert_eq!(hex::encode(&bytes), golden, "{value:?}");
    assert_eq!(postcard::from_bytes::<T>(&bytes).expect("decodes"), *value);
    let (read, rest) = postcard::take_from_bytes::<T>(&bytes).expect("decodes");
    assert!(read == *value && rest.is_empty(), "{value:?} leaves bytes unread");
    for cut in 0..bytes.len() {
        assert!(postcard::from_bytes::<T>(&bytes[..cut]).is_err(), "{value:?} cut to {cut} bytes");
    }
}

fn number(number: f64) -> Number {
    Number::new(number).expect("finite")
}

fn trouble_code(fault: Fault, state: FaultState) -> Value {
    Value::TroubleCode(TroubleCode { fault, state })
}

#[test]
fn values_are_stored_as_they_were() {
    stored(&Value::Integer(158_910_600), "0090a2c69701");
    stored(&Value::Integer(-1), "0001");
    stored(&Value::Number(number(81.6)), "016666666666665440");
    stored(&Value::Number(number(-0.0)), "010000000000000000");
    stored(&Value::Flag(true), "0201");
    stored(
        &Value::Label(Label::new("WDB9634031L738001").expect("short")),
        "0311574442393633343033314c373338303031",
    );
    stored(
        &Value::Position(Position::from_e7(599_100_000, -107_500_000).expect("on the globe")),
        "04c0a9acbb04bfc7c266",
    );
    stored(
        &trouble_code(Fault::J1939 { spn: 3216, fmi: 20, occurrence: Some(2) }, FaultState::Present),
        "0500901914010200",
    );
    stored(
        &trouble_code(Fault::J1939 { spn: 0x7_FFFF, fmi: 31, occurrence: None }, FaultState::Stored),
        "0500ffff1f1f0001",
    );
    stored(&trouble_code(Fault::Obd(0x0456), FaultState::Pending), "0501d60802");
    stored(
        &trouble_code(Fault::Uds { code: 0x12_3456, status: 0x2F }, FaultState::Present),
        "0502d6e8482f00",
    );
    stored(&Value::Nothing, "06");
    stored(&Value::Cell(Cell(0x0861_f1d4_8fff_ffff)), "07ffffffffc8bafcb008");
    stored(&Value::Bucket(158_910_000, 158_911_000), "08e098c69701b0a8c69701");
    stored(&Value::Present, "09");
}

#[test]
fn a_value_fits_into_48_bytes() {
    assert!(size_of::<Value>() <= 48);
}

#[test]
fn sources_are_stored_as_they_were() {
    stored(&Source::J1939 { pgn: 65217, sa: 0xEE }, "00c1fd03ee");
    stored(&Source::Obd { service: 1, pid: 0xA6, responder: 0x7E8 }, "0101a6e80f");
    stored(&Source::Uds { service: 0x22, did: 0xF190, responder: 0x18DA_FBEE }, "022290e303eef7ebc601");
    stored(&Source::Dbc { signal: 7 }, "0307");
    stored(&Source::Tool, "04");
    stored(&Source::Manual, "05");
}

#[test]
fn times_are_stored_as_they_were() {
    let stamp =
        |quality| Stamp { wall: UtcMicros(1_701_364_101_074_650), boot: BootMicros(2_075_000), quality };
    stored(&stamp(TimeQuality::Unset), "b4bb86aeb6d88506f8d27e00");
    stored(&stamp(TimeQuality::Bounded), "b4bb86aeb6d88506f8d27e01");
    stored(&stamp(TimeQuality::Synced), "b4bb86aeb6d88506f8d27e02");
    stored(&UtcMicros(-1), "01");
}

#[test]
fn how_an_asset_was_recognised_is_stored_as_it_was() {
    stored(&Identification::Pinned, "00");
    stored(&Identification::Tool, "01");
    stored(&Identification::Asserted, "02");
    stored(&Identification::BusVin, "03");
}

#[test]
fn bases_and_reasons_are_stored_as_they_were() {
    for (basis, golden) in [
        (LegalBasis::Consent, "00"),
        (LegalBasis::Contract, "01"),
        (LegalBasis::LegalObligation, "02"),
        (LegalBasis::VitalInterest, "03"),
        (LegalBasis::PublicTask, "04"),
        (LegalBasis::LegitimateInterest, "05"),
    ] {
        stored(&basis, golden);
    }
    for reason in Reason::ALL {
        stored(reason, &format!("{:02x}", reason.number()));
    }
}

#[test]
fn ids_are_their_bytes_and_in_text_their_hexadecimal_digits() {
    const BYTES: [u8; 16] = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 0xFF];
    const TEXT: &str = "000102030405060708090a0b0c0d0eff";
    macro_rules! ids {
        ($($id:ident),*) => { $(
            let id = $id::from_bytes(BYTES);
            stored(&id, TEXT);
            assert_eq!(serde_json::to_string(&id).expect("encodes"), format!("\"{TEXT}\""));
            assert_eq!(serde_json::from_str::<$id>(&format!("\"{TEXT}\"")).expect("decodes"), id);
        )* };
    }
    ids!(
        AssetId,
        SubjectId,
        OrderId,
        GrantId,
        BatchId,
        EpochId,
        BootId,
        VehicleAlias,
        PersonAlias,
        MessageId,
        KeyId
    );
    stored(&EntryHash::from_bytes([0xA5; 32]), &"a5".repeat(32));
}

#[test]
fn a_variant_of_a_later_version_is_refused_and_not_misread() {
    assert!(postcard::from_bytes::<Value>(&[10]).is_err());
    assert!(postcard::from_bytes::<Source>(&[6]).is_err());
    assert!(postcard::from_bytes::<Identification>(&[4]).is_err());
    assert!(postcard::from_bytes::<TimeQuality>(&[3]).is_err());
}

#[test]
fn bytes_that_no_value_has_are_refused() {
    let label_of_41 = [&[3_u8, 41][..], &[b'A'; 41]].concat();
    let not_a_number = [&[1_u8][..], &f64::NAN.to_le_bytes()].concat();
    let control = [3_u8, 1, 7];
    for bytes in [&label_of_41[..], &not_a_number, &control] {
        assert!(postcard::from_bytes::<Value>(bytes).is_err());
    }
}
