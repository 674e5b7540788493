//! A whole installation inside this process: central, brokers, one gateway for
//! each controller of a set. The demo, `replay` and the whole-path tests stand on
//! it; every part is the real one and talks over real sockets.

use crate::{
    dev::{self, Dev, DevController},
    registrar::Registrar,
    shipped,
};
use anyhow::{Context as _, Result};
use std::{collections::BTreeMap, net::SocketAddr, path::Path, sync::Arc, time::Duration};
use tokio_util::sync::CancellationToken;
use vernport_api::LedgerAnswer;
use vernport_broker::{Access, Broker, Config as BrokerConfig, Identity, Login};
use vernport_canbus::VirtualBuses;
use vernport_crypto::{Zeroizing, random};
use vernport_gateway::Status;
use vernport_mqtt::{Endpoint, acl::Principal};
use vernport_policy::Rules;
use vernport_registry::Event;
use vernport_types::{Clock, ControllerId, Slug};

/// How long a state is waited for before it counts as never coming.
const PATIENCE: Duration = Duration::from_secs(60);
/// How often a state is looked at while it is waited for.
const LOOK: Duration = Duration::from_millis(10);

/// Who may log in: every principal with the one password of this stage.
struct Doorkeeper {
    password: Zeroizing<String>,
}

impl Access for Doorkeeper {
    fn authenticate(&self, login: &Login<'_>) -> Option<Identity> {
        let user = login.user?;
        let known = user.parse::<Principal>().is_ok() && login.password == Some(self.password.as_str());
        known.then(|| Identity::new(user))
    }

    fn may_publish(&self, who: &Identity, topic: &str) -> bool {
        who.name().parse::<Principal>().is_ok_and(|principal| principal.may_publish(topic))
    }

    fn may_retain(&self, who: &Identity, topic: &str) -> bool {
        who.name().parse::<Principal>().is_ok_and(|principal| principal.may_retain(topic))
    }

    fn may_subscribe(&self, who: &Identity, filter: &str) -> bool {
        who.name().parse::<Principal>().is_ok_and(|principal| principal.may_subscribe(filter))
    }
}

/// The brokers of a stage: one for the fleet's operators, one at each station for its tools.
pub struct Brokers {
    fleet: Broker,
    tools: BTreeMap<Slug, Broker>,
    password: Zeroizing<String>,
}

impl Brokers {
    async fn start(names: &[Slug]) -> Result<Self> {
        let password = Zeroizing::new(hex::encode(random::<16>()));
        let door = || Arc::new(Doorkeeper { password: password.clone() });
        let fleet = Broker::start(BrokerConfig::loopback(door())).await?;
        let mut tools = BTreeMap::new();
        for name in names {
            tools.insert(name.clone(), Broker::start(BrokerConfig::loopback(door())).await?);
        }
        Ok(Self { fleet, tools, password })
    }

    /// Where an operator subscribes.
    ///
    /// # Errors
    /// Never for an address of ours.
    pub fn operator(&self, operator: &Slug) -> Result<Endpoint> {
        self.login(&format!("mqtt://{}", self.fleet.addr()), &Principal::Operator(operator.clone()))
    }

    /// Where a tool publishes at a controller's station.
    ///
    /// # Errors
    /// If the stage has no such controller.
    pub fn tool(&self, controller: &Slug, principal: &Principal) -> Result<Endpoint> {
        let broker = self.tools.get(controller).context("no such controller on this stage")?;
        self.login(&format!("mqtt://{}", broker.addr()), principal)
    }

    /// Where central speaks with the operators of a controller.
    fn central(&self, controller: &ControllerId) -> Result<Endpoint> {
        let mut endpoint = self.login(&format!("mqtt://{}", self.fleet.addr()), &Principal::Central)?;
        endpoint.client_id = format!("central.{}", controller.as_str().to_ascii_lowercase());
        Ok(endpoint)
    }

    fn login(&self, url: &str, principal: &Principal) -> Result<Endpoint> {
        let endpoint = Endpoint::from_url(url, &principal.to_string(), None)?;
        Ok(endpoint.with_login(&principal.to_string(), self.password.clone()))
    }

