//! Steps of a story: calls of the store, of few things so that they meet often.

use super::{KEY, NOW, kind, told};
use crate::bed::{controller, slug};
use proptest::{collection::vec, prelude::*, sample::select};
use vernport_store::{
    AliasRow, CertificateRow, Change, CommitError, Fence, FleetNumberRow, GrantRow, Incoming, KeptBatch,
    LinkRow, NewEntry, NoticeRow, Page, Place, ReadQuery, RecipientKeyRow, RecordError, Revision, Store,
    StoreError,
};
use vernport_types::{
    AssetId, BatchId, EntryHash, EpochId, GrantId, KeyId, LinkHash, MessageId, Reason, SegmentId, Slug,
    SubjectId, UtcMicros, VehicleAlias,
};

pub(super) const GATEWAYS: u8 = 3;
pub(super) const GRANTS: u8 = 4;
/// Three of each grant.
pub(super) const EPOCHS: u8 = 3 * GRANTS;
pub(super) const ENTRIES: u8 = 8;
pub(super) const CHAINS: u8 = 2;
const BATCHES: u8 = 24;
const NOTICES: u8 = 6;

/// A call, or the end of a process and the begin of the next.
#[derive(Debug, Clone)]
pub(super) enum Step {
    Restart,
    Record { change: Box<Change>, is_stale: bool },
    Claim(u8),
    Commit { gateway: u8, items: Vec<Incoming> },
    Read { key: u8, after: i64, limit: u16, unusable: u8 },
    Heads { gateway: u8, count: u32, until: UtcMicros },
    Applied { gateway: u8, is_old: bool },
    Refusal { gateway: u8, code: u8 },
    Fence { entry: u8, epochs: Vec<u8> },
    EraseKey(u8),
    DeleteFenced(u8),
    Certify { entry: u8, number: u32, completes: bool },
    EndErasure { entry: u8 },
    Fetch { after: i64, limit: u16 },
    Confirm { positions: Vec<i64> },
    Notice { n: u8, grant: u8, entry: u8 },
    ToTell { before: UtcMicros, limit: u16 },
    Told { n: u8, at: UtcMicros },
    ConfirmNotice { n: u8, vehicle: u8, at: UtcMicros },
    Late(UtcMicros),
    Call { asset: u8, operator: u8, number: Option<u8> },
    List { operator: u8, from_year: i16, before: UtcMicros, limit: u16, noted: bool },
    Forget { from_year: i16, before: UtcMicros },
    Sweep { epoch: u8, count: usize, stranger: i64 },
    LookAgain { epoch: u8, at: UtcMicros },
    EndEpoch(u8),
    TakeDuty { holder: u8, at: UtcMicros },
    LeaveDuty { holder: u8 },
    Believe { at: UtcMicros, ahead_s: i64 },
    Era(u8),
    Head,
    Checkpoint(u8),
    Witness { gateway: u8, is_wrong: bool },
    Keyed { key: u8, attempt: u8, act: Act },
    FindEntry { source: u8, reference: u8 },
    After { position: i64, limit: u16 },
}

/// What an attempt under an Idempotency-Key does.
#[derive(Debug, Clone)]
pub(super) enum Act {
    Begin {
        at: UtcMicros,
    },
    Hold {
        until: UtcMicros,
    },
    Answer,
    /// The answer is recorded with a change.
    Record,
    GiveUp,
}

/// What makes it likely that something comes of the rest.
pub(super) fn setting() -> impl Strategy<Value = Step> {
    let places = (0..GATEWAYS - 1).prop_map(place);
    let change = (vec(places, 2), vec(grant(), 2..4)).prop_map(|(places, opened)| Change {
        places,
        opened: opened.into_iter().map(|grant| GrantRow { gateways: Vec::new(), ..grant }).collect(),
        recipient_keys: vec![key(0)],
        ..Change::default()
    });
    change.prop_map(|change| Step::Record { change: change.into(), is_stale: false })
}

