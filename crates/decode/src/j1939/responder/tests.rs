//! The responder against a naive sender, and against random frames.

use super::*;
use crate::j1939::transport::Transport;
use proptest::prelude::*;
use vernport_types::CanId;

const US: u8 = Id::SERVICE_TOOL_1;
const ENGINE: u8 = 0x00;
const VI: u32 = super::super::pgn::VEHICLE_IDENTIFICATION;
const NOW: BootMicros = BootMicros(1_000_000);

fn frame(text: &str) -> CanFrame {
    crate::candump::parse(&format!("(0.0) can0 {text}")).expect("a frame").frame
}

fn asking(of: u8) -> Responder {
    let mut responder = Responder::new(US);
    responder.asked(VI, of, NOW);
    responder
}

#[test]
fn an_answer_to_our_request_is_helped_along_with_the_bytes_of_the_standard() {
    let mut responder = asking(ENGINE);
    for (heard, answer) in [
        ("18ECF900#10120003FFECFE00", Some("1CEC00F9#110301FFFFECFE00")),
        ("18EBF900#0157444239363334", None),
        ("18EBF900#023033314C373338", None),
        ("18EBF900#033030312AFFFFFF", Some("1CEC00F9#13120003FFECFE00")),
    ] {
        assert_eq!(responder.heard(&frame(heard), NOW), answer.map(frame), "{heard}");
    }
    assert!(!responder.is_busy());
}

#[test]
fn what_nobody_asked_for_gets_no_answer() {
    let rts = "18ECF900#10120003FFECFE00";
    assert_eq!(Responder::new(US).heard(&frame(rts), NOW), None, "not asked");
    assert_eq!(asking(0x0B).heard(&frame(rts), NOW), None, "another was asked");
    assert_eq!(asking(ENGINE).heard(&frame("18ECF900#10270006FFE3FE00"), NOW), None, "for another group");
    assert_eq!(asking(ENGINE).heard(&frame("18ECFA00#10120003FFECFE00"), NOW), None, "to another tool");
    assert_eq!(asking(ENGINE).heard(&frame("18ECFF00#10120003FFECFE00"), NOW), None, "to everybody");
    let late = BootMicros(NOW.0 + ANSWER_MICROS + 1);
    assert_eq!(asking(ENGINE).heard(&frame(rts), late), None, "too late");
    assert_eq!(asking(ENGINE).heard(&frame("18EBF900#0157444239363334"), NOW), None, "data without RTS");
    assert!(asking(Id::GLOBAL).heard(&frame(rts), NOW).is_some(), "everybody was asked");
}

#[test]
fn lost_packets_are_asked_for_again_twice_and_then_given_up() {
    let mut responder = asking(ENGINE);
    responder.heard(&frame("18ECF900#10120003FFECFE00"), NOW);
    for _ in 0..MAX_RETRIES {
        assert_eq!(responder.heard(&frame("18EBF900#0157444239363334"), NOW), None);
        let again = responder.heard(&frame("18EBF900#033030312AFFFFFF"), NOW);
        assert_eq!(again, Some(frame("1CEC00F9#110202FFFFECFE00")));
    }
    let given_up = responder.heard(&frame("18EBF900#033030312AFFFFFF"), NOW);
    assert_eq!(given_up, Some(frame("1CEC00F9#FF05FFFFFFECFE00")));
    assert!(!responder.is_busy());
}

#[test]
fn a_sender_is_asked_for_no_more_at_once_than_it_can_send() {
    let mut responder = asking(ENGINE);
    let first = responder.heard(&frame("18ECF900#1012000301ECFE00"), NOW);
    assert_eq!(first, Some(frame("1CEC00F9#110101FFFFECFE00")));
    let second = responder.heard(&frame("18EBF900#0157444239363334"), NOW);
    assert_eq!(second, Some(frame("1CEC00F9#110102FFFFECFE00")));
}

#[test]
fn what_cannot_be_is_given_up_with_its_reason() {
    let mut responder = asking(ENGINE);
    let too_long = responder.heard(&frame("18ECF900#10FA06FFFFECFE00"), NOW);
    assert_eq!(too_long, Some(frame("1CEC00F9#FF09FFFFFFECFE00")));
    assert_eq!(responder.heard(&frame("18ECF900#10120004FFECFE00"), NOW), None, "a count that does not fit");
    responder.asked(65_226, ENGINE, NOW);
    responder.heard(&frame("18ECF900#10120003FFECFE00"), NOW);
    let beside = responder.heard(&frame("18ECF900#10120003FFCAFE00"), NOW);
    assert_eq!(beside, Some(frame("1CEC00F9#FF01FFFFFFCAFE00")));
    let again = responder.heard(&frame("18ECF900#10120003FFECFE00"), NOW);
    assert_eq!(again, Some(frame("1CEC00F9#110301FFFFECFE00")), "the same again begins anew");
    let beyond = responder.heard(&frame("18EBF900#0457444239363334"), NOW);
    assert_eq!(beyond, Some(frame("1CEC00F9#FF07FFFFFFECFE00")));
}

#[test]
fn silence_ends_a_transfer_and_so_does_an_abort_or_a_reset() {
    let mut responder = asking(ENGINE);
    responder.heard(&frame("18ECF900#10120003FFECFE00"), NOW);
    assert_eq!(responder.tick(BootMicros(NOW.0 + T2_MICROS)), None);
    let late = BootMicros(NOW.0 + T2_MICROS + 1);
    assert_eq!(responder.tick(late), Some(frame("1CEC00F9#FF03FFFFFFECFE00")));
    assert_eq!(responder.tick(late), None);
    for aborted in [true, false] {
        let mut responder = asking(ENGINE);
        responder.heard(&frame("18ECF900#10120003FFECFE00"), NOW);
        if aborted {
            assert_eq!(responder.heard(&frame("18ECF900#FF02FFFFFFECFE00"), NOW), None);
        } else {
            responder.reset();
        }
        assert!(!responder.is_busy());
        assert_eq!(responder.heard(&frame("18EBF900#0157444239363334"), NOW), None);
    }
}

