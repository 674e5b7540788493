//! Any frame and any message, for property tests.

use heapless::{String, Vec};
use proptest::prelude::*;
use vernport_wire::{
    BusMode, CanFrame, CanId, ClockReply, ClockRequest, Credit, Filter, FilterSet, FrameKind, Heartbeat,
    Hello, HelloAck, MAX_FILTERS, Message, Report, Versions,
};

fn can_id() -> impl Strategy<Value = CanId> {
    prop_oneof![(0u16..=0x7FF).prop_map(CanId::Standard), (0u32..=0x1FFF_FFFF).prop_map(CanId::Extended)]
}

pub(crate) fn can_frame() -> impl Strategy<Value = CanFrame> {
    let kind_and_data = prop_oneof![
        (Just(FrameKind::Data), prop::collection::vec(any::<u8>(), 0..=8)),
        (Just(FrameKind::FdData), prop::collection::vec(any::<u8>(), 0..=64)),
        (Just(FrameKind::Remote), Just(vec![])),
        (Just(FrameKind::Error), prop::collection::vec(any::<u8>(), 0..=8)),
    ];
    (any::<u8>(), any::<u64>(), can_id(), kind_and_data).prop_map(|(bus, at_micros, id, (kind, data))| {
        let data = Vec::from_slice(&data).expect("at most 64 bytes");
        CanFrame { bus, at_micros, id, kind, data }
    })
}

pub(crate) fn message() -> impl Strategy<Value = Message> {
    let filters = prop::collection::vec((can_id(), any::<u32>()), 0..=MAX_FILTERS).prop_map(|filters| {
        filters.into_iter().map(|(id, mask)| Filter { id, mask }).collect::<Vec<_, MAX_FILTERS>>()
    });
    prop_oneof![
        any::<(u8, u8, u32)>().prop_map(|(lowest, highest, session)| Message::Hello(Hello {
            lowest,
            highest,
            session
        })),
        (any::<(u8, u32, u8, u16)>(), "[ -~]{0,32}").prop_map(
            |((version, session, buses, queue_frames), firmware)| {
                let firmware: String<32> = firmware.as_str().try_into().expect("at most 32 bytes");
                Message::HelloAck(HelloAck { version, session, buses, queue_frames, firmware })
            }
        ),
        can_frame().prop_map(Message::CanFrame),
        any::<u32>().prop_map(|frames| Message::Credit(Credit { frames })),
        (any::<u8>(), filters).prop_map(|(bus, filters)| Message::FilterSet(FilterSet { bus, filters })),
        any::<(u32, u32)>().prop_map(|(sequence, dropped_frames)| {
            Message::Heartbeat(Heartbeat { sequence, dropped_frames })
        }),
        any::<u64>().prop_map(|host_micros| Message::ClockRequest(ClockRequest { host_micros })),
        any::<(u64, u64, u64)>().prop_map(|(host_micros, received_micros, sent_micros)| {
            Message::ClockReply(ClockReply { host_micros, received_micros, sent_micros })
        }),
        any::<(u8, bool)>().prop_map(|(bus, listen_only)| Message::BusMode(BusMode { bus, listen_only })),
        any::<(u8, u8)>().prop_map(|(lowest, highest)| Message::Versions(Versions { lowest, highest })),
        any::<(u32, u32, u32, u32)>().prop_map(|(sent_frames, credit_frames, settings, refused_frames)| {
            Message::Report(Report { sent_frames, credit_frames, settings, refused_frames })
        }),
    ]
}