pub(super) fn step() -> impl Strategy<Value = Step> {
    let at = || (0_i64..20).prop_map(|seconds| NOW.plus_seconds(seconds));
    let numbers = (prop_oneof![Just(0), 0_i64..30], 1_u16..9);
    prop_oneof![
        1 => Just(Step::Restart),
        6 => (change(), prop::bool::weighted(0.1)).prop_map(|(change, is_stale)| Step::Record { change: change.into(), is_stale }),
        8 => (prop_oneof![9 => Just(0), 1 => 0..GATEWAYS], vec(item(), 1..5)).prop_map(|(gateway, items)| Step::Commit { gateway, items }),
        4 => (prop_oneof![4 => Just(0), 1 => 0..3_u8], numbers.clone(), 0..2 * GRANTS)
            .prop_map(|(key, (after, limit), unusable)| Step::Read { key, after, limit, unusable }),
        2 => (0..ENTRIES, vec(0..EPOCHS, 1..6)).prop_map(|(entry, epochs)| Step::Fence { entry, epochs }),
        1 => (0..EPOCHS).prop_map(Step::EraseKey),
        4 => (0..EPOCHS).prop_map(Step::DeleteFenced),
        2 => (0..ENTRIES, 1..3_u32, any::<bool>())
            .prop_map(|(entry, number, completes)| Step::Certify { entry, number, completes }),
        1 => (0..ENTRIES).prop_map(|entry| Step::EndErasure { entry }),
        2 => numbers.prop_map(|(after, limit)| Step::Fetch { after, limit }),
        1 => vec(0_i64..40, 1..20).prop_map(|positions| Step::Confirm { positions }),
        1 => (0..NOTICES, 0..GRANTS, 0..ENTRIES).prop_map(|(n, grant, entry)| Step::Notice { n, grant, entry }),
        1 => (at(), 1_u16..4).prop_map(|(before, limit)| Step::ToTell { before, limit }),
        1 => (0..NOTICES, at()).prop_map(|(n, at)| Step::Told { n, at }),
        1 => (0..NOTICES, 0..2_u8, at()).prop_map(|(n, vehicle, at)| Step::ConfirmNotice { n, vehicle, at }),
        1 => at().prop_map(Step::Late),
        3 => (0..20_u8, 0..2_u8, prop::option::weighted(0.8, any::<u8>()))
            .prop_map(|(asset, operator, number)| Step::Call { asset, operator, number }),
        2 => (0..2_u8, 2026..2028_i16, at(), 1_u16..6, any::<bool>()).prop_map(
            |(operator, from_year, before, limit, noted)| Step::List {
                operator, from_year, before, limit, noted
            }
        ),
        1 => (2026..2028_i16, at()).prop_map(|(from_year, before)| Step::Forget { from_year, before }),
        2 => (0..EPOCHS, 0..3_usize, 0_i64..40)
            .prop_map(|(epoch, count, stranger)| Step::Sweep { epoch, count, stranger }),
        1 => (0..EPOCHS, at()).prop_map(|(epoch, at)| Step::LookAgain { epoch, at }),
        1 => (0..EPOCHS).prop_map(Step::EndEpoch),
        1 => (0..3_u8).prop_map(Step::Claim),
        1 => (0..GATEWAYS, 1..5_u32, at()).prop_map(|(gateway, count, until)| Step::Heads { gateway, count, until }),
        1 => (0..GATEWAYS, any::<bool>()).prop_map(|(gateway, is_old)| Step::Applied { gateway, is_old }),
        1 => (0..GATEWAYS, 0..2_u8).prop_map(|(gateway, code)| Step::Refusal { gateway, code }),
        1 => (0..2_u8, at()).prop_map(|(holder, at)| Step::TakeDuty { holder, at }),
        1 => (0..2_u8).prop_map(|holder| Step::LeaveDuty { holder }),
        1 => (at(), 0_i64..10).prop_map(|(at, ahead_s)| Step::Believe { at, ahead_s }),
        1 => (2..4_u8).prop_map(Step::Era),
        1 => Just(Step::Head),
        1 => (0..4_u8).prop_map(Step::Checkpoint),
        1 => (0..GATEWAYS, any::<bool>()).prop_map(|(gateway, is_wrong)| Step::Witness { gateway, is_wrong }),
        4 => (0..2_u8, 0..3_u8, act()).prop_map(|(key, attempt, act)| Step::Keyed { key, attempt, act }),
        1 => (0..2_u8, 0..ENTRIES).prop_map(|(source, reference)| Step::FindEntry { source, reference }),
        1 => (-1_i64..30, 1_u16..9).prop_map(|(position, limit)| Step::After { position, limit }),
    ]
}

