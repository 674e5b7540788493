//! ISO-TP between two others (`isotpsend` and `isotprecv`), of which we hear both sides or one, and
//! a peer that stops in the middle.

use crate::{
    bus::{PATIENCE, Vcan},
    isotp::{Watch, Way, message, receive, receiving, sending, text, ways},
    peer::cansend,
};
use std::time::Instant;
use tokio::time::timeout;
use vernport_decode::isotp::{Conversations, Heard, Limits, ReceivingEnd, Terms};
use vernport_types::{CanFilter, CanId};

/// What two others say to each other, heard by somebody who sends nothing.
async fn overheard(vcan: &Vcan, way: &Way, length: usize, answers_only: bool) -> Option<Vec<u8>> {
    let mut ours = vcan.open().await;
    // The sender speaks where our side of the link would.
    if answers_only {
        ours.source.set_filters(&[CanFilter::exactly(way.link.speaks.id)]).expect("a filter of the kernel");
    }
    let receiver = receiving(vcan, way.link, way.options);
    let mut sender = sending(vcan, way.link.turned(), way.options, &message(length));
    let watch = Watch(Instant::now());
    let mut conversations = Conversations::new(Limits { message_bytes: 5_000, ..Limits::default() });
    let hear = async {
        loop {
            let frame = ours.next().await.frame;
            assert!(!answers_only || frame.id() == way.link.speaks.id, "only one side passes");
            if let Heard::Message(heard) = conversations.push(frame.id(), frame.data(), watch.now()).heard {
                return heard.to_vec();
            }
        }
    };
    let heard = timeout(PATIENCE, hear).await.ok();
    assert!(sender.wait().expect("ends").success());
    assert_eq!(receiver.lines().concat().trim(), text(&message(length)).trim());
    heard
}

#[tokio::test]
async fn a_session_of_others_is_heard_whole_with_both_sides_or_one() {
    let Some(vcan) = Vcan::make("isotp-over") else { return };
    // Normal addressing is what the decoder follows: 11 bits, 29 bits, normal fixed.
    for way in ways().iter().take(3) {
        for (length, answers_only) in [(5, false), (7, true), (300, false), (300, true), (4095, true)] {
            let heard = overheard(&vcan, way, length, answers_only).await;
            assert_eq!(heard, Some(message(length)), "{length} {answers_only}");
        }
    }
}

#[tokio::test]
async fn a_peer_that_stops_in_the_middle_ends_the_message_by_time() {
    let Some(vcan) = Vcan::make("isotp-stops") else { return };
    let mut ours = vcan.open().await;
    let link = ways().remove(0).link;
    let CanId::Standard(id) = link.hears.id else { panic!("the first way has 11 bits") };
    let mut end = ReceivingEnd::new(link, Terms::default());
    cansend(&vcan, &format!("{id:03X}#1014490201544D42"));
    cansend(&vcan, &format!("{id:03X}#214A50374E58354E"));
    assert_eq!(receive(&mut ours, &mut end, 0).await, None, "N_Cr passed, and nothing was given out");
}
