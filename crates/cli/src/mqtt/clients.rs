//! Who uses a broker: the gateways of central's registry, the operators of the bundles, and an
//! inventory of whoever else there is.
//!
//! A gateway whose enrolment ended stays while its certificate lasts, since what waits there may still
//! be sent; one that was revoked is out.

use super::{inventory, unread};
use crate::{
    args::{KnownBy, MqttAcl, RulesFor},
    dev::{Dev, DevController},
    registrar::Registrar,
    shipped,
};
use anyhow::{Context as _, Result, ensure};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};
use vernport_api::{GatewayListed, GatewayState};
use vernport_central::Role;
use vernport_crypto::sha256;
use vernport_gateway::SystemClock;
use vernport_mqtt::acl::{Login, Principal};
use vernport_policy::Rules;
use vernport_types::{ControllerId, Slug, UtcMicros};

/// Everybody whom a broker has to know.
#[derive(Debug, Default)]
pub(super) struct Clients {
    pub(super) logins: BTreeSet<Login>,
    /// Where they were found, for the head of the file.
    pub(super) comment: Vec<String>,
}

impl Clients {
    /// Asks central, reads bundles and the inventory.
    pub(super) async fn gather(args: &MqttAcl) -> Result<Self> {
        let dev = Dev::load(&args.dev).with_context(|| unread(args.dev.display()))?;
        let mut found = Found { by: args.by, same: &args.same_operators, ..Found::default() };
        for controller in controllers(&dev, &args.controllers)? {
            let registrar = Registrar::new(&dev, controller, Arc::new(SystemClock))?;
            let listed = registrar
                .gateways()
                .await
                .with_context(|| unread(format!("the registry of {}", controller.id)))?;
            let rules = rules(&dev, controller)?;
            found.gateways(&controller.id, &listed.gateways, &rules, registrar.now())?;
            found.operators(&controller.id, &rules)?;
        }
        if let Some(file) = &args.inventory {
            let logins = inventory::read(file, |principal| usual(args.by, principal))?;
            found.comment.push(format!("inventory: {} principals", logins.len()));
            found.logins.extend(logins);
        }
        let mut clients = found.apart()?;
        clients.logins.retain(|login| wanted(login.principal(), args.broker, args.site.as_ref()));
        clients.comment.push(format!("{} clients; nobody else may anything", clients.logins.len()));
        Ok(clients)
    }
}

fn controllers<'a>(dev: &'a Dev, wanted: &[Slug]) -> Result<Vec<&'a DevController>> {
    if wanted.is_empty() {
        return Ok(dev.controller.iter().collect());
    }
    wanted.iter().map(|name| dev.controller(name)).collect()
}

fn rules(dev: &Dev, controller: &DevController) -> Result<Rules> {
    let folder = dev.folder(controller).join("bundle");
    let (file, text) = shipped::read_bundle(&folder).with_context(|| unread(folder.display()))?;
    Ok(Rules::compile(&shipped::load(&file, &text)?, &shipped::catalogue())?)
}

/// Whether a broker for these needs rules of this one.
fn wanted(who: &Principal, broker: Option<RulesFor>, at: Option<&Slug>) -> bool {
    let (of, site) = match who {
        Principal::Tool(tool) => (Some(RulesFor::Tools), Some(&tool.site)),
        Principal::Gateway { site, .. } => (None, Some(site)),
        Principal::Operator(_) | Principal::Central => (Some(RulesFor::Fleet), None),
    };
    let is_kind = broker.is_none() || of.is_none() || of == broker;
    is_kind && (at.is_none() || site.is_none() || site == at)
}

/// What is known by its own name.
fn usual(by: KnownBy, principal: Principal) -> Result<Login> {
    match by {
        KnownBy::Name => Ok(Login::by_name(principal)),
        KnownBy::Subject => Ok(Login::new(&format!("CN={principal}"), principal)?),
    }
}

/// The subject of a certificate of central's authority, as RFC 2253 writes it: the last part first.
fn subject(name: &Slug, role: Role, controller: &ControllerId) -> String {
    format!("O={controller},OU={},CN={name}", role.as_str())
}

#[derive(Default)]
struct Found<'a> {
    by: KnownBy,
    same: &'a [Slug],
    logins: Vec<Login>,
    comment: Vec<String>,
    /// Whose gateway of this name there is.
    owners: BTreeMap<Slug, ControllerId>,
    /// Whose bundle names this operator.
    named: BTreeMap<Slug, ControllerId>,
}

