//! Worlds as people and the real thing read them: a bundle's TOML and a world file.

use super::bundles::CATALOGUE;
use crate::reference::{
    ASSETS, Against, Agreement, Basis, Bundle, Consent, Date, Entry, EntryId, Event, Flow, Ground,
    Identified, Kind, Milestone, Minimiser, Name, Origin, PEOPLE, Person, Role, SECOND, Sampling, Signal,
    Whom, Window, Withdrawal, written,
};
use std::{collections::BTreeMap, fmt::Write, sync::Mutex};
use vernport_crypto::{OpeningKey, WrappingKey, sha256};

pub(super) const CONTROLLER: &str = "NO-999999999";

/// The signal catalogue of all worlds.
pub(super) fn catalogue() -> String {
    let mut text = "format = 1\n".to_owned();
    for Signal { path, kind, category } in CATALOGUE {
        let kind = match kind {
            Kind::Integer => "integer",
            Kind::Number => "number",
            Kind::Flag => "flag",
            Kind::Label => "label",
            Kind::Position => "position",
            Kind::TroubleCode => "trouble-code",
        };
        text += &format!("[[signal]]\npath = \"{path}\"\nkind = \"{kind}\"\ncategory = \"{category}\"\n");
    }
    text
}

pub(super) fn list(names: &[Name]) -> String {
    let quoted: Vec<String> = names.iter().map(|name| format!("\"{name}\"")).collect();
    format!("[{}]", quoted.join(", "))
}

fn date((year, month, day): Date) -> String {
    format!("{year}-{month:02}-{day:02}")
}

pub(super) fn role(role: Role) -> Name {
    match role {
        Role::Owner => "owner",
        Role::Driver => "driver",
        Role::Deliverer => "deliverer",
        Role::Orderer => "orderer",
    }
}

pub(super) fn identified(by: Identified) -> Name {
    match by {
        Identified::Pinned => "pinned",
        Identified::Tool => "tool",
        Identified::Asserted => "asserted",
        Identified::BusVin => "bus-vin",
    }
}

pub(super) fn origin(origin: Origin) -> Name {
    match origin {
        Origin::Vehicle => "vehicle",
        Origin::Tool => "tool",
        Origin::Manual => "manual",
    }
}

fn ground(ground: Ground) -> Name {
    match ground {
        Ground::CourtOrder => "court-order",
        Ground::LegalDuty => "legal-duty",
        Ground::Security => "security",
    }
}

fn sources(origins: &[Origin]) -> String {
    list(&origins.iter().map(|each| origin(*each)).collect::<Vec<_>>())
}

fn agreement(agreement: &Agreement) -> String {
    let attested = agreement.attested_until.map(|until| format!(", attested_until = {}", date(until)));
    format!(
        "agreement = {{ id = \"paper\", from = {}, until = {}{} }}\n",
        date(agreement.from),
        date(agreement.until),
        attested.unwrap_or_default()
    )
}

fn minimiser(minimiser: Minimiser) -> String {
    match minimiser {
        Minimiser::Exact => "exact".into(),
        Minimiser::Round(step) => format!("round-{step}"),
        Minimiser::Bucket(width) => format!("bucket-{width}"),
        Minimiser::Cell(resolution) => format!("cell-{resolution}"),
        Minimiser::Presence => "presence".into(),
        Minimiser::Drop => "drop".into(),
    }
}