#[test]
fn transfers_past_the_bound_are_refused() {
    let mut responder = asking(Id::GLOBAL);
    for source in 0..4 {
        let answer = responder.heard(&frame(&format!("18ECF9{source:02X}#10120003FFECFE00")), NOW);
        assert_eq!(answer.map(|frame| frame.data()[0]), Some(transport::CTS));
    }
    let refused = responder.heard(&frame("18ECF904#10120003FFECFE00"), NOW);
    assert_eq!(refused, Some(frame("1CEC04F9#FF02FFFFFFECFE00")));
}

#[test]
fn requests_past_the_bound_take_the_place_of_the_oldest() {
    let mut responder = Responder::new(US);
    for n in 0..=16_u64 {
        responder.asked(VI, u8::try_from(n).expect("few"), BootMicros(n));
    }
    assert_eq!(responder.heard(&frame("18ECF900#10120003FFECFE00"), BootMicros(20)), None);
    assert!(responder.heard(&frame("18ECF901#10120003FFECFE00"), BootMicros(20)).is_some());
    responder.asked(VI, 16, BootMicros(30));
    assert!(
        responder.heard(&frame("18ECF902#10120003FFECFE00"), BootMicros(30)).is_some(),
        "the same takes its own place"
    );
}

#[test]
fn reasons_keep_their_bytes() {
    for byte in 0..=255 {
        assert_eq!(AbortReason::from_byte(byte).to_byte(), byte);
    }
}

proptest! {
    /// A sender that does as it is told, over a bus that loses packets, is heard to the end
    /// or given up; what [`Transport`] puts together beside it is what was sent.
    #[test]
    fn a_message_is_fetched_whole_over_a_bus_that_loses_packets(
        message in proptest::collection::vec(any::<u8>(), 9..400),
        most in prop_oneof![Just(0xFF_u8), 1_u8..20],
        lost in proptest::collection::vec(0_u8..10, 0..100),
    ) {
        let mut responder = asking(ENGINE);
        let (mut transport, mut heard) = (Transport::default(), None);
        let mut lost = lost.into_iter();
        let [low, high] = u16::try_from(message.len()).expect("short").to_le_bytes();
        let packets: Vec<&[u8]> = message.chunks(7).collect();
        let count = u8::try_from(packets.len()).expect("few");
        let rts = CanFrame::data_frame(CanId::Extended(0x18EC_F900), &[16, low, high, count, most, 0xEC, 0xFE, 0]);
        let rts = rts.expect("8 bytes");
        let mut follow = |frame: &CanFrame| {
            let id = Id::from_can(frame.id()).expect("29 bits");
            heard = transport.push(id, frame.data(), NOW, |_| true).message.map(|(_, bytes)| bytes.to_vec()).or(heard.take());
        };
        follow(&rts);
        let mut answer = responder.heard(&rts, NOW);
        let end = loop {
            let told = answer.take().expect("an answer to the last packet asked for");
            follow(&told);
            let &[transport::CTS, asked, first, ..] = told.data() else { break told };
            prop_assert!(asked <= most);
            for number in first..first + asked {
                // The last one asked for is not lost: without it there is silence, and that is another test.
                if number != first + asked - 1 && lost.next() == Some(0) { continue }
                let mut data = [0xFF; 8];
                data[0] = number;
                let part = packets[usize::from(number) - 1];
                data[1..=part.len()].copy_from_slice(part);
                let packet = CanFrame::data_frame(CanId::Extended(0x18EB_F900), &data).expect("8 bytes");
                follow(&packet);
                answer = responder.heard(&packet, NOW);
            }
        };
        prop_assert!(!responder.is_busy());
        match end.data()[0] {
            transport::END_OF_MESSAGE => prop_assert_eq!(heard, Some(message)),
            _ => prop_assert_eq!(end.data()[1], AbortReason::Retries.to_byte()),
        }
    }

    /// Invariant 14: whatever is heard, what is sent only steers a transfer, to the unit that sends it.
    #[test]
    fn whatever_is_heard_only_flow_control_is_sent(
        heard in proptest::collection::vec((0_u8..6, any::<bool>(), prop_oneof![Just(16_u8), 0_u8..40, any::<u8>()], any::<[u8; 4]>(), 0_u64..2_000_000), 0..100)
    ) {
        let mut responder = asking(Id::GLOBAL);
        let mut now = NOW;
        for (source, data, first, [a, b, c, d], micros) in heard {
            now.0 += micros;
            let id = CanId::Extended(if data { 0x18EB_F900 } else { 0x18EC_F900 } | u32::from(source));
            let heard = CanFrame::data_frame(id, &[first, a % 40, b % 2, c % 8, d, 0xEC, 0xFE, 0]).expect("8 bytes");
            let mut sent: Vec<CanFrame> = responder.heard(&heard, now).into_iter().collect();
            sent.extend(std::iter::from_fn(|| responder.tick(now)));
            for frame in sent {
                let id = Id::from_can(frame.id()).expect("29 bits");
                prop_assert_eq!((id.pgn, id.source), (transport::CONNECTION, US));
                prop_assert!(id.destination.is_some_and(|to| to < 6));
                prop_assert!(matches!(frame.data()[0], transport::CTS | transport::END_OF_MESSAGE | transport::ABORT));
            }
        }
    }
}
