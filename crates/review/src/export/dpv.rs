//! The record of processing activities (GDPR Art. 30(1)) as JSON-LD in DPV 2.3.
//!
//! One `dpv:Process` for each flow, and one for each purpose that no vehicle data serves.
//! Categories of vehicle data that DPV lacks are narrower concepts of our own below its nearest one.

use serde_json::{Map, Value, json};
use vernport_policy::{
    ControllerRole, Flow, Purpose, Recipient, RecipientRole, Right, Role, Rules, TransferTool,
};
use vernport_types::{Catalogue, Category, UtcMicros};

/// The record, from the rules alone.
pub fn record_of_processing(rules: &Rules, catalogue: &Catalogue) -> Value {
    let record = Record { rules, catalogue };
    let mut graph = vec![record.ropa(), record.controller()];
    graph.extend(rules.recipients().iter().map(|recipient| record.recipient(recipient)));
    graph.extend(rules.flows().iter().map(|flow| record.process(flow)));
    graph.extend(record.idle_purposes().map(|purpose| record.idle(purpose)));
    graph.extend(record.categories());
    json!({ "@context": context(), "@graph": graph })
}

fn context() -> Value {
    json!({
        "dpv": "https://w3id.org/dpv#",
        "pd": "https://w3id.org/dpv/pd#",
        "loc": "https://w3id.org/dpv/loc#",
        "eu-gdpr": "https://w3id.org/dpv/legal/eu/gdpr#",
        "dct": "http://purl.org/dc/terms/",
        "skos": "http://www.w3.org/2004/02/skos/core#",
        "xsd": "http://www.w3.org/2001/XMLSchema#",
        "vernport": "urn:vernport:",
    })
}

struct Record<'a> {
    rules: &'a Rules,
    catalogue: &'a Catalogue,
}