impl Found<'_> {
    /// The gateways that may still send, to whom the bundle publishes something.
    fn gateways(
        &mut self,
        controller: &ControllerId,
        listed: &[GatewayListed],
        rules: &Rules,
        now: UtcMicros,
    ) -> Result<()> {
        let sends = |of: &&GatewayListed| match of.state {
            GatewayState::Enrolled => true,
            GatewayState::Ended => of.certificate_until.is_some_and(|until| until > now),
            GatewayState::Revoked => false,
        };
        let published = rules.flows().iter().filter_map(|flow| Some((flow.deliver.topic.as_ref()?, flow)));
        let streams: BTreeSet<(Slug, Slug)> =
            published.map(|(topic, flow)| (topic.operator.clone(), flow.purpose.clone())).collect();
        let mut count = 0;
        for of in listed.iter().filter(sends) {
            if let Some(other) = self.owners.insert(of.gateway.clone(), controller.clone()) {
                ensure!(
                    other == *controller,
                    "{controller} and {other} both have a gateway {}: they would share a status topic. Give \
                     each controller a broker of its own, or enrol one gateway under another name",
                    of.gateway
                );
            }
            let principal = Principal::Gateway { gateway: of.gateway.clone(), site: of.site.clone() };
            let login = self.known(principal, &of.gateway, Role::Gateway, controller)?;
            self.logins.push(login.publishing(streams.clone()));
            count += 1;
        }
        self.comment.push(format!(
            "registry of {controller}: {count} of {} gateways, revision {}",
            listed.len(),
            revision(listed)
        ));
        Ok(())
    }

    /// The recipients to whose topics the bundle delivers.
    fn operators(&mut self, controller: &ControllerId, rules: &Rules) -> Result<()> {
        let topics = rules.flows().iter().filter_map(|flow| flow.deliver.topic.as_ref());
        let operators: BTreeSet<&Slug> = topics.map(|topic| &topic.operator).collect();
        for operator in &operators {
            if let Some(other) = self.named.insert((*operator).clone(), controller.clone()) {
                ensure!(
                    self.same.contains(operator),
                    "{controller} and {other} both name an operator {operator}: it would read topics of both. If \
                     that is one firm, say --same-operator {operator}; else give each controller a broker of its own"
                );
            }
            let principal = Principal::Operator((*operator).clone());
            self.logins.push(self.known(principal, operator, Role::Recipient, controller)?);
        }
        self.comment.push(format!("bundle of {controller}: {} operators", operators.len()));
        Ok(())
    }

    fn known(
        &self,
        principal: Principal,
        name: &Slug,
        role: Role,
        controller: &ControllerId,
    ) -> Result<Login> {
        Ok(match self.by {
            KnownBy::Name => Login::by_name(principal),
            KnownBy::Subject => Login::new(&subject(name, role, controller), principal)?,
        })
    }

    /// No login is of two principals.
    fn apart(self) -> Result<Clients> {
        let logins: BTreeSet<Login> = self.logins.into_iter().collect();
        let mut before: Option<&Login> = None;
        for login in &logins {
            ensure!(
                before.is_none_or(|before| before.name() != login.name()),
                "'{}' is the login of two principals, or of a gateway that a registry knows and the inventory too; \
                 give one another login, or take the gateway out of the inventory",
                login.name()
            );
            before = Some(login);
        }
        Ok(Clients { logins, comment: self.comment })
    }
}

