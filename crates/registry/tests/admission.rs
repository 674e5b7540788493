//! What may be written into the ledger, and what is refused with which remedy.

mod samples;

use samples::{EIGHT, asset, consent, entry, order, slug, station, subject, text};
use serde_json::Value;
use std::collections::BTreeSet;
use vernport_crypto::BlindIndex;
use vernport_registry::*;
use vernport_types::*;

fn facts() -> Facts {
    Facts::new(samples::controller())
}

/// Writes events one second apart, all of which have to be admitted.
fn written(events: impl IntoIterator<Item = Event>) -> (Facts, Vec<EntryHash>) {
    let mut facts = facts();
    let mut names = Vec::new();
    for (n, event) in (0_i64..).zip(events) {
        let at = EIGHT.plus_seconds(n);
        let applied = facts.apply(&entry(event, at, at, &format!("before-{n}"))).expect("admitted");
        names.push(applied.entry);
    }
    (facts, names)
}

fn refused(facts: &Facts, event: Event) -> Refused {
    let at = EIGHT.plus_seconds(3_600);
    facts.admit(&entry(event, at, at, "the one")).expect_err("to be refused")
}

#[test]
fn a_national_id_is_refused_in_every_text_of_every_kind() {
    for sample in samples::entries() {
        let written = serde_json::to_value(&sample).expect("writes");
        let mut places = Vec::new();
        texts(&written, String::new(), &mut places);
        for place in places {
            for number in ["01019012345", "010190 12345", "010190-1234"] {
                let mut wrong = written.clone();
                *wrong.pointer_mut(&place).expect("a text") = number.into();
                let Ok(read) = Entry::from_json(&wrong.to_string()) else { continue };
                if let Event::Unknown(_) = read.event {
                    assert_eq!(read.check(), Err(Invalid::UnknownKind));
                    continue;
                }
                let member = place.trim_start_matches('/').replace('/', ".");
                assert_eq!(read.check(), Err(Invalid::NationalId { member }), "{}", sample.event.kind());
            }
        }
    }
}

fn texts(value: &Value, place: String, found: &mut Vec<String>) {
    match value {
        Value::String(_) => found.push(place),
        Value::Object(members) => {
            for (name, member) in members {
                texts(member, format!("{place}/{name}"), found);
            }
        }
        _ => {}
    }
}

#[test]
fn implied_consent_cannot_be_written() {
    let given = Event::ConsentGiven(consent());
    for method in ["implied", "silence", "browsing", "pre-ticked", "continued-use", "opt-out", ""] {
        let mut written = serde_json::to_value(&given).expect("writes");
        written["method"] = method.into();
        assert!(serde_json::from_value::<Event>(written).is_err(), "{method}");
    }
}

#[test]
fn a_consent_says_which_data_until_when_and_in_which_language() {
    let refuse = |change: fn(&mut Consent)| {
        let mut consent = consent();
        change(&mut consent);
        refused(&facts(), Event::ConsentGiven(consent))
    };
    let invalid = Refused::Invalid;
    assert!(matches!(
        refuse(|consent| consent.categories.clear()),
        Refused::Invalid(Invalid::Count { member: "categories", .. })
    ));
    let end = || invalid(Invalid::End { member: "valid_until", most_days: 3_660 });
    assert_eq!(refuse(|consent| consent.valid_until = EIGHT.plus_seconds(3_600)), end());
    assert_eq!(refuse(|consent| consent.valid_until = EIGHT.plus_seconds(20 * 366 * 86_400)), end());
    assert_eq!(refuse(|consent| consent.language = slug("norwegian")), invalid(Invalid::Language));
}

#[test]
fn an_order_ends_and_ends_after_72_hours_if_nobody_says_otherwise() {
    let opened = OrderOpened::new(order(1), asset(1), station(), EIGHT);
    assert_eq!(opened.expires_at, EIGHT.plus_seconds(72 * 3_600));
    for wrong in [EIGHT, EIGHT.plus_seconds(3_600), EIGHT.plus_seconds(200 * 86_400)] {
        let order = OrderOpened { expires_at: wrong, ..opened.clone() };
        let end = Invalid::End { member: "expires_at", most_days: 92 };
        assert_eq!(refused(&facts(), Event::OrderOpened(order)), Refused::Invalid(end));
    }
    for assets in [vec![], vec![asset(1); 9]] {
        let order = OrderOpened { assets, ..opened.clone() };
        let count = Invalid::Count { member: "assets", most: 8 };
        assert_eq!(refused(&facts(), Event::OrderOpened(order)), Refused::Invalid(count));
    }
    let mut written = serde_json::to_value(Event::OrderOpened(opened)).expect("writes");
    written.as_object_mut().expect("an object").remove("expires_at");
    assert!(serde_json::from_value::<Event>(written).is_err(), "an order without an end");
}