/// The bundle's file.
pub(super) fn bundle(bundle: &Bundle) -> String {
    let mut text = format!(
        "format = 1\nname = \"drawn\"\n\n[controller]\nid = \"{CONTROLLER}\"\nname = \"Drawn AS\"\nrole = \"controller\"\n\
         jurisdiction = \"NO\"\ntime_zone = \"Europe/Oslo\"\nregions = [\"EEA\"]\nelsewhere = \"with-tool\"\nclauses = [\"1\"]\n"
    );
    for notice in &bundle.notices {
        text += &format!(
            "\n[[notice]]\nversion = \"{}\"\nserved_when = \"{}\"\nsources = {}\ncategories = {}\nclauses = [\"2\"]\n",
            notice.version,
            if notice.told { "told" } else { "recorded" },
            sources(&notice.sources),
            list(&notice.categories)
        );
    }
    if let Some(hosting) = &bundle.hosting {
        text += "\n[hosting]\nregions = [\"NO\"]\nprocessor = \"Drawn Hosting\"\nclauses = [\"9\"]\n";
        text += &agreement(hosting);
    }
    for purpose in &bundle.purposes {
        let basis = match purpose.basis {
            Basis::Consent => "A6-1-a\"",
            Basis::Contract => "A6-1-b\"",
            Basis::LegalObligation => "A6-1-c\"\nstatute = \"an act\"",
            Basis::VitalInterest => "A6-1-d\"",
            Basis::PublicTask => "A6-1-e\"",
            Basis::LegitimateInterest => "A6-1-f\"\nbalancing = \"a test\"",
        };
        text += &format!(
            "\n[[purpose]]\nid = \"{}\"\niri = \"https://w3id.org/dpv#ServiceProvision\"\nbasis = \"{basis}\nmarketing = {}\nprofiling = {}\n\
             necessity = \"It is drawn.\"\nclauses = [\"3\"]\n",
            purpose.id, purpose.marketing, purpose.profiling
        );
    }
    for recipient in &bundle.recipients {
        let (role, region) = match (&recipient.agreement, &recipient.transfer) {
            _ if recipient.authority => ("authority", "NO"),
            (None, _) => ("controller", "NO"),
            (Some(_), None) => ("processor", "DK"),
            (Some(_), Some(_)) => ("processor", "US"),
        };
        text += &format!(
            "\n[[recipient]]\nid = \"{}\"\nname = \"Drawn\"\nrole = \"{role}\"\nregion = \"{region}\"\nclauses = [\"4\"]\n",
            recipient.id
        );
        if let Some(agreed) = &recipient.agreement {
            text += &agreement(agreed);
        }
        if let Some(until) = recipient.transfer {
            text += &format!(
                "transfer = {{ tool = \"adequacy\", reference = \"paper\", until = {} }}\n",
                date(until)
            );
        }
    }
    if !bundle.identify.is_empty() {
        let purpose = bundle.purposes[0].id;
        text += &format!(
            "\n[identify]\npurpose = \"{purpose}\"\nsignals = {}\nclauses = [\"5\"]\n",
            list(&bundle.identify)
        );
    }
    for form in &bundle.forms {
        text += &format!(
            "\n[[form]]\nid = \"{}\"\npurpose = \"{}\"\nrecipient = \"{}\"\ncategories = {}\nvalid = \"P{}M\"\n\
             clauses = [\"7\"]\ntexts = {{ en = \"Yes.\" }}\n",
            form.id,
            form.purpose,
            form.recipient,
            list(&form.categories),
            form.months
        );
    }
    for each in &bundle.flows {
        text += &flow(each);
    }
    text
}

