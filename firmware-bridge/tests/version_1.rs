//! The bytes of version 1, frozen: firmware in the field speaks them. When one
//! of these tests fails, mend the code, not the test.
//!
//! The bytes were made by another program, from the tables of the crate's
//! header, of postcard's specification and of CRC-32/ISCSI.

use heapless::Vec;
use vernport_wire::{
    BusMode, CanFrame, CanId, ClockReply, ClockRequest, Credit, Decoder, Filter, FilterSet, FrameKind,
    Heartbeat, Hello, HelloAck, MAX_PACKET_BYTES, Message, Report, Versions, encode,
};

/// Stuffed bytes as written below, spaces aside, and back again.
fn frozen(message: &Message, written: &str) {
    let bytes = hex::decode(written.replace(' ', "")).expect("hexadecimal");
    let mut buffer = [0; MAX_PACKET_BYTES];
    let encoded = encode(message, &mut buffer).expect("well formed");
    assert_eq!(hex::encode(encoded), hex::encode(&bytes), "{message:?}");

    let mut decoder = Decoder::default();
    let (zero, rest) = bytes.split_last().expect("not empty");
    assert!(rest.iter().all(|byte| decoder.push(*byte).is_none()));
    assert_eq!(decoder.push(*zero), Some(Ok(message.clone())));
}

fn data(bytes: &[u8]) -> Vec<u8, 64> {
    Vec::from_slice(bytes).expect("at most 64 bytes")
}

#[test]
fn hello() {
    let hello = Hello { lowest: 1, highest: 1, session: 0xDEAD_BEEF };
    // Code, version, kind; lowest, highest; session; checksum; end.
    frozen(&Message::Hello(hello), "0e 01 01  01 01  effdb6f50d  62dc1054  00");
}

#[test]
fn hello_ack() {
    let ack = HelloAck {
        version: 1,
        session: 0xDEAD_BEEF,
        buses: 2,
        queue_frames: 512,
        firmware: "sim 0.1.0".try_into().expect("short"),
    };
    // Code, version, kind; version; session; buses; queue; name's length, name; checksum; end.
    frozen(
        &Message::HelloAck(ack),
        "1a 01 02  01  effdb6f50d  02  8004  09 73696d20302e312e30  bb713798  00",
    );
}

#[test]
fn classic_frame() {
    let frame = CanFrame {
        bus: 0,
        at_micros: 1_000_000,
        id: CanId::Standard(0x7E8),
        kind: FrameKind::Data,
        data: data(&[0x06, 0x41, 0xA6, 0x00, 0x08, 0xB6, 0x09, 0xAA]),
    };
    // Code, version, kind; (bus 0); time; (11 bits), id; (data), length, data; checksum; end.
    frozen(
        &Message::CanFrame(frame),
        "03 01 03  04  c0843d  03  e80f  05  08 0641a6  09  08b609aa  981b88dd  00",
    );
}

#[test]
fn fd_frame() {
    let frame = CanFrame {
        bus: 1,
        at_micros: 0,
        id: CanId::Extended(0x18FE_F100),
        kind: FrameKind::FdData,
        data: data(&[0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11]),
    };
    // Code, version, kind; bus; (time 0); 29 bits, id; FD, length, data; checksum; end.
    frozen(
        &Message::CanFrame(frame),
        "04 01 03  01  09  01 80e2fbc701  01 0c  10 0102030405060708090a0b  43bccc14  00",
    );
}

#[test]
fn remote_frame() {
    let frame = CanFrame {
        bus: 0,
        at_micros: 2,
        id: CanId::Standard(0x100),
        kind: FrameKind::Remote,
        data: data(&[]),
    };
    // Code, version, kind; (bus 0); time; (11 bits), id; remote; (length 0); checksum; end.
    frozen(&Message::CanFrame(frame), "03 01 03  02  02  04  8002  02  05  9d329975  00");
}

#[test]
fn credit() {
    // Code, version, kind; frames; checksum; end.
    frozen(&Message::Credit(Credit { frames: 64 }), "08 01 04  40  644dd4ca  00");
}

#[test]
fn filter_set() {
    let filters = [
        Filter { id: CanId::Standard(0x7E8), mask: 0x7F8 },
        Filter { id: CanId::Extended(0x00FE_C100), mask: 0x03FF_FF00 },
    ];
    let set = FilterSet { bus: 0, filters: Vec::from_slice(&filters).expect("at most 32") };
    // Code, version, kind; (bus 0), count; (11 bits), id, mask; 29 bits, id, mask; checksum; end.
    frozen(&Message::FilterSet(set), "03 01 05  02  02  12  e80f f80f  01 8082fb07 80feff1f  0ce9b283  00");
}

#[test]
fn heartbeat() {
    // Code, version, kind; sequence; (dropped 0); checksum; end.
    frozen(
        &Message::Heartbeat(Heartbeat { sequence: 300, dropped_frames: 0 }),
        "05 01 06  ac02  05  8d2d8f52  00",
    );
}

#[test]
fn clock() {
    // Code, version, kind; host's time; checksum; end.
    frozen(
        &Message::ClockRequest(ClockRequest { host_micros: 5_000_000 }),
        "0b 01 07  c096b102  2b734a8a  00",
    );
    let reply = ClockReply { host_micros: 5_000_000, received_micros: 1_000, sent_micros: 1_007 };
    // Code, version, kind; host's time, received, sent; checksum; end.
    frozen(&Message::ClockReply(reply), "0f 01 08  c096b102 e807 ef07  0d5db380  00");
}

#[test]
fn bus_mode() {
    // Code, version, kind; bus, listen only; checksum; end.
    frozen(&Message::BusMode(BusMode { bus: 1, listen_only: true }), "09 01 09  01 01  b056fbe9  00");
    frozen(&Message::BusMode(BusMode { bus: 1, listen_only: false }), "04 01 09  01  05  b3d5901b  00");
}

#[test]
fn versions() {
    // Code, version, kind; lowest, highest; checksum; end.
    frozen(&Message::Versions(Versions { lowest: 1, highest: 3 }), "09 01 0a  01 03  34e6eee2  00");
}

#[test]
fn report() {
    let report = Report { sent_frames: 300, credit_frames: 512, settings: 4, refused_frames: 0 };
    // Code, version, kind; sent, credit, settings; (refused 0); checksum; end.
    frozen(&Message::Report(report), "08 01 0b  ac02 8004 04  05  341ae58a  00");
}