#[test]
fn what_happens_later_than_it_is_recorded_is_refused_but_for_clock_drift() {
    let private = || Event::PrivateModeStarted(PrivateMode { asset: asset(1) });
    let ahead = |seconds| entry(private(), EIGHT.plus_seconds(seconds), EIGHT, "a");
    assert_eq!(ahead(300).check(), Ok(()));
    assert_eq!(ahead(301).check(), Err(Invalid::InFuture));
}

#[test]
fn a_hold_is_bounded_and_names_epochs_or_flows() {
    let hold = |scope, days: i64| {
        let until = EIGHT.plus_seconds(days * 86_400);
        Event::HoldSet(HoldSet { scope, ground: HoldGround::Statute, citation: text("§ 13"), until })
    };
    let none = refused(&facts(), hold(HoldScope::Epochs(BTreeSet::new()), 1));
    assert_eq!(none, Refused::Invalid(Invalid::Count { member: "epochs", most: 256 }));
    let epochs = HoldScope::Epochs(BTreeSet::from([EpochId::from_bytes([1; 16])]));
    let long = refused(&facts(), hold(epochs, 6_000));
    assert_eq!(long, Refused::Invalid(Invalid::End { member: "until", most_days: 5_490 }));
}

#[test]
fn a_disclosure_is_approved_by_two_and_ends_within_92_days() {
    let approved = |change: fn(&mut DisclosureApproved)| {
        let mut approved = DisclosureApproved {
            disclosure: slug("police-4"),
            reference: text("order"),
            ground: DisclosureGround::CourtOrder,
            assets: vec![asset(1)],
            flows: BTreeSet::from([slug("odometer")]),
            approvers: BTreeSet::from([slug("lead-1"), slug("lawyer-1")]),
            until: EIGHT.plus_seconds(30 * 86_400),
        };
        change(&mut approved);
        Event::DisclosureApproved(approved)
    };
    let invalid = |change| refused(&facts(), approved(change));
    let count = |member, most| Refused::Invalid(Invalid::Count { member, most });
    assert_eq!(invalid(|a| _ = a.approvers.pop_first()), Refused::Invalid(Invalid::Approvers));
    assert_eq!(invalid(|a| _ = a.approvers.insert(slug("third"))), Refused::Invalid(Invalid::Approvers));
    assert_eq!(invalid(|a| a.assets.clear()), count("assets", 8));
    assert_eq!(invalid(|a| a.flows.clear()), count("flows", 16));
    let end = Refused::Invalid(Invalid::End { member: "until", most_days: 92 });
    assert_eq!(invalid(|a| a.until = EIGHT.plus_seconds(93 * 86_400)), end);
    let mut json = serde_json::to_value(approved(|_| {})).expect("writes");
    json["approvers"] = serde_json::json!(["lead-1", "lead-1"]);
    let once = serde_json::from_value(json).expect("reads");
    assert_eq!(refused(&facts(), once), Refused::Invalid(Invalid::Approvers), "one person twice");

    let end_of = |disclosure| Event::DisclosureEnded(DisclosureEnded { disclosure });
    let nothing = EntryHash::from_bytes([0; 32]);
    assert!(matches!(refused(&facts(), end_of(nothing)), Refused::NoSuchEntry { .. }));
    let (facts, names) = written([approved(|_| {})]);
    let at = EIGHT.plus_seconds(60);
    assert_eq!(facts.admit(&entry(end_of(names[0]), at, at, "end")), Ok(None));
}

#[test]
fn a_milestone_is_of_whom_it_can_be() {
    let (person, vehicle) = (Whom::Subject(subject(1)), Whom::Asset(asset(1)));
    let reached = |whom, milestone| {
        let event = Event::MilestoneReached(MilestoneReached { whom, milestone });
        facts().admit(&entry(event, EIGHT, EIGHT, "m"))
    };
    for (milestone, of_person, of_vehicle) in [
        (Milestone::Interaction, true, true),
        (Milestone::RelationshipEnded, true, true),
        (Milestone::WarrantyEnded, false, true),
        (Milestone::VehicleEnded, false, true),
        (Milestone::AccountOpened, true, false),
        (Milestone::AccountClosed, true, false),
    ] {
        assert_eq!(reached(person, milestone).is_ok(), of_person, "{milestone:?}");
        assert_eq!(reached(vehicle, milestone).is_ok(), of_vehicle, "{milestone:?}");
    }
}