fn flow(flow: &Flow) -> String {
    let id = flow.id;
    let mut text = format!(
        "\n[[retention]]\nid = \"kept-{id}\"\nstart = \"reading\"\nperiod = \"P{0}M\"\nat_most = \"P{0}M\"\nclauses = [\"6\"]\n",
        flow.months
    );
    let window = match flow.window {
        Window::Order => "order",
        Window::Link => "link",
        Window::Account => "account",
        Window::Disclosure => "disclosure",
    };
    let roles: Vec<Name> = flow.roles.iter().map(|each| role(*each)).collect();
    text += &format!(
        "\n[[flow]]\nid = \"{id}\"\npurpose = \"{}\"\nrecipient = \"{}\"\nretention = \"kept-{id}\"\ndeliver = {{ store = true }}\n\
         weakest = \"{}\"\nwindow = \"{window}\"\nroles = {}\nprivate_mode = {}\nclauses = [\"8\"]\n",
        flow.purpose,
        flow.recipient,
        identified(flow.weakest),
        list(&roles),
        flow.private_mode
    );
    match flow.sampling {
        Sampling::Every => {}
        Sampling::PerOrder => text += "sample = \"per-order\"\n",
        Sampling::Interval(micros) => text += &format!("sample = \"PT{}S\"\n", micros / SECOND),
    }
    if flow.time_step > 0 {
        text += &format!("time = \"PT{}S\"\n", flow.time_step / SECOND);
    }
    if let Some(seconds) = flow.believe {
        text += &format!("believe = \"PT{seconds}S\"\n");
    }
    if let Some(notice) = flow.notice {
        text += &format!("notice = \"{notice}\"\n");
    }
    if let Some(origins) = &flow.sources {
        text += &format!("sources = {}\n", sources(origins));
    }
    if flow.account {
        text += "account = true\n";
    }
    if !flow.grounds.is_empty() {
        let grounds: Vec<Name> = flow.grounds.iter().map(|each| ground(*each)).collect();
        text += &format!("grounds = {}\n", list(&grounds));
    }
    text += "\n[flow.signals]\n";
    for (path, how) in &flow.signals {
        text += &format!("\"{path}\" = \"{}\"\n", minimiser(*how));
    }
    text
}

/// A key of a recipient, by its number; made once.
pub(super) fn key(number: u32) -> WrappingKey {
    static MADE: Mutex<BTreeMap<u32, WrappingKey>> = Mutex::new(BTreeMap::new());
    let make = || OpeningKey::from_bytes(sha256(&number.to_be_bytes())).wrapping_key();
    *MADE.lock().expect("no key fails").entry(number).or_insert_with(make)
}

/// The world file of a ledger. The events stand in their order, so the place of an
/// event in the file is that of its entry.
pub(super) fn world(entries: &[Entry]) -> String {
    let mut text = "format = 1\n".to_owned();
    for asset in ASSETS {
        text += &format!("\n[[asset]]\nname = \"{asset}\"\nsince = \"2020-01-01T00:00:00Z\"\n");
    }
    for person in PEOPLE {
        text += &format!("\n[[subject]]\nname = \"{person}\"\n");
    }
    for entry in entries {
        text += &format!("\n[[event]]\nname = \"e{}\"\ntime = {}\n", entry.id, written(entry.occurred));
        if entry.recorded != entry.occurred {
            text += &format!("recorded = {}\n", written(entry.recorded));
        }
        text += &event(&entry.event);
    }
    text
}

/// The members of an event, by name and as TOML.
struct Members(String);

impl Members {
    fn of(kind: &str) -> Self {
        Self(format!("kind = \"{kind}\"\n"))
    }

    fn raw(mut self, member: &str, value: impl std::fmt::Display) -> Self {
        writeln!(self.0, "{member} = {value}").expect("a string");
        self
    }

    fn text(self, member: &str, value: impl std::fmt::Display) -> Self {
        self.raw(member, format!("\"{value}\""))
    }

    fn some(self, member: &str, value: Option<impl std::fmt::Display>) -> Self {
        match value {
            Some(value) => self.text(member, value),
            None => self,
        }
    }

    fn entry(self, member: &str, entry: EntryId) -> Self {
        self.text(member, format!("e{entry}"))
    }

    fn whom(self, whom: Whom) -> Self {
        self.raw(
            "whom",
            match whom {
                Whom::Person(person) => format!("{{ subject = \"{}\" }}", PEOPLE[person]),
                Whom::Asset(asset) => format!("{{ asset = \"{}\" }}", ASSETS[asset]),
            },
        )
    }
}

fn people(people: &[Person]) -> String {
    list(&people.iter().map(|person| PEOPLE[*person]).collect::<Vec<_>>())
}

