//! Certificates of one authority, as files that foreign clients and mosquitto read.

use rcgen::{CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, Issuer, KeyPair};
use std::{
    fs,
    path::{Path, PathBuf},
};
use tempfile::TempDir;
use vernport_central::Role;
use vernport_mqtt::acl::{Login, Principal};
use vernport_testkit::pki::DevCa;
use vernport_types::Slug;

/// The controller of all tests that need none in particular.
pub(crate) const CONTROLLER: &str = "NO-999999999";

/// What a client shows.
#[derive(Debug, Clone)]
pub(crate) struct Shown {
    pub(crate) certificate: PathBuf,
    pub(crate) key: PathBuf,
}

/// An authority, a server's certificate, and clients as they are asked for.
pub(crate) struct Certificates {
    folder: TempDir,
    ca: Option<DevCa>,
}

impl Certificates {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let ca = DevCa::new();
        let write = |name: &str, text: &str| fs::write(folder.path().join(name), text).expect("written");
        write("ca.pem", &ca.certificate_pem());
        write("ca.key", &ca.key_pem());
        let server = ca.server();
        write("broker.pem", server.certificate_pem());
        write("broker.key", server.key_pem());
        Self { folder, ca: Some(ca) }
    }

    /// Those of an installation: the file of its authority, and a server's that it signed.
    pub(crate) fn of(ca: &Path, server: &Shown) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        for (from, name) in [(ca, "ca.pem"), (&server.certificate, "broker.pem"), (&server.key, "broker.key")]
        {
            fs::copy(from, folder.path().join(name)).expect("copied");
        }
        Self { folder, ca: None }
    }

    /// Puts what mosquitto reads into its folder.
    pub(crate) fn install(&self, place: &Path) {
        for name in ["ca.pem", "broker.pem", "broker.key"] {
            fs::copy(self.file(name), place.join(name)).expect("copied");
        }
    }

    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// A client that central would enrol: gateway, recipient, registrar.
    pub(crate) fn client(&self, name: &str, role: Role) -> Shown {
        let slug: Slug = name.parse().expect("a slug");
        let controller = CONTROLLER.parse().expect("a controller");
        let identity = self.ca().client(&slug, role, &controller);
        self.write(&format!("{name}.{}", role.as_str()), identity.certificate_pem(), identity.key_pem())
    }

    /// A client by its common name alone, as a firm issues them to its tools.
    pub(crate) fn named(&self, common_name: &str) -> Shown {
        let key = KeyPair::from_pem(&self.ca().key_pem()).expect("just made");
        let issuer = Issuer::from_ca_cert_pem(&self.ca().certificate_pem(), key).expect("an authority");
        let mut params = CertificateParams::new(Vec::new()).expect("no names");
        params.distinguished_name = DistinguishedName::new();
        params.distinguished_name.push(DnType::CommonName, common_name);
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        let key = KeyPair::generate().expect("random bytes");
        let certificate = params.signed_by(&key, &issuer).expect("issued");
        self.write(common_name, &certificate.pem(), &key.serialize_pem())
    }

    fn write(&self, name: &str, certificate: &str, key: &str) -> Shown {
        let shown =
            Shown { certificate: self.file(&format!("{name}.pem")), key: self.file(&format!("{name}.key")) };
        fs::write(&shown.certificate, certificate).expect("written");
        fs::write(&shown.key, key).expect("written");
        shown
    }

    fn ca(&self) -> &DevCa {
        self.ca.as_ref().expect("an authority of the test's own")
    }
}

/// A login by the name that the broker sees.
pub(crate) fn login(name: &str, principal: &str) -> Login {
    Login::new(name, principal.parse::<Principal>().expect("a principal")).expect("a login")
}
