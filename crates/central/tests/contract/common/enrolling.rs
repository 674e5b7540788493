//! A central that enrols gateways, boxes that come to it, and all that its store holds.

use super::{CONTROLLER, Central, World, connect, controller, signed, slug, taken};
use rcgen::{CertificateParams, KeyPair};
use reqwest::{Body, Client, Response};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject};
use serde_json::json;
use sqlx::{AssertSqlSafe, ConnectOptions as _, Connection as _, Row as _, sqlite::SqliteConnectOptions};
use std::{collections::BTreeMap, net::SocketAddr, sync::Arc, time::Duration};
use vernport_api::{
    CertificateAnswer, EnrolmentAnswer, EnrolmentRequest, InvitationAnswer, PATH_ENROLMENTS,
    PATH_INVITATIONS, PATH_RENEW, Token,
};
use vernport_central::{EnrolmentDeps, Issuer, enrolment_server_config};
use vernport_crypto::SigningKey;
use vernport_types::GrantId;

/// Where the box that is enrolled in these tests stands: with the order of [`World::visit`].
pub(crate) const BOX: &str = "bay-1-new";

/// A gateway that has drawn its keys.
pub(crate) struct NewBox {
    pub(crate) name: &'static str,
    pub(crate) device: SigningKey,
    pub(crate) tls: KeyPair,
}

impl NewBox {
    pub(crate) fn new(name: &'static str) -> Self {
        Self { name, device: SigningKey::generate(), tls: KeyPair::generate().expect("random bytes") }
    }

    pub(crate) fn csr(&self) -> Vec<u8> {
        csr(&CertificateParams::default(), &self.tls)
    }

    pub(crate) fn request(&self, token: &Token) -> EnrolmentRequest {
        self.request_with(token, self.csr())
    }

    pub(crate) fn request_with(&self, token: &Token, csr: Vec<u8>) -> EnrolmentRequest {
        EnrolmentRequest::sign(controller(CONTROLLER), slug(self.name), token.clone(), csr, &self.device)
    }
}

pub(crate) fn csr(params: &CertificateParams, key: &KeyPair) -> Vec<u8> {
    params.serialize_request(key).expect("a request").der().to_vec()
}

impl World {
    /// What it takes to enrol gateways, without a bound that a test would come near to.
    pub(crate) fn enrolment(&self) -> EnrolmentDeps {
        let server = self.ca.server();
        let own = CertificateDer::from_pem_slice(self.ca.certificate_pem().as_bytes()).expect("PEM");
        let issuer =
            Issuer::new(&own, &self.ca.key_pem(), own.clone(), 30, self.now()).expect("an authority");
        EnrolmentDeps {
            address: SocketAddr::from(([127, 0, 0, 1], 0)),
            tls: enrolment_server_config(server.chain(), server.key()).expect("fits"),
            issuer: Arc::new(issuer),
            central_url: Some("https://central.example:8443".into()),
            attempts_per_minute: (6_000, 6_000),
            connection_timeout: Duration::from_secs(10),
        }
    }

    /// Starts a central that enrols.
    pub(crate) async fn start_enrolling(self: Arc<Self>) -> Central {
        self.start_enrolling_within(|_| {}).await
    }

    pub(crate) async fn start_enrolling_within(
        self: Arc<Self>,
        bounds: impl FnOnce(&mut EnrolmentDeps),
    ) -> Central {
        let (mut deps, mut enrolment) = (self.deps(), self.enrolment());
        bounds(&mut enrolment);
        deps.enrolment = Some(enrolment);
        self.start_as(|_| {}, deps).await
    }

    /// Every row of both databases, but for what central writes by itself.
    pub(crate) async fn inspect(&self) -> BTreeMap<String, Vec<String>> {
        let mut found = BTreeMap::new();
        for url in [&self.databases.main, &self.databases.erasure] {
            let options: SqliteConnectOptions = url.parse().expect("a URL");
            let mut on = options.read_only(true).connect().await.expect("connects");
            let tables = "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite%'
                          AND name NOT IN ('duty', 'believed_clock')";
            for table in sqlx::query(tables).fetch_all(&mut on).await.expect("reads") {
                let table: String = table.get(0);
                let columns = AssertSqlSafe(format!("SELECT name FROM pragma_table_info('{table}')"));
                let columns = sqlx::query(columns).fetch_all(&mut on).await.expect("reads");
                let columns: Vec<String> =
                    columns.iter().map(|row| format!("quote({})", row.get::<String, _>(0))).collect();
                let rows = AssertSqlSafe(format!("SELECT {} FROM {table}", columns.join(" || ',' || ")));
                let rows = sqlx::query(rows).fetch_all(&mut on).await.expect("reads");
                let mut rows: Vec<String> = rows.iter().map(|row| row.get(0)).collect();
                rows.sort();
                found.insert(table, rows);
            }
            on.close().await.expect("closes");
        }
        assert!(found.len() > 10 && !found["entry"].is_empty(), "it sees what is there");
        found
    }
}