fn event(event: &Event) -> String {
    let members = match event {
        Event::NoticeServed { notice, to } => {
            Members::of("notice-served").text("notice", notice).some("subject", to.map(|to| PEOPLE[to]))
        }
        Event::ConsentGiven(given) => {
            Members(format!("kind = \"consent-given\"\n{}\n", consent(given).join("\n")))
        }
        Event::ConsentRenewed(of, given) => Members::of("consent-renewed")
            .entry("renews", *of)
            .raw("consent", format!("{{ {} }}", consent(given).join(", "))),
        Event::ConsentWithdrawn(scope) => Members::of("consent-withdrawn").raw("scope", withdrawal(scope)),
        Event::ObjectionRaised(person, against) => {
            let against = match against {
                Against::Marketing => "\"marketing\"".to_owned(),
                Against::Profiling => "\"profiling\"".to_owned(),
                Against::Purpose(purpose) => format!("{{ purpose = \"{purpose}\" }}"),
            };
            Members::of("objection-raised").text("subject", PEOPLE[*person]).raw("against", against)
        }
        Event::ObjectionWeighed(of) => Members::of("objection-weighed").entry("objection", *of),
        Event::ObjectionUpheld(of) => Members::of("objection-upheld").entry("objection", *of),
        Event::RestrictionSet { whom, purpose } => Members::of("restriction-set")
            .whom(*whom)
            .some("purpose", *purpose)
            .text("ground", "accuracy-disputed"),
        Event::RestrictionLiftingAnnounced(of) => {
            Members::of("restriction-lifting-announced").entry("restriction", *of)
        }
        Event::RestrictionLifted(of) => Members::of("restriction-lifted").entry("restriction", *of),
        Event::OrderOpened { order, assets, station, expires } => Members::of("order-opened")
            .text("order", format!("o{order}"))
            .raw("assets", list(&assets.iter().map(|asset| ASSETS[*asset]).collect::<Vec<_>>()))
            .text("station", station)
            .raw("expires_at", written(*expires)),
        Event::OrderClosed(order) => Members::of("order-closed").text("order", format!("o{order}")),
        Event::Linked { asset, person, role: what, until } => {
            let members = linked("linked", *asset, *person, *what);
            match until {
                Some(until) => members.raw("until", written(*until)),
                None => members,
            }
        }
        Event::Unlinked { asset, person, role } => linked("unlinked", *asset, *person, *role),
        Event::OwnerChanged { asset, owners } => {
            Members::of("owner-changed").text("asset", ASSETS[*asset]).raw("owners", people(owners))
        }
        Event::SubjectMerged { from, into } => {
            Members::of("subject-merged").text("from", PEOPLE[*from]).text("into", PEOPLE[*into])
        }
        Event::AssetMerged { from, into } => {
            Members::of("asset-merged").text("from", ASSETS[*from]).text("into", ASSETS[*into])
        }
        Event::PrivateModeStarted(asset) => Members::of("private-mode-started").text("asset", ASSETS[*asset]),
        Event::PrivateModeEnded(asset) => Members::of("private-mode-ended").text("asset", ASSETS[*asset]),
        Event::GatewayEnrolled { gateway, station, pinned } => Members::of("gateway-enrolled")
            .text("gateway", gateway)
            .text("station", station)
            .some("pinned", pinned.map(|asset| ASSETS[asset])),
        Event::EnrolmentEnded(gateway) => Members::of("enrolment-ended").text("gateway", gateway),
        Event::RecipientKeyActivated { recipient, purpose, key: number } => {
            Members::of("recipient-key-activated")
                .text("recipient", recipient)
                .text("purpose", purpose)
                .text("key", hex::encode(key(*number).as_bytes()))
        }
        Event::RecipientKeyRevoked(number) => {
            Members::of("recipient-key-revoked").text("key", key(*number).key_id())
        }
        Event::HoldSet { flow, until } => Members::of("hold-set")
            .raw("scope", format!("{{ flows = {{ flows = [\"{flow}\"] }} }}"))
            .text("ground", "dispute")
            .raw("until", written(*until)),
        Event::HoldLifted(of) => Members::of("hold-lifted").entry("hold", *of),
        Event::ErasureOrdered { whom, purpose } => {
            Members::of("erasure-ordered").whom(*whom).some("purpose", *purpose).text("ground", "unlawful")
        }
        Event::ErasureExcepted { erasure, flow, until } => Members::of("erasure-excepted")
            .entry("erasure", *erasure)
            .text("exception", "legal-claim")
            .raw("scope", format!("{{ flows = {{ flows = [\"{flow}\"] }} }}"))
            .raw("until", written(*until)),
        Event::MilestoneReached(milestone) => {
            let (whom, milestone) = match *milestone {
                Milestone::AccountOpened(person) => (Whom::Person(person), "account-opened"),
                Milestone::AccountClosed(person) => (Whom::Person(person), "account-closed"),
                Milestone::RelationshipEnded(whom) => (whom, "relationship-ended"),
                Milestone::VehicleEnded(asset) => (Whom::Asset(asset), "vehicle-ended"),
            };
            Members::of("milestone-reached").whom(whom).text("milestone", milestone)
        }
        Event::DisclosureApproved { name, ground: on, assets, flows, until } => {
            Members::of("disclosure-approved")
                .text("disclosure", name)
                .text("ground", ground(*on))
                .raw("assets", list(&assets.iter().map(|asset| ASSETS[*asset]).collect::<Vec<_>>()))
                .raw("flows", list(flows))
                .raw("until", written(*until))
        }
        Event::DisclosureEnded(of) => Members::of("disclosure-ended").entry("disclosure", *of),
        Event::RestrictionExcepted { restriction, flows, receipt, until } => {
            Members::of("restriction-excepted")
                .entry("restriction", *restriction)
                .text("exception", if receipt.is_some() { "consent" } else { "legal-claim" })
                .raw("flows", list(flows))
                .some("receipt", receipt.map(|receipt| format!("r{receipt}")))
                .raw("until", written(*until))
        }
        Event::RecipientPaused { recipient, purpose } => {
            Members::of("recipient-paused").text("recipient", recipient).text("purpose", purpose)
        }
        Event::RecipientResumed(of) => Members::of("recipient-resumed").entry("pause", *of),
        Event::Voided(of) => Members::of("voided").entry("entry", *of),
    };
    members.0
}

