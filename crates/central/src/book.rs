//! The book of grants: which opening has which id, since when, until when and
//! who was told of it. Draws ids and aliases; everything else follows from the
//! facts.
//!
//! INVARIANT: an opening that closed for a reason that destroys never opens
//! again, and one that closed for a reason that lets its batches go on gets
//! another id when it opens again. Only what waits opens under its old id, so
//! that what was parked under it goes on.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use vernport_crypto::random;
use vernport_policy::{ClosedGrant, GrantId, Opened, Opening, Rules, Tables};
use vernport_registry::Facts;
use vernport_store::{AliasRow, GrantRow};
use vernport_types::{AssetId, Fate, Reason, Slug, UtcMicros, VehicleAlias};

/// For how long a gateway is told that a grant is over, in days: longer than it
/// may believe any. What it sends later than that is still asked about at the commit.
const TOLD_DAYS: i64 = 31;
const DAY_MICROS: i64 = 86_400 * 1_000_000;
/// Of how many grants at most a gateway is told that they are over, the newest.
const MAX_TOLD: usize = 4_096;

/// All grants of one controller.
#[derive(Default)]
pub(crate) struct Book {
    grants: HashMap<GrantId, Known>,
    by_opening: HashMap<[u8; 32], GrantId>,
    by_asset: HashMap<AssetId, BTreeSet<GrantId>>,
    aliases: HashMap<AliasKey, VehicleAlias>,
}

type AliasKey = (AssetId, Slug, Slug, i16);

pub(crate) struct Known {
    pub(crate) opening: Opening,
    pub(crate) opened_at: UtcMicros,
    closed: Option<(UtcMicros, Reason)>,
    pub(crate) gateways: BTreeSet<Slug>,
}

impl Known {
    /// The opening, with its beginning.
    pub(crate) fn opened(&self) -> Opened<'_> {
        Opened { opening: &self.opening, since: Some(self.opened_at) }
    }

    fn is_open(&self) -> bool {
        self.closed.is_none()
    }

    /// Whether it may be open under its id, now or again.
    fn can_open(&self) -> bool {
        self.closed.is_none_or(|(_, reason)| reason.fate() == Fate::Park)
    }
}

/// What changes in the book.
#[derive(Default)]
pub(crate) struct Changes {
    /// New, open again, or told to more gateways.
    pub(crate) opened: Vec<GrantRow>,
    /// Those of `opened` that were not open before.
    pub(crate) newly_open: Vec<GrantId>,
    /// Closed, or closed for a reason of another fate.
    pub(crate) closed: Vec<(GrantId, Reason)>,
    pub(crate) aliases: Vec<AliasRow>,
}

impl Book {
    /// Takes over what is stored; none if an opening cannot be read.
    pub(crate) fn take_over(&mut self, grants: Vec<GrantRow>, aliases: Vec<AliasRow>) -> Option<()> {
        for row in aliases {
            self.aliases.insert((row.asset, row.recipient, row.purpose, row.year), row.alias);
        }
        for row in grants {
            self.enter(row)?;
        }
        Some(())
    }

    /// Enters what a station opened by itself, before anything is computed with it.
    pub(crate) fn enter_from_station(&mut self, row: GrantRow, alias: Option<AliasRow>) {
        if let Some(row) = alias {
            self.aliases.insert((row.asset, row.recipient, row.purpose, row.year), row.alias);
        }
        self.enter(row).expect("the opening was written just now");
    }

    /// Whether an asset is called something towards a recipient in a year.
    pub(crate) fn has_alias(&self, asset: AssetId, recipient: &Slug, purpose: &Slug, year: i16) -> bool {
        self.aliases.contains_key(&(asset, recipient.clone(), purpose.clone(), year))
    }

    fn enter(&mut self, row: GrantRow) -> Option<()> {
        let opening: Opening = serde_json::from_str(&row.opening).ok()?;
        let (opened_at, closed, gateways) = (row.opened_at, row.closed, row.gateways.into_iter().collect());
        let known = Known { opening, opened_at, closed, gateways };
        let key = known.opening.key();
        if known.can_open() {
            self.by_opening.insert(key, row.id);
        } else if self.by_opening.get(&key) == Some(&row.id) {
            self.by_opening.remove(&key);
        }
        self.by_asset.entry(known.opening.asset).or_default().insert(row.id);
        self.grants.insert(row.id, known);
        Some(())
    }