/// A central that enrols, with a visit going on.
pub(crate) async fn enrolling() -> Central {
    let central = World::new().start_enrolling().await;
    central.ledger(central.world.visit()).await;
    central
}

impl Central {
    /// Stops and starts again on the same databases, enrolling.
    pub(crate) async fn restart_enrolling(self) -> Self {
        self.stop().await.start_enrolling().await
    }

    pub(crate) fn enrolment_addr(&self) -> SocketAddr {
        self.running.as_ref().and_then(|running| running.enrolment_addr).expect("it enrols")
    }

    /// How many problem documents of a code went out.
    pub(crate) fn refusals(&self, code: vernport_api::Code) -> u64 {
        let counted = self.running.as_ref().expect("it is in this process").refusals();
        counted.get(code.code()).copied().unwrap_or(0)
    }

    /// How often somebody was turned away for a reason.
    pub(crate) fn turned_away(&self, reason: &str) -> u64 {
        let counted = self.running.as_ref().expect("it is in this process").turned_away();
        counted.get(reason).copied().unwrap_or(0)
    }

    pub(crate) async fn invite(&self, gateway: &str, replace: bool) -> Token {
        let invited: InvitationAnswer = taken(self.invite_for(gateway, 24, replace).await).await;
        invited.token
    }

    pub(crate) async fn invite_for(&self, gateway: &str, hours: u16, replace: bool) -> Response {
        let asked = json!({"gateway": gateway, "site": "oslo", "station": "bay-1", "valid_h": hours,
                           "replace": replace});
        self.post(&self.registrar(), PATH_INVITATIONS, &asked).await
    }

    pub(crate) async fn enrol(&self, request: &EnrolmentRequest) -> Response {
        self.enrol_with(serde_json::to_vec(request).expect("plain data")).await
    }

    pub(crate) async fn enrol_with(&self, body: impl Into<Body>) -> Response {
        let url = format!("https://{}{PATH_ENROLMENTS}", self.enrolment_addr());
        connect(&self.world.ca, None).post(url).body(body).send().await.expect("an answer")
    }

    /// Invites a box, enrols it, and gives its client.
    pub(crate) async fn enrolled(&self, new: &NewBox, replace: bool) -> Client {
        let token = self.invite(new.name, replace).await;
        let answer: EnrolmentAnswer = taken(self.enrol(&new.request(&token)).await).await;
        self.as_box(&new.tls, &answer.certificate)
    }

    /// A client with a certificate that was issued for a key.
    pub(crate) fn as_box(&self, key: &KeyPair, certificate: &CertificateAnswer) -> Client {
        let chain = certificate.chain.iter().map(|der| CertificateDer::from(der.0.clone())).collect();
        let key = PrivateKeyDer::from_pem_slice(key.serialize_pem().as_bytes()).expect("PEM");
        let mut roots = rustls::RootCertStore::empty();
        let ca = CertificateDer::from_pem_slice(self.world.ca.certificate_pem().as_bytes()).expect("PEM");
        roots.add(ca).expect("an authority");
        let mut tls =
            rustls::ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
                .with_safe_default_protocol_versions()
                .expect("versions")
                .with_root_certificates(roots)
                .with_client_auth_cert(chain, key)
                .expect("certificate and key fit");
        tls.alpn_protocols = vec![b"h2".to_vec()];
        Client::builder().tls_backend_preconfigured(tls).build().expect("a client")
    }

    /// Asks for the next certificate.
    pub(crate) async fn renew(&self, client: &Client, key: &KeyPair) -> Response {
        let csr = vernport_api::Blob(csr(&CertificateParams::default(), key));
        self.post(client, PATH_RENEW, &json!({ "csr": csr })).await
    }

    /// Delivers one batch that a box sealed.
    pub(crate) async fn deliver_of(&self, client: &Client, of: &NewBox, grant: GrantId) -> Response {
        let batch = self.batch_of(of, b"sealed bytes of at least a tag's length");
        self.send(client, &[(grant, &batch)]).await
    }

    /// A new batch of a box.
    pub(crate) fn batch_of(&self, of: &NewBox, body: &[u8]) -> Vec<u8> {
        let mut header = self.world.header("odometer");
        header.gateway = slug(of.name);
        let keys = [self.world.workshop.wrapping_key(), self.world.recovery.wrapping_key()];
        signed(&header, body, &keys, &of.device)
    }
}