fn act() -> impl Strategy<Value = Act> {
    let at =
        || prop_oneof![4 => 0_i64..20, 1 => 0_i64..100_000].prop_map(|seconds| NOW.plus_seconds(seconds));
    prop_oneof![
        3 => at().prop_map(|at| Act::Begin { at }),
        1 => at().prop_map(|until| Act::Hold { until }),
        1 => Just(Act::Answer),
        1 => Just(Act::Record),
        1 => Just(Act::GiveUp),
    ]
}

fn change() -> impl Strategy<Value = Change> {
    let closed = (0..GRANTS, reason()).prop_map(|(id, reason)| (GrantId::from_bytes([id; 16]), reason));
    let entries = vec((0..ENTRIES, 0..ENTRIES).prop_map(|(n, reference)| entry(n, reference)), 0..2);
    let rows = (vec(grant(), 0..2), vec(closed, 0..2), vec(link(), 0..2), vec(alias(), 0..2));
    let keys = (
        vec((0..2_u8).prop_map(key), 0..2),
        vec(prop_oneof![1 => Just(0), 9 => Just(1)].prop_map(|n| key(n).key_id), 0..2),
    );
    let places = vec((0..GATEWAYS).prop_map(place), 0..2);
    (entries, rows, keys, places).prop_map(|(entries, rows, keys, places)| {
        let (opened, closed, links, aliases) = rows;
        let (recipient_keys, revoked_keys) = keys;
        Change {
            entries,
            opened,
            closed,
            links,
            aliases,
            recipient_keys,
            revoked_keys,
            places,
            ..Change::default()
        }
    })
}

fn reason() -> impl Strategy<Value = Reason> {
    select(vec![Reason::Restricted, Reason::ConsentWithdrawn, Reason::OrderNotOpen, Reason::Erased])
}

fn flow(n: u8) -> Slug {
    slug(["odometer", "fuel"][usize::from(n % 2)])
}

pub(super) fn gateway(n: u8) -> Slug {
    slug(&format!("bay-{n}"))
}

pub(super) fn segment(n: u8) -> SegmentId {
    SegmentId::from_bytes([n; 16])
}

pub(super) fn hash(n: u8) -> EntryHash {
    EntryHash::from_bytes([n; 32])
}

fn place(n: u8) -> Place {
    Place { site: slug("oslo"), station: gateway(n), gateway: gateway(n), device_key: [n; 32] }
}

fn key(n: u8) -> RecipientKeyRow {
    let key_id = [KEY, KeyId::from_bytes([1; 16]), KeyId::from_bytes([2; 16])][usize::from(n)];
    RecipientKeyRow { key_id, recipient: slug("workshop"), purpose: slug("service"), active_from: NOW }
}

fn entry(n: u8, reference: u8) -> NewEntry {
    NewEntry {
        entry: hash(n),
        kind: if n.is_multiple_of(2) { "erasure-ordered" } else { "order-closed" }.into(),
        source: slug("dms"),
        external_ref: format!("ref-{reference}"),
        recorded_at: NOW.plus_seconds(i64::from(reference)),
        json: format!("entry {n}").into_bytes(),
        voids: (n > 4).then(|| hash(n - 1)),
    }
}

