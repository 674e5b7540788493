//! The words of the reference: a bundle, a ledger and their parts, as plain as they can be.

/// Microseconds since 1970, UTC.
pub(crate) type Micros = i64;
/// A name of the bundle.
pub(crate) type Name = &'static str;
/// A vehicle: its place in [`ASSETS`].
pub(crate) type Asset = usize;
/// A person: their place in [`PEOPLE`].
pub(crate) type Person = usize;
/// How an entry is referred to.
pub(crate) type EntryId = u32;

pub(crate) const SECOND: Micros = 1_000_000;
pub(crate) const DAY: Micros = 86_400 * SECOND;

/// The categories of vehicle data, in the order in which they are always named.
const CATEGORIES: [Name; 8] = [
    "odometer",
    "component-status",
    "body-function",
    "location",
    "identifier",
    "service-history",
    "driving-behaviour",
    "driver-identity",
];

/// The ids of vehicles that a world may speak of: two, and one that may be merged with another.
pub(crate) const ASSETS: [Name; 3] = ["truck", "van", "truck-again"];
/// The ids of people that a world may speak of, in the order of these ids.
pub(crate) const PEOPLE: [Name; 4] = ["anna", "cleo", "dina", "anna-again"];

/// One rule of the reference, broken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// An entry that was voided still counts.
    VoidIsIgnored,
    /// What closes counts only once it is recorded.
    ClosesFromRecorded,
    /// What opens counts from when it occurred.
    OpensFromOccurred,
    /// A consent is valid at its last moment, too.
    ExpiryIsLater,
    /// One person of a role is enough.
    OneOfManyConsents,
    /// An announcement is not asked for.
    LiftedUnannounced,
    /// At one moment what opens wins.
    OpensWinsTies,
    /// The clock counts as it stands.
    ClockMayGoBack,
    /// Halves are rounded down.
    HalvesGoDown,
    /// A batch under restriction is destroyed.
    RestrictionDestroys,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Role {
    Owner,
    Driver,
    Deliverer,
    Orderer,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Basis {
    Consent,
    Contract,
    LegalObligation,
    VitalInterest,
    PublicTask,
    LegitimateInterest,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Window {
    Order,
    Link,
    Account,
    Disclosure,
}

/// Where a reading comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Origin {
    Vehicle,
    Tool,
    Manual,
}

/// On what ground something is disclosed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ground {
    CourtOrder,
    LegalDuty,
    Security,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sampling {
    Every,
    PerOrder,
    Interval(Micros),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Minimiser {
    Exact,
    Round(i64),
    Bucket(i64),
    Cell(usize),
    Presence,
    Drop,
}

/// Weakest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Identified {
    Pinned,
    Tool,
    Asserted,
    BusVin,
}

/// A kind of value, of the catalogue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Integer,
    Number,
    Flag,
    Label,
    Position,
    TroubleCode,
}

/// One signal of the catalogue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Signal {
    pub(crate) path: Name,
    pub(crate) kind: Kind,
    pub(crate) category: Name,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Value {
    Integer(i64),
    Number(f64),
    Flag(bool),
    Label(Name),
    /// Ten-millionths of a degree north and east.
    Position(i32, i32),
    /// A two-byte code of OBD-II.
    TroubleCode(u16),
    /// It was asked for, and the vehicle has none.
    Nothing,
    Cell(u64),
    Bucket(i64, i64),
    Present,
}

/// A calendar date: year, month, day.
pub(crate) type Date = (i64, i64, i64);

#[derive(Debug, Clone)]
pub(crate) struct Notice {
    pub(crate) version: Name,
    /// It counts once everybody linked was told, not once it was published.
    pub(crate) told: bool,
    pub(crate) sources: Vec<Origin>,
    pub(crate) categories: Vec<Name>,
}

#[derive(Debug, Clone)]
pub(crate) struct Purpose {
    pub(crate) id: Name,
    pub(crate) basis: Basis,
    pub(crate) marketing: bool,
    pub(crate) profiling: bool,
}