#[test]
fn an_exception_from_a_restriction_says_what_it_rests_on() {
    let restrict = |whom| {
        let case = text("case");
        Event::RestrictionSet(Restriction { whom, purpose: None, ground: Ground::Unlawful, case })
    };
    let (facts, names) = written([
        restrict(Whom::Subject(subject(1))),
        restrict(Whom::Subject(subject(2))),
        restrict(Whom::Asset(asset(1))),
        Event::ConsentGiven(consent()),
    ]);
    let excepted = |restriction, exception, approver: bool, receipt: Option<ReceiptCode>| {
        Event::RestrictionExcepted(RestrictionExcepted {
            restriction,
            exception,
            flows: BTreeSet::from([slug("odometer")]),
            case: text("case"),
            approver: approver.then(|| slug("lead-1")),
            receipt,
            until: EIGHT.plus_seconds(86_400),
        })
    };
    let at = EIGHT.plus_seconds(3_600);
    let admitted = |event| facts.admit(&entry(event, at, at, "e")).map(|_| ());
    use RestrictionException as Why;
    let receipt = Some(consent().receipt);
    for why in [Why::RightsOfAnother, Why::PublicInterest] {
        assert_eq!(admitted(excepted(names[0], why, true, None)), Ok(()));
        let alone = admitted(excepted(names[0], why, false, None));
        assert_eq!(alone, Err(Refused::Invalid(Invalid::ExceptionApprover)));
    }
    assert_eq!(admitted(excepted(names[0], Why::LegalClaim, false, None)), Ok(()));
    let receipts = Err(Refused::Invalid(Invalid::ExceptionReceipt));
    assert_eq!(admitted(excepted(names[0], Why::LegalClaim, false, receipt)), receipts);
    assert_eq!(admitted(excepted(names[0], Why::Consent, false, None)), receipts);

    assert_eq!(admitted(excepted(names[0], Why::Consent, false, receipt)), Ok(()));
    let no_consent = Err(Refused::NoConsentToException);
    let unknown = Some(ReceiptCode::from_bytes([9; 7]));
    assert_eq!(admitted(excepted(names[0], Why::Consent, false, unknown)), no_consent);
    assert_eq!(admitted(excepted(names[1], Why::Consent, false, receipt)), no_consent, "another person");
    assert_eq!(admitted(excepted(names[2], Why::Consent, false, receipt)), no_consent, "of an asset");
    let not_a_restriction = admitted(excepted(names[3], Why::LegalClaim, false, None));
    assert!(matches!(not_a_restriction, Err(Refused::NoSuchEntry { .. })));
}

#[test]
fn an_exception_from_an_erasure_names_it_and_ends() {
    let erase = Event::ErasureOrdered(Erasure {
        whom: Whom::Subject(subject(1)),
        purpose: None,
        ground: ErasureGround::Unlawful,
        case: text("case"),
    });
    let (facts, names) = written([erase, Event::PrivateModeStarted(PrivateMode { asset: asset(1) })]);
    let excepted = |erasure, days: i64| {
        Event::ErasureExcepted(ErasureExcepted {
            erasure,
            exception: ErasureException::LegalDuty,
            scope: HoldScope::Epochs(BTreeSet::from([EpochId::from_bytes([1; 16])])),
            reason: text("bookkeeping"),
            approver: slug("lead-1"),
            until: EIGHT.plus_seconds(days * 86_400),
        })
    };
    let at = EIGHT.plus_seconds(60);
    assert_eq!(facts.admit(&entry(excepted(names[0], 1_830), at, at, "e")), Ok(None));
    assert!(matches!(refused(&facts, excepted(names[1], 1)), Refused::NoSuchEntry { .. }), "no erasure");
    let long = Refused::Invalid(Invalid::End { member: "until", most_days: 5_490 });
    assert_eq!(refused(&facts, excepted(names[0], 6_000)), long);
}

#[test]
fn a_request_and_its_repetition_are_one_entry_and_a_reference_is_used_once() {
    let mut facts = facts();
    let private = Event::PrivateModeStarted(PrivateMode { asset: asset(1) });
    let first = entry(private.clone(), EIGHT, EIGHT, "WS-1");
    let hash = facts.apply(&first).expect("admitted").entry;
    let again = Entry { recorded_at: EIGHT.plus_seconds(60), ..first.clone() };
    assert_ne!(again.hash(), hash);
    let applied = facts.apply(&again).expect("admitted");
    assert_eq!(applied, Applied { entry: hash, duplicate: true, touched: Touched::none() });
    let other = entry(Event::PrivateModeEnded(PrivateMode { asset: asset(1) }), EIGHT, EIGHT, "WS-1");
    assert_eq!(facts.apply(&other), Err(Refused::ReferenceTaken { origin: slug("workshop"), first: hash }));
    let elsewhere = Entry { source: slug("station"), ..other };
    assert!(!facts.apply(&elsewhere).expect("another source").duplicate);
}