/// Most are of gateways that are there.
fn grant() -> impl Strategy<Value = GrantRow> {
    (0..GRANTS, vec(0..GATEWAYS, 0..2), vec(0..3_u8, 0..3)).prop_map(|(n, gateways, subjects)| GrantRow {
        id: GrantId::from_bytes([n; 16]),
        asset: AssetId::from_bytes([n; 16]),
        flow: flow(n / 2),
        opening: "{}".into(),
        opened_at: NOW,
        closed: None,
        subjects: subjects.into_iter().map(|n| SubjectId::from_bytes([n; 16])).collect(),
        gateways: gateways.into_iter().map(gateway).collect(),
    })
}

fn notice(n: u8, grant: GrantId, entry: EntryHash, now: UtcMicros) -> NoticeRow {
    NoticeRow {
        id: MessageId::from_bytes([n; 16]),
        grant,
        operator: slug("fjord"),
        purpose: slug("service"),
        vehicle: VehicleAlias::from_bytes([n % 2; 16]),
        flow: flow(n),
        from: now.plus_seconds(-9),
        until: now,
        entry,
        ordered_at: now,
        confirm_by: now.plus_seconds(n.into()),
        told_at: None,
        confirmed_at: None,
    }
}

fn alias() -> impl Strategy<Value = AliasRow> {
    (0..20_u8, 0..20_u8, 0..2_u8).prop_map(|(asset, alias, recipient)| AliasRow {
        asset: AssetId::from_bytes([asset; 16]),
        recipient: gateway(recipient),
        purpose: slug("service"),
        year: 2026,
        alias: VehicleAlias::from_bytes([alias; 16]),
    })
}

fn link() -> impl Strategy<Value = LinkRow> {
    (0..GATEWAYS, 0..CHAINS, 1..20_u64, any::<bool>()).prop_map(|(at, chain, sequence, is_refused)| LinkRow {
        gateway: gateway(at),
        segment: segment(chain),
        sequence,
        link: LinkHash::from_bytes([chain; 32]),
        entry: (!is_refused).then(|| hash(chain)),
        refused: is_refused.then(|| "refused".into()),
    })
}

/// Mostly of one grant's own flow and epochs, sometimes of another's.
fn item() -> impl Strategy<Value = Incoming> {
    let own = prop::bool::weighted(0.97);
    (0..GRANTS, 0..BATCHES, 0..EPOCHS, prop::bool::weighted(0.97), own, 15_i64..90).prop_map(
        |(grant, batch, epoch, is_same, is_own, due_s)| Incoming {
            grant: GrantId::from_bytes([grant; 16]),
            batch: BatchId::from_bytes([batch; 16]),
            epoch: EpochId::from_bytes([if is_own { grant + GRANTS * (batch % 3) } else { epoch }; 16]),
            flow: flow(if is_own { grant / 2 } else { epoch }),
            sequence: u64::from(batch),
            latest_due: NOW.plus_seconds(due_s),
            retention_rule: slug(if batch.is_multiple_of(2) { "short" } else { "long" }),
            envelope_hash: [u8::from(is_same); 32],
            without_wraps: vec![batch; 9],
            wraps: vec![batch; 5],
        },
    )
}

pub(super) async fn read(
    store: &Store,
    recipient: &Slug,
    key_id: KeyId,
    after: i64,
    limit: u16,
    usable: &(dyn Fn(GrantId) -> bool + Sync),
    now: UtcMicros,
) -> Result<Option<Page>, StoreError> {
    let (controller, task, purpose) = (controller(), slug("repair-1"), slug("service"));
    let (controller, task, purpose) = (&controller, &task, &purpose);
    let flows = &[flow(0), flow(1)];
    let query = ReadQuery { controller, recipient, task, key_id, purpose, flows, after, limit, now };
    store.read(&query, usable).await
}

