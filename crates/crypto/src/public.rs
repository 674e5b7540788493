//! Public byte strings of fixed length: hexadecimal in text, raw bytes in postcard.

/// Makes a public newtype over `$len` bytes; `$repr` is what serde writes for them.
///
/// Written as lower-case hexadecimal where the format is for people, else as
/// the bytes themselves without a length.
macro_rules! public_bytes {
    ($(#[$doc:meta])* $name:ident, $len:literal, $repr:ty) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name([u8; $len]);

        impl $name {
            /// Takes the bytes as they are.
            pub const fn from_bytes(bytes: [u8; $len]) -> Self {
                Self(bytes)
            }

            /// The bytes.
            pub const fn as_bytes(&self) -> &[u8; $len] {
                &self.0
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(&hex::encode(self.0))
            }
        }

        impl std::fmt::Debug for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self)
            }
        }

        impl std::str::FromStr for $name {
            type Err = vernport_types::IdError;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                let mut bytes = [0; $len];
                hex::decode_to_slice(text, &mut bytes)
                    .map_err(|_| vernport_types::IdError::Hex { digits: 2 * $len })?;
                Ok(Self(bytes))
            }
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                if serializer.is_human_readable() {
                    serializer.collect_str(self)
                } else {
                    <$repr>::from(*self).serialize(serializer)
                }
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                if deserializer.is_human_readable() {
                    let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
                    text.parse().map_err(serde::de::Error::custom)
                } else {
                    <$repr>::deserialize(deserializer).map(Self::from)
                }
            }
        }
    };
}

/// The 32-byte kind; serde handles arrays of that length itself.
macro_rules! public_32 {
    ($(#[$doc:meta])* $name:ident) => {
        $crate::public::public_bytes!($(#[$doc])* $name, 32, [u8; 32]);

        impl From<$name> for [u8; 32] {
            fn from(bytes: $name) -> Self {
                bytes.0
            }
        }

        impl From<[u8; 32]> for $name {
            fn from(bytes: [u8; 32]) -> Self {
                Self(bytes)
            }
        }
    };
}

pub(crate) use {public_32, public_bytes};