#[test]
fn entries_of_another_ledger_format_or_kind_are_refused() {
    let private = Event::PrivateModeStarted(PrivateMode { asset: asset(1) });
    let mut foreign = entry(private, EIGHT, EIGHT, "a");
    foreign.controller = "DK-10628334".parse().expect("a controller");
    assert!(matches!(facts().replay(&foreign), Err(Refused::OtherController { .. })));
    foreign.controller = samples::controller();
    foreign.format = 2;
    assert_eq!(facts().replay(&foreign), Err(Refused::Format(2)));
    let newer: Event = serde_json::from_str("{\"kind\":\"consent-givn\"}").expect("readable");
    assert_eq!(refused(&facts(), newer), Refused::Invalid(Invalid::UnknownKind));
}

#[test]
fn a_receipt_is_of_one_consent_and_a_withdrawal_needs_one_that_exists() {
    let withdraw = |receipt| {
        let scope = WithdrawalScope::Receipt(receipt);
        Event::ConsentWithdrawn(Withdrawal { scope, method: Method::Spoken, recorded_by: None })
    };
    assert_eq!(refused(&facts(), withdraw(consent().receipt)), Refused::NoSuchReceipt);
    let (facts, names) = written([Event::ConsentGiven(consent())]);
    assert_eq!(refused(&facts, Event::ConsentGiven(consent())), Refused::ReceiptTaken);
    assert_eq!(facts.receipt(&consent().receipt), Some(subject(1)));
    let at = EIGHT.plus_seconds(60);
    assert!(facts.admit(&entry(withdraw(consent().receipt), at, at, "w")).is_ok());

    let fresh = ReceiptCode::from_bytes([9; 7]);
    let somebody_else = Consent { subject: subject(2), receipt: fresh, ..consent() };
    let renewal = Event::ConsentRenewed(Renewal { renews: names[0], consent: somebody_else });
    assert!(matches!(refused(&facts, renewal), Refused::NoSuchEntry { .. }));
    let own = Consent { receipt: fresh, ..consent() };
    let renewal = Event::ConsentRenewed(Renewal { renews: names[0], consent: own });
    assert!(facts.admit(&entry(renewal, at, at, "r")).is_ok());
}

#[test]
fn an_order_is_opened_once_and_only_a_known_one_is_closed() {
    let opened = OrderOpened::new(order(1), asset(1), station(), EIGHT);
    assert_eq!(refused(&facts(), Event::OrderClosed(OrderClosed { order: order(1) })), Refused::NoSuchOrder);
    let (facts, _) = written([Event::OrderOpened(opened.clone())]);
    assert_eq!(refused(&facts, Event::OrderOpened(opened)), Refused::OrderExists);
}

#[test]
fn an_objection_to_marketing_or_profiling_is_not_weighed() {
    let object = |against| {
        Event::ObjectionRaised(Objection {
            subject: subject(1),
            against,
            method: Method::Message,
            recorded_by: None,
        })
    };
    let purpose = Against::Purpose(slug("service"));
    let (facts, names) = written([object(Against::Marketing), object(Against::Profiling), object(purpose)]);
    let weigh = |objection| ObjectionOutcome { objection, reasons: text("case"), decided_by: slug("lead-1") };
    for absolute in &names[..2] {
        assert_eq!(refused(&facts, Event::ObjectionWeighed(weigh(*absolute))), Refused::AbsoluteNotWeighed);
    }
    let at = EIGHT.plus_seconds(60);
    assert!(facts.admit(&entry(Event::ObjectionWeighed(weigh(names[2])), at, at, "w")).is_ok());
    let nothing = EntryHash::from_bytes([0; 32]);
    assert!(matches!(refused(&facts, Event::ObjectionUpheld(weigh(nothing))), Refused::NoSuchEntry { .. }));
}