impl Record<'_> {
    /// An id that is the same in every export of the same controller.
    fn id(&self, kind: &str, name: &str) -> String {
        format!("vernport:{}:{kind}:{name}", self.rules.controller())
    }

    fn node(&self, kind: &str, name: &str) -> Value {
        json!({ "@id": self.id(kind, name) })
    }

    fn ropa(&self) -> Value {
        let flows = self.rules.flows().iter().map(|flow| self.node("flow", flow.slug.as_str()));
        let idle = self.idle_purposes().map(|purpose| self.node("purpose", purpose.slug.as_str()));
        let notices = self.rules.notices().iter().map(|notice| {
            json!({
                "@type": "dpv:PrivacyNotice",
                "dct:identifier": notice.version.as_str(),
                "dct:source": notice.clauses,
            })
        });
        json!({
            "@id": self.id("ropa", self.rules.name().as_str()),
            "@type": "dpv:ROPA",
            "dct:title": format!("Record of processing activities of {}", self.rules.controller_info().name),
            "dct:source": format!("sha256:{}", hex(&self.rules.hash())),
            "dct:conformsTo": "https://eur-lex.europa.eu/eli/reg/2016/679/art_30/oj",
            "dpv:hasDataController": self.node("controller", self.rules.controller().as_str()),
            "dpv:hasNotice": notices.collect::<Vec<_>>(),
            "dpv:hasRight": Right::ALL.iter().map(|right| json!({ "@id": gdpr_right(*right) })).collect::<Vec<_>>(),
            "dpv:hasProcess": flows.chain(idle).collect::<Vec<_>>(),
        })
    }

    fn controller(&self) -> Value {
        let info = self.rules.controller_info();
        let kind = match info.role {
            ControllerRole::Controller => "dpv:DataController",
            ControllerRole::JointController => "dpv:JointDataControllers",
        };
        let mut node = object(json!({
            "@id": self.id("controller", info.id.as_str()),
            "@type": kind,
            "dpv:hasName": info.name,
            "dpv:hasIdentifier": info.id.as_str(),
            "dpv:hasJurisdiction": place(&info.jurisdiction),
            "dct:source": info.clauses,
        }));
        if let Some(hosting) = self.rules.hosting() {
            let mut processor = object(json!({
                "@type": "dpv:DataProcessor",
                "dpv:hasLocation": hosting.regions.iter().map(|region| place(region)).collect::<Vec<_>>(),
            }));
            if let Some(name) = &hosting.processor {
                processor.insert("dpv:hasName".into(), json!(name));
            }
            node.insert("dpv:hasDataProcessor".into(), Value::Object(processor));
        }
        Value::Object(node)
    }

    fn recipient(&self, recipient: &Recipient) -> Value {
        let kind = match recipient.role {
            RecipientRole::Controller => "dpv:DataController",
            RecipientRole::JointController => "dpv:JointDataControllers",
            RecipientRole::Processor => "dpv:DataProcessor",
            RecipientRole::Authority => "dpv:Authority",
            RecipientRole::Partner | RecipientRole::Customer | RecipientRole::Group => "dpv:ThirdParty",
        };
        let mut node = object(json!({
            "@id": self.id("recipient", recipient.slug.as_str()),
            "@type": ["dpv:Recipient", kind],
            "dpv:hasName": recipient.name,
            "dpv:hasLocation": place(&recipient.region),
            "dct:source": recipient.clauses,
        }));
        if let Some(agreement) = &recipient.agreement {
            node.insert(
                "dpv:hasOrganisationalMeasure".into(),
                json!({
                    "@type": "dpv:Contract",
                    "dct:identifier": agreement.id,
                    "dct:valid": format!("{}/{}", day(agreement.from), day(agreement.ends())),
                }),
            );
        }
        Value::Object(node)
    }

    fn process(&self, flow: &Flow) -> Value {
        let purpose = self.rules.purposes().iter().find(|purpose| purpose.slug == flow.purpose);
        let mut node = object(json!({
            "@id": self.id("flow", flow.slug.as_str()),
            "@type": "dpv:Process",
            "dct:title": flow.slug.as_str(),
            "dct:source": flow.clauses,
            "dpv:hasDataController": self.node("controller", self.rules.controller().as_str()),
            "dpv:hasPurpose": { "@id": flow.purpose_iri },
            "dpv:hasLegalBasis": { "@id": format!("eu-gdpr:{}", flow.basis.code()) },
            "dpv:hasPersonalData": flow.categories.iter().map(|category| data(*category)).collect::<Vec<_>>(),
            "dpv:hasDataSubject": subjects(flow),
            "dpv:hasRecipient": self.node("recipient", flow.recipient.as_str()),
            "dpv:hasDataSource": flow.sources.iter().map(|source| source.to_string()).collect::<Vec<_>>(),
            "dpv:hasStorageCondition": storage(flow),
            "dpv:hasTechnicalMeasure": self.measures(flow),
        }));
        if let Some(purpose) = purpose {
            node.insert(
                "dpv:hasNecessity".into(),
                json!({
                    "@type": "dpv:Necessity",
                    "dct:description": purpose.necessity,
                }),
            );
            justify(&mut node, purpose);
        }
        let recipient = self.rules.recipient(&flow.recipient);
        if let Some(transfer) = recipient.filter(|r| r.outside).and_then(|r| r.transfer.as_ref().zip(Some(r)))
        {
            let (transfer, recipient) = transfer;
            node.insert("dpv:hasThirdCountry".into(), place(&recipient.region));
            node.insert(
                "dpv:hasLegalMeasure".into(),
                json!({
                    "@type": tool(transfer.tool),
                    "dct:identifier": transfer.reference,
                    "dct:valid": format!("../{}", day(transfer.until)),
                }),
            );
        }
        Value::Object(node)
    }

    /// What protects a flow: what each signal is reduced to, and how it travels.
    fn measures(&self, flow: &Flow) -> Vec<Value> {
        let minimised = flow
            .signals
            .iter()
            .map(|(id, minimiser)| format!("{}: {minimiser}", self.catalogue.signal(*id).path));
        let plain = flow.deliver.topic.as_ref().is_some_and(|t| t.payload == vernport_policy::Payload::Plain);
        let way = if plain { "dpv:EncryptionInTransfer" } else { "dpv:EndToEndEncryption" };
        vec![
            json!({ "@id": way }),
            json!({ "@id": "dpv:EncryptionAtRest" }),
            json!({ "@id": "dpv:Pseudonymisation" }),
            json!({
                "@type": "dpv:TechnicalMeasure",
                "dct:title": "minimised at the vehicle",
                "dct:description": minimised.collect::<Vec<_>>(),
            }),
        ]
    }

    /// Purposes that no flow serves: they are part of the record, without data of vehicles.
    fn idle_purposes(&self) -> impl Iterator<Item = &Purpose> {
        let served = |purpose: &&Purpose| !self.rules.flows().iter().any(|flow| flow.purpose == purpose.slug);
        self.rules.purposes().iter().filter(served)
    }

    fn idle(&self, purpose: &Purpose) -> Value {
        let of_messages = self.rules.messages().iter().filter(|message| message.purpose == purpose.slug);
        let used =
            of_messages.flat_map(|message| &message.categories).chain(purpose.categories.iter().flatten());
        let mut categories: Vec<Category> = used.copied().collect();
        categories.sort_unstable();
        categories.dedup();
        let mut node = object(json!({
            "@id": self.id("purpose", purpose.slug.as_str()),
            "@type": "dpv:Process",
            "dct:title": purpose.slug.as_str(),
            "dct:source": purpose.clauses,
            "dpv:hasDataController": self.node("controller", self.rules.controller().as_str()),
            "dpv:hasPurpose": { "@id": purpose.iri },
            "dpv:hasLegalBasis": { "@id": format!("eu-gdpr:{}", purpose.basis.code()) },
            "dpv:hasPersonalData": categories.iter().map(|category| data(*category)).collect::<Vec<_>>(),
            "dpv:hasNecessity": { "@type": "dpv:Necessity", "dct:description": purpose.necessity },
        }));
        justify(&mut node, purpose);
        Value::Object(node)
    }

    /// Our own concepts, each below the nearest one of DPV.
    fn categories(&self) -> impl Iterator<Item = Value> {
        let mut all: Vec<Category> =
            self.rules.notices().iter().flat_map(|notice| notice.categories.clone()).collect();
        all.sort_unstable();
        all.dedup();
        all.into_iter().map(|category| {
            json!({
                "@id": format!("vernport:category:{category}"),
                "@type": ["dpv:PersonalData", "skos:Concept"],
                "skos:prefLabel": category.as_str(),
                "skos:broader": { "@id": broader(category) },
            })
        })
    }
}

fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(object) => object,
        _ => Map::new(),
    }
}

/// Statute and balancing test, where the basis has one.
fn justify(node: &mut Map<String, Value>, purpose: &Purpose) {
    if let Some(statute) = &purpose.statute {
        node.insert("dpv:hasApplicableLaw".into(), json!(statute));
    }
    if let Some(balancing) = &purpose.balancing {
        node.insert(
            "dpv:hasAssessment".into(),
            json!({
                "@type": "dpv:LegitimateInterestAssessment",
                "dct:identifier": balancing,
            }),
        );
    }
}

/// How long: the period after the event, and the cap after the reading.
fn storage(flow: &Flow) -> Value {
    json!({
        "@type": "dpv:StorageCondition",
        "dct:identifier": flow.retention.rule.as_str(),
        "dpv:hasDuration": {
            "@type": "dpv:StorageDuration",
            "dct:description": format!("{} after {}", flow.retention.period, flow.retention.start),
            "dct:extent": { "@type": "xsd:duration", "@value": flow.retention.at_most.to_string() },
        },
    })
}

/// Whose data it is: those linked to the vehicle.
fn subjects(flow: &Flow) -> Vec<Value> {
    let of = |role: Role| match role {
        Role::Owner | Role::Orderer => "dpv:Customer",
        Role::Driver | Role::Deliverer => "dpv:User",
    };
    let roles: Vec<Role> = if flow.roles.is_empty() { Role::ALL.to_vec() } else { flow.roles.clone() };
    let mut all: Vec<&str> = roles.into_iter().map(of).collect();
    all.sort_unstable();
    all.dedup();
    all.into_iter().map(|id| json!({ "@id": id })).collect()
}

fn data(category: Category) -> Value {
    json!({ "@id": format!("vernport:category:{category}") })
}

/// The nearest concept of DPV's extension for personal data.
const fn broader(category: Category) -> &'static str {
    match category {
        Category::Odometer | Category::BodyFunction | Category::DrivingBehaviour => "pd:VehicleUsage",
        Category::ComponentStatus | Category::ServiceHistory => "pd:Vehicle",
        Category::Location => "pd:Location",
        Category::Identifier => "pd:VehicleLicense",
        Category::DriverIdentity => "pd:Identifying",
        Category::Contact => "pd:Contact",
        Category::Employment => "pd:Professional",
        Category::Credential => "pd:Username",
        Category::Preference => "pd:Preference",
        Category::Order => "pd:Purchase",
        Category::Invoice => "pd:Transactional",
        Category::Technical => "pd:DeviceBased",
        Category::Usage => "pd:ServiceConsumptionBehaviour",
        Category::IdentityDocument => "pd:Passport",
        Category::Enquiry => "pd:Communication",
    }
}

const fn tool(tool: TransferTool) -> &'static str {
    match tool {
        TransferTool::Adequacy => "eu-gdpr:A45-3",
        TransferTool::StandardClauses => "eu-gdpr:A46-2-c",
        TransferTool::BindingRules => "eu-gdpr:A46-2-b",
        TransferTool::Certification => "eu-gdpr:A46-2-f",
    }
}

const fn gdpr_right(right: Right) -> &'static str {
    match right {
        Right::Access => "eu-gdpr:A15",
        Right::Portability => "eu-gdpr:A20",
        Right::Rectification => "eu-gdpr:A16",
        Right::Erasure => "eu-gdpr:A17",
        Right::Restriction => "eu-gdpr:A18",
        Right::Objection => "eu-gdpr:A21",
        Right::Withdrawal => "eu-gdpr:A7-3",
    }
}

fn place(region: &str) -> Value {
    json!({ "@id": format!("loc:{region}") })
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The day of a time, in UTC.
fn day(at: UtcMicros) -> String {
    jiff::Timestamp::from_microsecond(at.0)
        .map_or_else(|_| "..".into(), |at| at.strftime("%Y-%m-%d").to_string())
}