    /// All grants.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (GrantId, &Known)> {
        self.of(None)
    }

    pub(crate) fn get(&self, id: GrantId) -> Option<&Known> {
        self.grants.get(&id)
    }

    /// The grants of some assets, or of all.
    fn of<'a>(&'a self, assets: Option<&'a BTreeSet<AssetId>>) -> impl Iterator<Item = (GrantId, &'a Known)> {
        let all = assets.is_none().then_some(&self.grants);
        let ids = assets.into_iter().flatten().filter_map(|asset| self.by_asset.get(asset)).flatten();
        let some = ids.filter_map(|id| Some((*id, self.grants.get(id)?)));
        all.into_iter().flatten().map(|(id, known)| (*id, known)).chain(some)
    }

    /// Takes over what was recorded.
    pub(crate) fn adopt(&mut self, changes: Changes, now: UtcMicros) {
        for row in changes.aliases {
            self.aliases.insert((row.asset, row.recipient, row.purpose, row.year), row.alias);
        }
        for row in changes.opened {
            self.enter(row).expect("the opening was written just now");
        }
        for (id, reason) in changes.closed {
            let Some(known) = self.grants.get_mut(&id) else { continue };
            known.closed = Some((known.closed.map_or(now, |(at, _)| at), reason));
            if !known.can_open() {
                let key = known.opening.key();
                if self.by_opening.get(&key) == Some(&id) {
                    self.by_opening.remove(&key);
                }
            }
        }
    }
}

/// One computation of grants: hands out ids and aliases, known or drawn, and
/// notes which are open at which gateway.
pub(crate) struct Draft<'a> {
    book: &'a Book,
    gateway: Option<Slug>,
    drawn: HashMap<[u8; 32], GrantId>,
    openings: HashMap<GrantId, Opening>,
    open_at: BTreeMap<GrantId, BTreeSet<Slug>>,
    aliases: BTreeMap<AliasKey, VehicleAlias>,
}

impl<'a> Draft<'a> {
    pub(crate) fn new(book: &'a Book) -> Self {
        Self {
            book,
            gateway: None,
            drawn: HashMap::new(),
            openings: HashMap::new(),
            open_at: BTreeMap::new(),
            aliases: BTreeMap::new(),
        }
    }

    /// What is asked from here on is for this gateway.
    pub(crate) fn at(&mut self, gateway: &Slug) -> &mut Self {
        self.gateway = Some(gateway.clone());
        self
    }

    /// What differs from the book, where everything was computed, or what has to do with
    /// `assets` (by every id).
    pub(crate) fn changes(
        &self,
        facts: &Facts,
        rules: &Rules,
        now: UtcMicros,
        assets: Option<&BTreeSet<AssetId>>,
    ) -> Changes {
        let mut changes = Changes::default();
        for (id, gateways) in &self.open_at {
            let known = self.book.grants.get(id);
            if known.is_none_or(|known| !known.is_open()) {
                changes.newly_open.push(*id);
            } else if known.is_some_and(|known| gateways.is_subset(&known.gateways)) {
                continue;
            }
            changes.opened.push(self.row(*id, gateways, now));
        }
        for (id, known) in self.book.of(assets) {
            let closed = known.closed.map(|(_, reason)| reason);
            let for_good = closed.is_some_and(|reason| reason.fate() == Fate::Destroy);
            if !for_good && !self.open_at.contains_key(&id) {
                let reason = known.opened().closing_reason(facts, rules, now);
                if closed.is_none_or(|closed| closed.fate() != reason.fate()) {
                    changes.closed.push((id, reason));
                }
            }
        }
        changes.closed.sort_by_key(|(id, _)| *id);
        let alias = |((asset, recipient, purpose, year), alias): (&AliasKey, &VehicleAlias)| AliasRow {
            asset: *asset,
            recipient: recipient.clone(),
            purpose: purpose.clone(),
            year: *year,
            alias: *alias,
        };
        changes.aliases = self.aliases.iter().map(alias).collect();
        changes
    }