impl Step {
    /// Takes it; what the store answers.
    pub(super) async fn take(&self, store: &Store, now: UtcMicros) -> String {
        let (of, id) = (controller(), |n: &u8| EpochId::from_bytes([*n; 16]));
        match self {
            Self::Restart => String::new(),
            Self::Record { change, is_stale } => record(store, change, *is_stale, now).await,
            Self::Claim(rules) => told(store.claim_rules(&of, &[*rules; 32]).await),
            Self::Commit { gateway: at, items } => match store.commit(&of, &gateway(*at), items, now).await {
                Err(CommitError::Store(error)) => kind(&error).to_owned(),
                answers => format!("{answers:?}"),
            },
            Self::Read { key: n, after, limit, unusable } => {
                let recipient = slug(if *n == 2 { "coach" } else { "workshop" });
                let usable = |grant: GrantId| grant.as_bytes()[0] != *unusable;
                told(read(store, &recipient, key(*n % 2).key_id, *after, *limit, &usable, now).await)
            }
            Self::Heads { gateway: at, count, until } => {
                told(store.take_head_sequences(&of, &gateway(*at), *count, *until).await)
            }
            Self::Applied { gateway: at, is_old } => {
                let current = store.current(&of).await.expect("is there").revision;
                let revision = if *is_old { Revision::NONE } else { current };
                told(store.note_applied(&of, &gateway(*at), revision, now).await)
            }
            Self::Refusal { gateway: at, code } => {
                told(store.count_link_refusal(&of, &gateway(*at), &format!("code-{code}")).await)
            }
            Self::Fence { entry, epochs } => {
                let (recipient, purpose) = (slug("workshop"), slug("service"));
                let fence =
                    |n| Fence { epoch: id(n), recipient: recipient.clone(), purpose: purpose.clone() };
                let fences: Vec<Fence> = epochs.iter().map(fence).collect();
                told(store.fence(&of, &hash(*entry), &fences, now.plus_seconds(9), now).await)
            }
            Self::EraseKey(n) => told(store.erase_keys(&of, &[id(n)], now).await),
            Self::DeleteFenced(n) => told(store.delete_fenced(&of, id(n), now).await),
            Self::Certify { entry, number, completes } => {
                let (certificate, signature) = (format!("certificate {entry}"), vec![*entry]);
                let row = CertificateRow { number: *number, issued_at: now, certificate, signature };
                told(store.certify(&of, &hash(*entry), &row, *completes).await)
            }
            Self::EndErasure { entry } => told(store.end_erasure(&of, &hash(*entry), now).await),
            Self::Fetch { after, limit } => {
                told(store.fetch_deletions(&of, &slug("workshop"), *after, *limit, now).await)
            }
            Self::Confirm { positions } => {
                told(store.confirm_deletions(&of, &slug("workshop"), positions, now).await)
            }
            Self::Notice { n, grant, entry } => {
                let row = notice(*n, GrantId::from_bytes([*grant; 16]), hash(*entry), now);
                told(store.order_notices(&of, &[row]).await)
            }
            Self::ToTell { before, limit } => told(store.notices_to_tell(&of, *before, *limit).await),
            Self::Told { n, at } => told(store.note_told(&of, MessageId::from_bytes([*n; 16]), *at).await),
            Self::ConfirmNotice { n, vehicle, at } => {
                let (operator, purpose) = (slug("fjord"), slug("service"));
                let stream = (&operator, &purpose, VehicleAlias::from_bytes([*vehicle; 16]));
                told(store.confirm_notice(&of, stream, MessageId::from_bytes([*n; 16]), *at).await)
            }
            Self::Late(at) => told(store.late_with_deletion(&of, *at).await),
            Self::Call { asset, operator, number } => {
                let number = number.map(|n| FleetNumberRow {
                    purpose: slug("service"),
                    key: KeyId::from_bytes([n % 2; 16]),
                    sealed: vec![n; 137],
                });
                let (asset, operator) = (AssetId::from_bytes([*asset; 16]), gateway(*operator));
                told(store.call_asset(&of, asset, &operator, number.as_slice(), now).await)
            }
            Self::List { operator, from_year, before, limit, noted } => {
                let operator = gateway(*operator);
                let rows = store.aliases_to_list(&of, &operator, *from_year, *before, *limit).await;
                let rows = rows.expect("reads");
                let noted =
                    if *noted { told(store.note_listed(&of, &rows, now).await) } else { String::new() };
                let all = rows.iter().map(|row| (row.vehicle, row.key, row.sealed[0]));
                format!("{:?} {noted}", all.collect::<Vec<_>>())
            }
            Self::Forget { from_year, before } => told(store.forget_numbers(&of, *from_year, *before).await),
            Self::Sweep { epoch, count, stranger } => {
                let mut due = store.kept_batches(&of, id(epoch), i64::MIN, 8).await.expect("reads");
                due.truncate(*count);
                // Perhaps gone already, perhaps of another epoch.
                let (latest_due, retention_rule) = (now, slug("short"));
                due.push(KeptBatch { position: *stranger, latest_due, retention_rule, committed_at: now });
                told(store.sweep(&of, id(epoch), &due).await)
            }
            Self::LookAgain { epoch, at } => told(store.look_again(&of, &[(id(epoch), *at)]).await),
            Self::EndEpoch(n) => told(store.end_epoch(&of, id(n), now).await),
            Self::TakeDuty { holder, at } => {
                told(store.take_duty(&of, "sweep", &[*holder; 16], at.plus_seconds(5), *at).await)
            }
            Self::LeaveDuty { holder } => told(store.leave_duty(&of, "sweep", &[*holder; 16]).await),
            Self::Believe { at, ahead_s } => told(store.believe_clock(&of, *at, ahead_s * 1_000_000).await),
            Self::Era(n) => told(store.begin_era(&of, (*n).into(), &[*n], now).await),
            Self::Head => told(store.log_head(&of).await.map(|head| head.size)),
            Self::Checkpoint(size) => {
                told(store.keep_log_checkpoint(&of, (*size).into(), &format!("note {size}")).await)
            }
            Self::Witness { gateway: at, is_wrong } => {
                let decide = |known: &mut vernport_store::Witnessed| {
                    known.alarms += u64::from(*is_wrong);
                    known.alarm = is_wrong.then(|| "shrunk".to_owned());
                    known.clone()
                };
                told(store.witness(&of, &gateway(*at), now, decide).await)
            }
            Self::Keyed { key, attempt, act } => keyed(store, *key, *attempt, act, now).await,
            Self::FindEntry { source, reference } => {
                let source = slug(["dms", "workshop"][usize::from(*source)]);
                told(store.find_entry(&of, &source, &format!("ref-{reference}")).await)
            }
            Self::After { position, limit } => told(store.entries_after(&of, *position, *limit).await),
        }
    }
}

