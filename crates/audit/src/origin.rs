//! Which log: who keeps it, and the random name that it was given when it was begun.
//! Text of a checkpoint's first line, and names of witnesses.

use std::fmt;
use vernport_types::{ControllerId, Slug};

/// Who keeps a log. Its text is the name under which it cosigns the logs of others.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Keeper {
    /// A gateway.
    Gateway {
        /// Whom it works for.
        controller: ControllerId,
        /// Its name.
        gateway: Slug,
    },
    /// Central, one log a controller.
    Central {
        /// Whose.
        controller: ControllerId,
    },
}

impl Keeper {
    /// The origin line of its log of this random name. A log that was begun anew has another one, so that it is not
    /// taken for the old one set back.
    pub fn origin(&self, name: [u8; 8]) -> String {
        format!("{self}/{}", hex::encode(name))
    }

    /// Whether an origin line is that of one of its logs.
    pub fn keeps(&self, origin: &str) -> bool {
        let name = origin.strip_prefix(&self.to_string()).and_then(|rest| rest.strip_prefix('/'));
        let plain = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
        name.is_some_and(|name| name.len() == 16 && name.bytes().all(plain))
    }
}

impl fmt::Display for Keeper {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Gateway { controller, gateway } => write!(f, "vernport/gateway/{controller}/{gateway}"),
            Self::Central { controller } => write!(f, "vernport/central/{controller}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_is_known_by_its_keeper_and_its_name_only() {
        let controller: ControllerId = "NO-977195306".parse().expect("a controller");
        let gateway = |name: &str| Keeper::Gateway {
            controller: controller.clone(),
            gateway: name.parse().expect("a slug"),
        };
        let bay = gateway("bay-1");
        let origin = bay.origin([0xAB; 8]);
        assert_eq!(origin, "vernport/gateway/NO-977195306/bay-1/abababababababab");
        assert!(bay.keeps(&origin));
        let central = Keeper::Central { controller: controller.clone() };
        assert_eq!(central.origin([1; 8]), "vernport/central/NO-977195306/0101010101010101");
        for other in [gateway("bay"), gateway("bay-2"), central] {
            assert!(!other.keeps(&origin), "{other}");
        }
        for text in ["", "vernport/gateway/NO-977195306/bay-1", &origin[..51], &origin.to_uppercase()] {
            assert!(!bay.keeps(text), "{text}");
        }
    }
}