#[test]
fn a_restriction_is_lifted_only_after_the_person_was_told() {
    let restriction = Event::RestrictionSet(Restriction {
        whom: Whom::Subject(subject(1)),
        purpose: None,
        ground: Ground::Unlawful,
        case: text("case"),
    });
    let (mut facts, names) = written([restriction]);
    let lift = |at: UtcMicros| {
        entry(Event::RestrictionLifted(RestrictionLifted { restriction: names[0] }), at, at, "lift")
    };
    assert_eq!(facts.admit(&lift(EIGHT.plus_seconds(60))), Err(Refused::NotAnnounced));
    let told = RestrictionLifting { restriction: names[0], method: Method::Message, evidence: text("mail") };
    let at = EIGHT.plus_seconds(120);
    facts.apply(&entry(Event::RestrictionLiftingAnnounced(told), at, at, "told")).expect("admitted");
    assert_eq!(facts.admit(&lift(EIGHT.plus_seconds(60))), Err(Refused::NotAnnounced), "told afterwards");
    assert_eq!(facts.admit(&lift(at)), Err(Refused::NotAnnounced), "told at the same moment");
    assert_eq!(facts.admit(&lift(EIGHT.plus_seconds(180))), Ok(None));
}

#[test]
fn an_identifier_is_of_one_asset_at_a_time() {
    let index = BlindIndex::from_bytes([7; 32]);
    let identify = |n| {
        let identifier_kind = IdentifierKind::Plate;
        Event::AssetIdentified(AssetIdentified { asset: asset(n), identifier_kind, index })
    };
    let (facts, _) = written([identify(1)]);
    assert_eq!(refused(&facts, identify(2)), Refused::IdentifierInUse);
    let end = Event::IdentifierEnded(IdentifierEnded { asset: asset(1), index });
    let (facts, _) = written([identify(1), end, identify(2)]);
    assert_eq!(facts.find_asset(&index, EIGHT), Some(asset(1)));
    assert_eq!(facts.find_asset(&index, EIGHT.plus_seconds(1)), None);
    assert_eq!(facts.find_asset(&index, EIGHT.plus_seconds(2)), Some(asset(2)));
}

#[test]
fn merges_form_no_circle() {
    let merge = |from, into| Event::AssetMerged(Merge { from: asset(from), into: asset(into) });
    let (facts, _) = written([merge(1, 2)]);
    for (from, into) in [(1, 1), (2, 1), (1, 3)] {
        assert_eq!(refused(&facts, merge(from, into)), Refused::MergeInCircle, "{from} into {into}");
    }
    let (facts, _) = written([merge(1, 2), merge(2, 3)]);
    assert_eq!(facts.canonical_asset(asset(1)), asset(3));
}

#[test]
fn a_voiding_names_an_entry_in_force_and_is_final() {
    let void = |entry| Event::Voided(Voided { entry, reason: VoidReason::Mistake });
    let nothing = EntryHash::from_bytes([0; 32]);
    assert!(matches!(refused(&facts(), void(nothing)), Refused::NoSuchEntry { .. }));
    let (mut facts, names) = written([Event::PrivateModeStarted(PrivateMode { asset: asset(1) })]);
    let at = EIGHT.plus_seconds(60);
    let voiding = facts.apply(&entry(void(names[0]), at, at, "v")).expect("admitted").entry;
    assert!(matches!(refused(&facts, void(names[0])), Refused::NoSuchEntry { .. }), "voided twice");
    assert_eq!(refused(&facts, void(voiding)), Refused::VoidsVoid);
}

#[test]
fn a_revoked_key_is_not_activated_again() {
    let key = vernport_crypto::WrappingKey::from_bytes([0x55; 32]);
    let activate = Event::RecipientKeyActivated(RecipientKeyActivated {
        recipient: slug("example-fleet"),
        purpose: slug("fleet-service"),
        key,
    });
    let revoke = Event::RecipientKeyRevoked(RecipientKeyRevoked { key: key.key_id() });
    let (facts, _) = written([activate.clone(), revoke]);
    assert_eq!(refused(&facts, activate), Refused::KeyRevoked);
}

#[test]
fn a_large_entry_is_refused() {
    let epochs: BTreeSet<EpochId> = (0..512_u16)
        .map(|n| {
            let mut bytes = [0; 16];
            bytes[..2].copy_from_slice(&n.to_be_bytes());
            EpochId::from_bytes(bytes)
        })
        .collect();
    let until = EIGHT.plus_seconds(86_400);
    let hold =
        HoldSet { scope: HoldScope::Epochs(epochs), ground: HoldGround::Query, citation: text("q"), until };
    let large = entry(Event::HoldSet(hold), EIGHT, EIGHT, "a");
    assert!(matches!(large.check(), Err(Invalid::TooLarge { .. })));
}