    fn row(&self, id: GrantId, gateways: &BTreeSet<Slug>, now: UtcMicros) -> GrantRow {
        let opening = &self.openings[&id];
        let known = self.book.grants.get(&id);
        let told = known.into_iter().flat_map(|known| &known.gateways).chain(gateways);
        let subjects: BTreeSet<_> = opening.subjects.iter().map(|(_, subject)| *subject).collect();
        GrantRow {
            id,
            asset: opening.asset,
            flow: opening.flow.clone(),
            opening: serde_json::to_string(opening).expect("ids and lists are plain data"),
            opened_at: known.map_or(now, |known| known.opened_at),
            closed: None,
            subjects: subjects.into_iter().collect(),
            gateways: told.cloned().collect::<BTreeSet<_>>().into_iter().collect(),
        }
    }

    /// What a gateway has to be told is over: grants that it knew and that are
    /// not open there now, as they will stand after `changes`. Where only `assets` were
    /// computed, with what it was told `before`.
    pub(crate) fn closed_at(
        &self,
        gateway: &Slug,
        changes: &Changes,
        now: UtcMicros,
        part: Option<(&BTreeSet<AssetId>, &[ClosedGrant])>,
    ) -> Vec<ClosedGrant> {
        let over = |(id, known)| self.over(gateway, changes, now, (id, known));
        let in_part = part.filter(|(_, before)| before.len() < MAX_TOLD).map(|(assets, before)| {
            let before = before.iter().filter_map(|told| Some((told.id, self.book.get(told.id)?)));
            let untouched = before.filter(|(_, known)| !assets.contains(&known.opening.asset));
            untouched.chain(self.book.of(Some(assets))).filter_map(over).collect()
        });
        // Some that it was not told for want of room may have their place now.
        let mut closed: Vec<(UtcMicros, ClosedGrant)> =
            in_part.unwrap_or_else(|| self.book.of(None).filter_map(over).collect());
        closed.sort_by_key(|(at, closed)| (std::cmp::Reverse(*at), closed.id));
        closed.truncate(MAX_TOLD);
        let mut closed: Vec<ClosedGrant> = closed.into_iter().map(|(_, closed)| closed).collect();
        closed.sort_by_key(|closed| closed.id);
        closed
    }

    /// When and why a grant was over at a gateway that knew it, if it is to be told of it.
    fn over(
        &self,
        gateway: &Slug,
        changes: &Changes,
        now: UtcMicros,
        (id, known): (GrantId, &Known),
    ) -> Option<(UtcMicros, ClosedGrant)> {
        let open_at = self.open_at.get(&id);
        if !known.gateways.contains(gateway) || open_at.is_some_and(|at| at.contains(gateway)) {
            return None;
        }
        let news = changes.closed.binary_search_by_key(&id, |(closed, _)| *closed).ok();
        let reason = news.map(|place| changes.closed[place].1).or(known.closed.map(|(_, reason)| reason));
        let at = known.closed.map_or(now, |(at, _)| at);
        // Open elsewhere only: what was read here was lawful and goes on.
        let reason = reason.filter(|_| open_at.is_none()).unwrap_or(Reason::OrderNotOpen);
        // Whole days: within one, time alone takes nothing away.
        let since = now.truncated(DAY_MICROS).plus_seconds(-TOLD_DAYS * 86_400);
        (at >= since).then_some((at, ClosedGrant { id, reason }))
    }
}

impl Tables for Draft<'_> {
    fn grant_id(&mut self, opening: &Opening) -> GrantId {
        let key = opening.key();
        let known = self.book.by_opening.get(&key).or_else(|| self.drawn.get(&key)).copied();
        let id = known.unwrap_or_else(|| GrantId::from_bytes(random()));
        if known.is_none() {
            self.drawn.insert(key, id);
        }
        self.openings.entry(id).or_insert_with(|| opening.clone());
        self.open_at.entry(id).or_default().extend(self.gateway.clone());
        id
    }

    fn alias(&mut self, asset: AssetId, recipient: &Slug, purpose: &Slug, year: i16) -> VehicleAlias {
        let key = (asset, recipient.clone(), purpose.clone(), year);
        match self.book.aliases.get(&key) {
            Some(alias) => *alias,
            None => *self.aliases.entry(key).or_insert_with(|| VehicleAlias::from_bytes(random())),
        }
    }
}