    /// The sections of a gateway's configuration that lead to these brokers.
    fn sections(&self, name: &Slug, gateway: &str, region: &str) -> String {
        let section = |title, broker: &Broker| {
            let addr = broker.addr();
            format!(
                "\n[{title}]\nurl = \"mqtt://{addr}\"\nuser = \"{gateway}\"\npassword_file = \"keys/broker.password\"\n"
            )
        };
        section("fleet", &self.fleet)
            + region
            + &self.tools.get(name).map(|broker| section("tools", broker)).unwrap_or_default()
    }

    async fn stop(self) {
        self.fleet.stop().await;
        for broker in self.tools.into_values() {
            broker.stop().await;
        }
    }
}

/// How a stage is set up.
pub struct Setting {
    /// Bundles by name: name and text.
    pub bundles: Vec<(String, String)>,
    /// Source of each gateway's bus, `{name}` standing for the controller's name.
    pub bus: String,
    /// Whether frames of a log bear the log's time.
    pub file_time: bool,
    /// What tells the time, for all parts.
    pub clock: Arc<dyn Clock>,
    /// Whether there are brokers.
    pub brokers: bool,
}

/// The installation. Parts that were started run until [`Stage::stop`].
pub struct Stage {
    /// The set of certificates, keys and configurations.
    pub dev: Dev,
    /// What tells the time, for all parts.
    pub clock: Arc<dyn Clock>,
    /// The virtual buses.
    pub buses: VirtualBuses,
    /// The brokers, where the setting has them.
    pub brokers: Option<Brokers>,
    central: Option<(vernport_central::Running, CancellationToken)>,
    /// Where central listened first: there it is found again.
    central_addr: Option<SocketAddr>,
    gateways: BTreeMap<Slug, vernport_gateway::Running>,
}

impl Stage {
    /// Makes the set in `dir`, starts brokers and central. Gateways are started one by one.
    ///
    /// # Errors
    /// If a bundle is broken or a part does not start.
    pub async fn set_up(dir: &Path, setting: Setting) -> Result<Self> {
        let names: Vec<Slug> = setting
            .bundles
            .iter()
            .map(|(name, _)| name.parse().with_context(|| format!("'{name}' cannot name a controller")))
            .collect::<Result<_>>()?;
        let brokers = if setting.brokers { Some(Brokers::start(&names).await?) } else { None };
        let mut gateway_extra = BTreeMap::new();
        if let Some(brokers) = &brokers {
            let catalogue = shipped::catalogue();
            for (name, (_, text)) in names.iter().zip(&setting.bundles) {
                let bundle = shipped::load(&format!("{name}/bundle.toml"), text)?;
                let region = dev::region(&Rules::compile(&bundle, &catalogue)?);
                let gateway = Principal::Gateway { gateway: dev::gateway_name(name)?, site: dev::site()? };
                let batch = "\n[batch]\nmax_wait_ms = 100\n";
                let sections = brokers.sections(name, &gateway.to_string(), &region);
                gateway_extra.insert(name.to_string(), sections + batch);
            }
        }
        let options = dev::Options {
            central_port: 0,
            bundles: setting.bundles,
            bus: setting.bus,
            file_time: setting.file_time,
            gateway_extra,
        };
        let dev = dev::make(dir, &options)?;
        if let Some(brokers) = &brokers {
            for controller in &dev.controller {
                dev::write_private(&dev.folder(controller).join("keys/broker.password"), &brokers.password)?;
            }
        }
        let mut stage = Self {
            dev,
            clock: setting.clock,
            buses: VirtualBuses::default(),
            brokers,
            central: None,
            central_addr: None,
            gateways: BTreeMap::new(),
        };
        stage.start_central().await?;
        Ok(stage)
    }

    /// Starts central on a free port and tells the gateways' configurations; again,
    /// on the port that it had.
    ///
    /// # Errors
    /// If it does not start.
    pub async fn start_central(&mut self) -> Result<()> {
        let mut config = vernport_central::Config::read(&self.dev.central_config())?;
        if let Some(before) = self.central_addr {
            config.listen.address = before;
        }
        let mut deps = vernport_central::Deps::load(&config)?;
        deps.clock = Arc::clone(&self.clock);
        if let Some(brokers) = &self.brokers {
            for controller in &mut deps.controllers {
                controller.fleet = Some(brokers.central(controller.rules.controller())?);
            }
        }
        let stop = CancellationToken::new();
        let running = vernport_central::run(config.listen, &config.store, deps, stop.clone()).await?;
        if self.central_addr.replace(running.addr).is_none() {
            self.dev.set_central_url(&format!("https://{}", running.addr))?;
        }
        self.central = Some((running, stop));
        Ok(())
    }