async fn keyed(store: &Store, key: u8, attempt: u8, act: &Act, now: UtcMicros) -> String {
    let of = controller();
    let keyed = store.keyed(&of, "registrar", &format!("key-{key}"), [attempt; 16]);
    let answered = store.answered(&of, keyed, [attempt; 32], &[attempt]);
    match act {
        Act::Begin { at } => told(store.begin_keyed(&of, &keyed, *at, at.plus_seconds(9)).await),
        Act::Hold { until } => told(store.hold_keyed(&of, &keyed, *until).await),
        Act::Answer => match store.answer_keyed(&of, &answered).await {
            Err(RecordError::Store(error)) => kind(&error).to_owned(),
            answered => format!("{answered:?}"),
        },
        Act::Record => {
            let change = Change { answered: Some(answered), ..Change::default() };
            record(store, &change, false, now).await
        }
        Act::GiveUp => told(store.give_up_keyed(&of, &keyed).await),
    }
}

async fn record(store: &Store, change: &Change, is_stale: bool, now: UtcMicros) -> String {
    let current = store.current(&controller()).await.expect("is there").revision;
    let based_on = if is_stale { Revision::NONE } else { current };
    match store.record(&controller(), based_on, change, now).await {
        Err(RecordError::Store(error)) => kind(&error).to_owned(),
        recorded => format!("{recorded:?}"),
    }
}