fn linked(kind: &str, asset: usize, person: Person, what: Role) -> Members {
    Members::of(kind).text("asset", ASSETS[asset]).text("subject", PEOPLE[person]).text("role", role(what))
}

fn consent(consent: &Consent) -> Vec<String> {
    vec![
        format!("subject = \"{}\"", PEOPLE[consent.person]),
        format!("role = \"{}\"", role(consent.role)),
        format!("purpose = \"{}\"", consent.purpose),
        format!("recipient = \"{}\"", consent.recipient),
        format!("categories = {}", list(&consent.categories)),
        format!("receipt = \"r{}\"", consent.receipt),
        format!("form = \"{}\"", consent.form.unwrap_or("another-form")),
        format!("valid_until = {}", written(consent.until)),
    ]
}

fn withdrawal(scope: &Withdrawal) -> String {
    match scope {
        Withdrawal::Receipt(receipt) => format!("{{ receipt = \"r{receipt}\" }}"),
        Withdrawal::Asset(asset) => format!("{{ asset = \"{}\" }}", ASSETS[*asset]),
        Withdrawal::Person { person, purpose, recipient, categories } => {
            let mut members = vec![format!("subject = \"{}\"", PEOPLE[*person])];
            members.extend(purpose.map(|purpose| format!("purpose = \"{purpose}\"")));
            members.extend(recipient.map(|recipient| format!("recipient = \"{recipient}\"")));
            if !categories.is_empty() {
                members.push(format!("categories = {}", list(categories)));
            }
            format!("{{ subject = {{ {} }} }}", members.join(", "))
        }
    }
}