    /// Central.
    ///
    /// # Errors
    /// If it was stopped.
    pub fn central(&self) -> Result<&vernport_central::Running> {
        self.central.as_ref().map(|(running, _)| running).context("central is stopped")
    }

    /// Where central is asked how it stands.
    pub fn central_status(&self) -> Option<&vernport_status::Address> {
        self.central.as_ref()?.0.status_at.as_ref()
    }

    /// Stops central: the line is down for everybody until it is started again.
    pub async fn stop_central(&mut self) {
        if let Some((running, stop)) = self.central.take() {
            stop.cancel();
            running.stopped().await;
        }
    }

    /// Starts the gateway of a controller.
    ///
    /// # Errors
    /// If it does not start.
    pub async fn start_gateway(&mut self, controller: &DevController) -> Result<()> {
        let config = vernport_gateway::Config::load(&self.dev.gateway_config(controller))?;
        let deps = vernport_gateway::Deps { clock: Arc::clone(&self.clock), buses: self.buses.clone() };
        let running = vernport_gateway::run(&config, deps, CancellationToken::new()).await?;
        self.gateways.insert(controller.name.clone(), running);
        Ok(())
    }

    /// Stops the gateway of a controller: what it read is queued first.
    pub async fn stop_gateway(&mut self, controller: &DevController) {
        if let Some(running) = self.gateways.remove(&controller.name) {
            running.stop().await;
        }
    }

    /// The gateway of a controller.
    ///
    /// # Errors
    /// If it was not started.
    pub fn gateway(&self, controller: &DevController) -> Result<&vernport_gateway::Running> {
        self.gateways
            .get(&controller.name)
            .with_context(|| format!("the gateway of {} is not running", controller.name))
    }

    /// The controller's own system at the counter.
    ///
    /// # Errors
    /// If a file of the set cannot be used.
    pub fn registrar(&self, controller: &DevController) -> Result<Registrar> {
        Registrar::new(&self.dev, controller, Arc::clone(&self.clock))
    }

    /// Waits until a gateway is in a state.
    ///
    /// # Errors
    /// If it does not come within a minute; says which state.
    pub async fn wait_for(
        &self,
        controller: &DevController,
        state: &str,
        is: impl Fn(&Status) -> bool,
    ) -> Result<Status> {
        let gateway = self.gateway(controller)?;
        let until = tokio::time::Instant::now() + PATIENCE;
        loop {
            let status = gateway.status().await?;
            if is(&status) {
                return Ok(status);
            }
            anyhow::ensure!(
                tokio::time::Instant::now() < until,
                "the gateway of {} did not reach the state '{state}' within {} s",
                controller.name,
                PATIENCE.as_secs()
            );
            tokio::time::sleep(LOOK).await;
        }
    }

    /// Records an event and waits until what follows from it is in effect at the gateway.
    ///
    /// # Errors
    /// If central refuses it, or the gateway does not hear of it within a minute.
    pub async fn say(
        &self,
        controller: &DevController,
        registrar: &Registrar,
        event: Event,
    ) -> Result<LedgerAnswer> {
        let before = self.gateway(controller)?.status().await?.head.map(|(head, _)| head);
        let result = registrar.say(event).await?;
        // Another snapshot is in effect; or two heads have come since, the second of which was asked for
        // after the answer, and the event has changed nothing here.
        let heard = |status: &Status| match (before, status.head) {
            (Some(before), Some((now, _))) => {
                now.snapshot_hash != before.snapshot_hash || now.sequence >= before.sequence + 2
            }
            (None, now) => now.is_some(),
            (Some(_), None) => false,
        };
        self.wait_for(controller, "ledger entry in effect", heard).await?;
        Ok(result)
    }

    /// Stops everything, gateways first.
    pub async fn stop(mut self) {
        for (_, running) in std::mem::take(&mut self.gateways) {
            running.stop().await;
        }
        self.stop_central().await;
        if let Some(brokers) = self.brokers.take() {
            brokers.stop().await;
        }
    }
}