/// From, until before, and until when somebody attests that it is kept.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Agreement {
    pub(crate) from: Date,
    pub(crate) until: Date,
    pub(crate) attested_until: Option<Date>,
}

#[derive(Debug, Clone)]
pub(crate) struct Recipient {
    pub(crate) id: Name,
    pub(crate) authority: bool,
    /// The controller itself and authorities need none.
    pub(crate) agreement: Option<Agreement>,
    /// Outside of the regions: the end of the transfer tool.
    pub(crate) transfer: Option<Date>,
}

#[derive(Debug, Clone)]
pub(crate) struct Flow {
    pub(crate) id: Name,
    pub(crate) purpose: Name,
    pub(crate) recipient: Name,
    /// The version of the notice that first told of it; none: the oldest.
    pub(crate) notice: Option<Name>,
    /// Where its data is taken from; none: wherever its notices say.
    pub(crate) sources: Option<Vec<Origin>>,
    /// On which grounds it may be disclosed.
    pub(crate) grounds: Vec<Ground>,
    /// An owner or orderer needs an account, beside the window.
    pub(crate) account: bool,
    pub(crate) weakest: Identified,
    pub(crate) window: Window,
    pub(crate) roles: Vec<Role>,
    pub(crate) private_mode: bool,
    pub(crate) sampling: Sampling,
    /// Times are cut down to this step; 0 leaves them.
    pub(crate) time_step: Micros,
    /// Shorter than the five minutes, in seconds.
    pub(crate) believe: Option<i64>,
    /// Kept for so many months after the reading at most.
    pub(crate) months: i64,
    /// By path.
    pub(crate) signals: Vec<(Name, Minimiser)>,
}

/// What people consent with.
#[derive(Debug, Clone)]
pub(crate) struct Form {
    pub(crate) id: Name,
    pub(crate) purpose: Name,
    pub(crate) recipient: Name,
    pub(crate) categories: Vec<Name>,
    /// For so many months after it was given.
    pub(crate) months: i64,
}

