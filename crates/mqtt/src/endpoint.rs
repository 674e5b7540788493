//! A broker to connect to, and how to be known there.

use rumqttc::TlsConfiguration;
use std::{fmt, net::IpAddr, sync::Arc, time::Duration};
use thiserror::Error;
use zeroize::Zeroizing;

/// Which version of MQTT is spoken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Protocol {
    /// MQTT 5: with expiry, and reasons in acknowledgements.
    #[default]
    V5,
    /// MQTT 3.1.1, for brokers that have nothing newer.
    V311,
}

/// A broker to connect to. `Debug` hides the password.
#[derive(Clone)]
pub struct Endpoint {
    /// Host name or IPv4 address; with TLS, the name in its certificate.
    pub host: String,
    /// TCP port.
    pub port: u16,
    /// TLS, with a client certificate where the broker wants one.
    pub tls: Option<Arc<rustls::ClientConfig>>,
    /// The same at each connection; unique at the broker.
    pub client_id: String,
    /// User name and password.
    pub login: Option<(String, Arc<Zeroizing<String>>)>,
    /// Version of MQTT.
    pub protocol: Protocol,
    /// Longest silence; at least 5 s.
    pub keep_alive: Duration,
}

/// Why a text is not the address of a broker.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum UrlError {
    /// Not `mqtt://` or `mqtts://`.
    #[error("a broker is written mqtt://<host>[:<port>] or mqtts://<host>[:<port>]")]
    Form,
    /// `mqtts://` without certificates, or certificates with `mqtt://`.
    #[error("mqtts:// needs a ca, and a ca needs mqtts://")]
    Tls,
    /// `mqtt://` to another machine: whoever listens in between reads it all, the password first.
    #[error("mqtt:// is for a broker on this machine: write mqtts:// with ca, certificate and key")]
    Plain,
    /// An empty client id.
    #[error("a client id is needed, the same at each connection")]
    ClientId,
}

impl Endpoint {
    /// Reads `mqtt://<host>[:1883]` or `mqtts://<host>[:8883]`; `tls` is for the second and only for it. The host
    /// of the first is `localhost` or a loopback address.
    ///
    /// # Errors
    /// [`UrlError`] says what to write.
    pub fn from_url(
        url: &str,
        client_id: &str,
        tls: Option<Arc<rustls::ClientConfig>>,
    ) -> Result<Self, UrlError> {
        let (rest, secure, port) = match url.split_once("://") {
            Some(("mqtt", rest)) => (rest, false, 1883),
            Some(("mqtts", rest)) => (rest, true, 8883),
            _ => return Err(UrlError::Form),
        };
        if client_id.is_empty() {
            return Err(UrlError::ClientId);
        }
        if secure != tls.is_some() {
            return Err(UrlError::Tls);
        }
        let rest = rest.strip_suffix('/').unwrap_or(rest);
        let (host, port) = match rest.split_once(':') {
            Some((host, port)) => (host, port.parse().map_err(|_| UrlError::Form)?),
            None => (rest, port),
        };
        let is_name = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_');
        if host.is_empty() || !host.bytes().all(is_name) {
            return Err(UrlError::Form);
        }
        // Not by how it begins: 127.example.net is a name as any other.
        let is_here = host == "localhost" || host.parse().is_ok_and(|address: IpAddr| address.is_loopback());
        if tls.is_none() && !is_here {
            return Err(UrlError::Plain);
        }
        Ok(Self {
            host: host.to_owned(),
            port,
            tls,
            client_id: client_id.to_owned(),
            login: None,
            protocol: Protocol::default(),
            keep_alive: Duration::from_secs(30),
        })
    }

    /// The same, with user name and password.
    #[must_use]
    pub fn with_login(mut self, user: &str, password: Zeroizing<String>) -> Self {
        self.login = Some((user.to_owned(), Arc::new(password)));
        self
    }

    pub(crate) fn transport(&self) -> rumqttc::Transport {
        match &self.tls {
            None => rumqttc::Transport::tcp(),
            Some(tls) => rumqttc::Transport::tls_with_config(TlsConfiguration::Rustls(tls.clone())),
        }
    }

    pub(crate) fn keep_alive(&self) -> Duration {
        self.keep_alive.max(Duration::from_secs(5))
    }
}

impl fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Endpoint")
            .field("host", &self.host)
            .field("port", &self.port)
            .field("tls", &self.tls.is_some())
            .field("client_id", &self.client_id)
            .field("login", &self.login.as_ref().map(|(user, _)| user))
            .field("protocol", &self.protocol)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_are_read_and_their_mistakes_named() {
        let read = |url| Endpoint::from_url(url, "box-1", None).map(|e| (e.host, e.port));
        assert_eq!(read("mqtt://127.0.0.1:1884"), Ok(("127.0.0.1".into(), 1884)));
        assert_eq!(read("mqtt://localhost/"), Ok(("localhost".into(), 1883)));
        for bad in
            ["fleet:1883", "http://x", "mqtt://", "mqtt://x:y", "mqtt://a b", "mqtt://u:p@h", "mqtt://x/y"]
        {
            assert_eq!(read(bad), Err(UrlError::Form), "{bad}");
        }
        assert_eq!(read("mqtts://x"), Err(UrlError::Tls));
        assert_eq!(Endpoint::from_url("mqtt://localhost", "", None).err(), Some(UrlError::ClientId));
    }

    #[test]
    fn nothing_goes_to_another_machine_in_the_clear() {
        let read = |host: &str| Endpoint::from_url(&format!("mqtt://{host}"), "box-1", None).err();
        for here in ["localhost", "127.0.0.1", "127.9.9.9:1884"] {
            assert_eq!(read(here), None, "{here}");
        }
        for elsewhere in [
            "fleet.example.net",
            "127.example.net",
            "127.0.0.1.example.net",
            "localhost.example.net",
            "10.0.0.7",
        ] {
            assert_eq!(read(elsewhere), Some(UrlError::Plain), "{elsewhere}");
        }
    }

    #[test]
    fn a_password_is_not_shown() {
        let endpoint = Endpoint::from_url("mqtt://localhost", "box-1", None).expect("valid");
        let endpoint = endpoint.with_login("box-1", Zeroizing::new("hunter2".into()));
        assert!(!format!("{endpoint:?}").contains("hunter2"));
    }
}
