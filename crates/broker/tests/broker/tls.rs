//! Client certificates: who is verified is who the certificate names.

use crate::client::{Client, broker_with};
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use rumqttc::v5::mqttbytes::v5;
use rustls::{ClientConfig, RootCertStore, ServerConfig, server::WebPkiClientVerifier};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use std::{net::SocketAddr, sync::Arc};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

struct Authority {
    certificate: CertificateDer<'static>,
    issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    fn new(name: &str) -> Self {
        let mut params = CertificateParams::new(Vec::new()).expect("no names");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, name);
        let key = KeyPair::generate().expect("a key");
        let certificate = params.self_signed(&key).expect("a certificate").der().clone();
        Self { certificate, issuer: Issuer::new(params, key) }
    }

    fn issue(&self, name: &str) -> (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>) {
        let mut params = CertificateParams::new(vec!["localhost".to_owned()]).expect("a name");
        params.distinguished_name.push(DnType::CommonName, name);
        let key = KeyPair::generate().expect("a key");
        let certificate = params.signed_by(&key, &self.issuer).expect("a certificate");
        let key = PrivateKeyDer::try_from(key.serialize_der()).expect("PKCS 8");
        (vec![certificate.der().clone()], key)
    }

    fn roots(&self) -> Arc<RootCertStore> {
        let mut roots = RootCertStore::empty();
        roots.add(self.certificate.clone()).expect("our own");
        Arc::new(roots)
    }
}

fn server(authority: &Authority) -> Arc<ServerConfig> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let verifier = WebPkiClientVerifier::builder_with_provider(authority.roots(), provider.clone())
        .build()
        .expect("roots");
    let (chain, key) = authority.issue("broker");
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("ring has them")
        .with_client_cert_verifier(verifier)
        .with_single_cert(chain, key)
        .expect("a matching key");
    Arc::new(config)
}

/// Connects with a certificate of `issuer`, if there is one, and says what came of it.
async fn try_as(
    addr: SocketAddr,
    trusted: &Authority,
    certificate: Option<(&Authority, &str)>,
) -> Option<v5::ConnectReturnCode> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("ring has them")
        .with_root_certificates(trusted.roots());
    let config = match certificate {
        Some((issuer, name)) => {
            let (chain, key) = issuer.issue(name);
            builder.with_client_auth_cert(chain, key).expect("a matching key")
        }
        None => builder.with_no_client_auth(),
    };
    let stream = TcpStream::connect(addr).await.expect("the broker listens");
    let name = ServerName::try_from("localhost").expect("a name");
    let stream = TlsConnector::from(Arc::new(config)).connect(name, stream).await.ok()?;
    let mut client = Client::over(stream);
    // With TLS 1.3 a refused certificate shows at the first read.
    let mut connect = bytes::BytesMut::new();
    let packet = v5::Connect { keep_alive: 60, client_id: "c".into(), clean_start: true, properties: None };
    v5::Packet::Connect(packet, None, None).write(&mut connect, None).expect("valid");
    client.write(&connect).await;
    match client.next().await? {
        v5::Packet::ConnAck(ack) => {
            client.publish(1, "tool-1/x", "own").await;
            assert_eq!(client.acked(1).await, v5::PubAckReason::Success);
            client.publish(2, "tool-2/x", "posing").await;
            assert_eq!(client.acked(2).await, v5::PubAckReason::NotAuthorized);
            Some(ack.code)
        }
        other => panic!("unexpected {other:?}"),
    }
}

#[tokio::test]
async fn the_certificate_names_the_client_and_no_other_certificate_will_do() {
    let (ours, theirs) = (Authority::new("ours"), Authority::new("theirs"));
    let broker = broker_with(|c| c.tls = Some(server(&ours))).await;
    let good = try_as(broker.addr(), &ours, Some((&ours, "tool-1"))).await;
    assert_eq!(good, Some(v5::ConnectReturnCode::Success));
    assert_eq!(try_as(broker.addr(), &ours, Some((&theirs, "tool-1"))).await, None);
    assert_eq!(try_as(broker.addr(), &ours, None).await, None);
    assert_eq!(broker.totals().connections, 1);
}

#[tokio::test]
async fn plain_words_on_a_tls_listener_are_not_understood() {
    let ours = Authority::new("ours");
    let broker = broker_with(|c| c.tls = Some(server(&ours))).await;
    let mut client = Client::open(broker.addr()).await;
    client.write(b"\x10\x0f\x00\x04MQTT\x05\x02\x00\x3c\x00\x00\x02id").await;
    client.hung_up().await;
    assert_eq!(broker.totals().connections, 0);
}