/// The rules of one controller, in Oslo.
#[derive(Debug, Clone)]
pub(crate) struct Bundle {
    /// Oldest first.
    pub(crate) notices: Vec<Notice>,
    pub(crate) purposes: Vec<Purpose>,
    pub(crate) recipients: Vec<Recipient>,
    /// Who runs the machines, where that is somebody else.
    pub(crate) hosting: Option<Agreement>,
    pub(crate) forms: Vec<Form>,
    /// What recognises a vehicle.
    pub(crate) identify: Vec<Name>,
    pub(crate) flows: Vec<Flow>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Whom {
    Person(Person),
    Asset(Asset),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Against {
    Marketing,
    Profiling,
    Purpose(Name),
}

#[derive(Debug, Clone)]
pub(crate) struct Consent {
    pub(crate) person: Person,
    pub(crate) role: Role,
    pub(crate) purpose: Name,
    pub(crate) recipient: Name,
    pub(crate) categories: Vec<Name>,
    pub(crate) receipt: u32,
    /// The form of the bundle that was used; none: another one.
    pub(crate) form: Option<Name>,
    pub(crate) until: Micros,
}

#[derive(Debug, Clone)]
pub(crate) enum Withdrawal {
    Receipt(u32),
    Person { person: Person, purpose: Option<Name>, recipient: Option<Name>, categories: Vec<Name> },
    Asset(Asset),
}

/// What was reached, as far as it matters to what may pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Milestone {
    AccountOpened(Person),
    AccountClosed(Person),
    RelationshipEnded(Whom),
    VehicleEnded(Asset),
}

#[derive(Debug, Clone)]
pub(crate) enum Event {
    NoticeServed {
        notice: Name,
        to: Option<Person>,
    },
    ConsentGiven(Consent),
    ConsentRenewed(EntryId, Consent),
    ConsentWithdrawn(Withdrawal),
    ObjectionRaised(Person, Against),
    ObjectionWeighed(EntryId),
    ObjectionUpheld(EntryId),
    RestrictionSet {
        whom: Whom,
        purpose: Option<Name>,
    },
    RestrictionLiftingAnnounced(EntryId),
    RestrictionLifted(EntryId),
    OrderOpened {
        order: u32,
        assets: Vec<Asset>,
        station: Name,
        expires: Micros,
    },
    OrderClosed(u32),
    Linked {
        asset: Asset,
        person: Person,
        role: Role,
        until: Option<Micros>,
    },
    Unlinked {
        asset: Asset,
        person: Person,
        role: Role,
    },
    OwnerChanged {
        asset: Asset,
        owners: Vec<Person>,
    },
    SubjectMerged {
        from: Person,
        into: Person,
    },
    AssetMerged {
        from: Asset,
        into: Asset,
    },
    PrivateModeStarted(Asset),
    PrivateModeEnded(Asset),
    GatewayEnrolled {
        gateway: Name,
        station: Name,
        pinned: Option<Asset>,
    },
    EnrolmentEnded(Name),
    RecipientKeyActivated {
        recipient: Name,
        purpose: Name,
        key: u32,
    },
    RecipientKeyRevoked(u32),
    HoldSet {
        flow: Name,
        until: Micros,
    },
    HoldLifted(EntryId),
    RecipientPaused {
        recipient: Name,
        purpose: Name,
    },
    RecipientResumed(EntryId),
    ErasureOrdered {
        whom: Whom,
        purpose: Option<Name>,
    },
    ErasureExcepted {
        erasure: EntryId,
        flow: Name,
        until: Micros,
    },
    MilestoneReached(Milestone),
    DisclosureApproved {
        name: Name,
        ground: Ground,
        assets: Vec<Asset>,
        flows: Vec<Name>,
        until: Micros,
    },
    DisclosureEnded(EntryId),
    /// With a receipt: because the restricted person consents.
    RestrictionExcepted {
        restriction: EntryId,
        flows: Vec<Name>,
        receipt: Option<u32>,
        until: Micros,
    },
    Voided(EntryId),
}

/// One entry of the ledger.
#[derive(Debug, Clone)]
pub(crate) struct Entry {
    pub(crate) id: EntryId,
    pub(crate) occurred: Micros,
    pub(crate) recorded: Micros,
    /// The hash that is its name in the ledger: it decides where nothing else does.
    pub(crate) name: [u8; 32],
    pub(crate) event: Event,
}

/// What is known: the rules, and what people and firms said.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Known<'a> {
    pub(crate) catalogue: &'a [Signal],
    pub(crate) bundle: &'a Bundle,
    pub(crate) ledger: &'a [Entry],
    pub(crate) fault: Option<Fault>,
}

impl<'a> Known<'a> {
    pub(crate) fn flow(&self, id: Name) -> &'a Flow {
        self.bundle.flows.iter().find(|flow| flow.id == id).expect("a flow of the bundle")
    }

    pub(crate) fn purpose(&self, id: Name) -> &'a Purpose {
        self.bundle.purposes.iter().find(|purpose| purpose.id == id).expect("a purpose of the bundle")
    }

    pub(crate) fn recipient(&self, id: Name) -> &'a Recipient {
        self.bundle.recipients.iter().find(|recipient| recipient.id == id).expect("a recipient of the bundle")
    }

    pub(crate) fn signal(&self, path: Name) -> &'a Signal {
        self.catalogue.iter().find(|signal| signal.path == path).expect("a signal of the catalogue")
    }

    /// The categories that a flow reads: of the signals that it names and does not drop.
    pub(crate) fn categories(&self, flow: &Flow) -> Vec<Name> {
        let reads = |category: &Name| {
            flow.signals
                .iter()
                .any(|(path, how)| *how != Minimiser::Drop && self.signal(path).category == *category)
        };
        CATEGORIES.into_iter().filter(reads).collect()
    }
}