/// Names what the registry says of its gateways: another answer has another name.
fn revision(listed: &[GatewayListed]) -> String {
    let lines = listed.iter().map(|of| {
        let until = of.certificate_until.map_or(0, |until| until.0);
        format!("{} {} {} {:?} {} {until}\n", of.gateway, of.site, of.station, of.state, of.enrolled_at.0)
    });
    hex::encode(&sha256(lines.collect::<String>().as_bytes())[..8])
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: UtcMicros = UtcMicros(1_795_132_800_000_000);

    fn listed(gateway: &str, state: GatewayState, certificate_until: Option<UtcMicros>) -> GatewayListed {
        GatewayListed {
            gateway: gateway.parse().expect("a slug"),
            site: "north".parse().expect("a slug"),
            station: "bay-1".parse().expect("a slug"),
            state,
            enrolled_at: NOW,
            certificate_until,
        }
    }

    fn controller(id: &str) -> ControllerId {
        id.parse().expect("a controller")
    }

    fn rules_of(name: &str) -> Rules {
        let (file, text) = shipped::bundle_text(name).expect("shipped");
        let bundle = shipped::load(&file, &text).expect("a bundle");
        Rules::compile(&bundle, &shipped::catalogue()).expect("rules")
    }

    fn names(found: Found<'_>) -> Vec<String> {
        found.apart().expect("apart").logins.iter().map(|login| login.name().to_owned()).collect()
    }

    #[test]
    fn a_revoked_gateway_drops_out_and_an_ended_one_stays_while_its_certificate_lasts() {
        let (before, after) = (Some(NOW), Some(NOW.plus_seconds(60)));
        let gateways = [
            listed("enrolled", GatewayState::Enrolled, None),
            listed("ended", GatewayState::Ended, after),
            listed("ended-long-ago", GatewayState::Ended, before),
            listed("ended-from-a-file", GatewayState::Ended, None),
            listed("revoked", GatewayState::Revoked, after),
        ];
        let mut found = Found { by: KnownBy::Name, ..Found::default() };
        found
            .gateways(&controller("NO-999999999"), &gateways, &rules_of("example-fleet"), NOW)
            .expect("gateways");
        assert!(found.comment[0].starts_with("registry of NO-999999999: 2 of 5 gateways, revision "));
        assert_eq!(names(found), ["gateway.ended.north", "gateway.enrolled.north"]);
        let changed = [listed("enrolled", GatewayState::Revoked, None)];
        assert_ne!(revision(&gateways[..1]), revision(&changed));
        assert_eq!(revision(&gateways), revision(&gateways));
    }

    #[test]
    fn a_subject_tells_a_gateway_from_a_recipient_of_the_same_name() {
        let mut found = Found::default();
        let (of, rules) = (controller("NO-999999999"), rules_of("example-fleet"));
        found
            .gateways(&of, &[listed("nordic-haulage", GatewayState::Enrolled, None)], &rules, NOW)
            .expect("gateways");
        found.operators(&of, &rules).expect("operators");
        assert_eq!(
            names(found),
            [
                "O=NO-999999999,OU=gateway,CN=nordic-haulage",
                "O=NO-999999999,OU=recipient,CN=eco-coach",
                "O=NO-999999999,OU=recipient,CN=nordic-haulage",
            ]
        );
    }

    #[test]
    fn names_that_two_controllers_give_are_not_taken_for_one_firm() {
        let (a, b) = (controller("NO-999999999"), controller("DK-10628334"));
        let rules = rules_of("example-fleet");
        let mut found = Found::default();
        found.operators(&a, &rules).expect("operators");
        let error = found.operators(&b, &rules).expect_err("two firms").to_string();
        assert!(error.contains("--same-operator"), "{error}");
        let same: Vec<Slug> =
            ["eco-coach", "nordic-haulage"].map(|name| name.parse().expect("a slug")).into();
        let mut found = Found { same: &same, ..Found::default() };
        found.operators(&a, &rules).and_then(|()| found.operators(&b, &rules)).expect("one firm each");
        assert_eq!(names(found).len(), 4);
        let mut found = Found::default();
        let box_1 = [listed("box-1", GatewayState::Enrolled, None)];
        found.gateways(&a, &box_1, &rules, NOW).expect("gateways");
        assert!(found.gateways(&b, &box_1, &rules, NOW).is_err());
    }

    #[test]
    fn one_login_is_one_principal() {
        let login = |name: &str| Login::new("CN=x", name.parse().expect("a principal")).expect("a login");
        let found = Found { logins: vec![login("operator.a"), login("operator.a")], ..Found::default() };
        assert_eq!(found.apart().expect("the same twice").logins.len(), 1);
        let found = Found { logins: vec![login("operator.a"), login("operator.b")], ..Found::default() };
        assert!(found.apart().is_err());
        // What the inventory says would let it write to every operator.
        let wide = login("gateway.box-1.north");
        let narrow = wide.clone().publishing(BTreeSet::new());
        let found = Found { logins: vec![narrow, wide], ..Found::default() };
        assert!(found.apart().is_err());
    }

    #[test]
    fn a_broker_gets_the_rules_of_its_clients_only() {
        let who = |name: &str| name.parse::<Principal>().expect("a principal");
        let (north, south): (Slug, Slug) =
            ("north".parse().expect("a slug"), "south".parse().expect("a slug"));
        let (tool, gateway, operator) =
            (who("tool.north.bay-1.scanner"), who("gateway.box-1.north"), who("operator.a"));
        for (broker, expected) in [
            (None, [true, true, true]),
            (Some(RulesFor::Fleet), [false, true, true]),
            (Some(RulesFor::Tools), [true, true, false]),
        ] {
            let kept = [&tool, &gateway, &operator].map(|who| wanted(who, broker, Some(&north)));
            assert_eq!(kept, expected, "{broker:?}");
        }
        assert!(!wanted(&tool, None, Some(&south)) && !wanted(&gateway, None, Some(&south)));
    }
}
