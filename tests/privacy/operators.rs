//! What a fleet operator gets: its own topics, and nothing about why it gets no more.

use crate::evidence::evidence;
use vernport_mqtt::{Cause, FleetMessage, LinkState};
use vernport_types::Reason;

#[test]
fn an_operator_cannot_subscribe_to_another_s_topics() {
    let evidence = evidence();
    assert_eq!(evidence.refused.len(), 4);
    for refused in &evidence.refused {
        assert_eq!(refused.link.state, LinkState::Down, "{}", refused.filter);
        assert_eq!(refused.link.last_cause, Some(Cause::Subscription), "{}", refused.filter);
        assert_eq!(refused.messages, 0, "{}", refused.filter);
    }
    for operator in ["nordic-haulage", "eco-coach"] {
        let own: Vec<_> = evidence.received.iter().filter(|one| one.operator.as_str() == operator).collect();
        assert!(!own.is_empty(), "{operator} receives what is its own");
        let prefix = format!("vernport/v1/fleet/{operator}/");
        assert!(own.iter().all(|one| one.topic.starts_with(&prefix)), "{operator}");
    }
}

#[test]
fn no_reason_leaves_the_house_in_a_message_or_in_an_answer_to_a_tool() {
    let evidence = evidence();
    let outside = evidence.received.iter().flat_map(|one| [one.topic.as_bytes(), &one.payload]);
    let outside: Vec<&[u8]> = outside.chain(evidence.answers.iter().map(Vec::as_slice)).collect();
    assert!(outside.len() > 20, "{} texts", outside.len());
    for text in outside {
        let text = String::from_utf8_lossy(text);
        for reason in Reason::ALL {
            assert!(!says(&text, reason.code()), "{reason} in {} characters", text.len());
        }
    }
}

/// Whether a code stands in a text as a word: an answer `unknown-signal` says so of the tool's own message.
fn says(text: &str, code: &str) -> bool {
    let answer = text.contains("\"accepted\"") && code == Reason::UnknownSignal.code();
    text.contains(code) && !answer
}

#[test]
fn every_message_that_an_operator_gets_is_one_of_ours() {
    for message in &evidence().received {
        assert!(FleetMessage::from_json(&message.payload).is_ok(), "{}", message.topic);
    }
}
