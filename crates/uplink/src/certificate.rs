//! What a certificate says of itself: whose it is, for which names, until when.

use crate::tls::{TlsError, certificates};
use std::path::Path;
use vernport_types::UtcMicros;
use x509_parser::prelude::{FromDer as _, GeneralName, X509Certificate};

/// The first and the last moment of a certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Validity {
    /// Before this it does not count.
    pub not_before: UtcMicros,
    /// After this it does not count.
    pub not_after: UtcMicros,
}

impl Validity {
    fn read(certificate: &X509Certificate<'_>) -> Option<Self> {
        let micros = |seconds: i64| seconds.checked_mul(1_000_000).map(UtcMicros);
        let validity = certificate.validity();
        Some(Self {
            not_before: micros(validity.not_before.timestamp())?,
            not_after: micros(validity.not_after.timestamp())?,
        })
    }

    /// When so many parts of its life are over.
    pub fn after(self, parts: i64, of: i64) -> UtcMicros {
        UtcMicros(self.not_before.0 + (self.not_after.0 - self.not_before.0) / of * parts)
    }

    /// When it is late for a gateway to have it still: four fifths of its life are over, and at two thirds it is renewed.
    pub fn late(self) -> UtcMicros {
        self.after(4, 5)
    }
}

/// The first certificate of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Certificate {
    /// Common names of its subject: one, in a certificate that central takes.
    pub common_names: Vec<String>,
    /// Organisational units.
    pub units: Vec<String>,
    /// Organisations.
    pub organisations: Vec<String>,
    /// DNS names and IP addresses that it is for, as text.
    pub names: Vec<String>,
    /// From when until when it holds.
    pub validity: Validity,
    /// How many certificates the file has.
    pub chain: usize,
}

impl Certificate {
    /// Reads the first certificate of a PEM file.
    ///
    /// # Errors
    /// [`TlsError`], with the file.
    pub fn read(path: &Path) -> Result<Self, TlsError> {
        let chain = certificates(path)?;
        let none = || TlsError::NoCertificate { path: path.into() };
        let (_, first) = X509Certificate::from_der(chain.first().ok_or_else(none)?).map_err(|_| none())?;
        let subject = first.subject();
        let texts = |attributes: Vec<&x509_parser::x509::AttributeTypeAndValue<'_>>| {
            attributes.iter().filter_map(|one| one.as_str().ok().map(str::to_owned)).collect()
        };
        let alternative = first.subject_alternative_name().ok().flatten();
        let names = alternative.iter().flat_map(|names| &names.value.general_names);
        Ok(Self {
            common_names: texts(subject.iter_common_name().collect()),
            units: texts(subject.iter_organizational_unit().collect()),
            organisations: texts(subject.iter_organization().collect()),
            names: names.filter_map(name).collect(),
            validity: Validity::read(&first).ok_or_else(none)?,
            chain: chain.len(),
        })
    }
}

fn name(name: &GeneralName<'_>) -> Option<String> {
    match name {
        GeneralName::DNSName(name) => Some((*name).to_owned()),
        GeneralName::IPAddress(bytes) => match *bytes {
            [a, b, c, d] => Some(std::net::Ipv4Addr::new(*a, *b, *c, *d).to_string()),
            bytes => Some(std::net::Ipv6Addr::from(<[u8; 16]>::try_from(bytes).ok()?).to_string()),
        },
        _ => None,
    }
}
