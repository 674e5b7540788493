//! No secret shows itself, and none can be serialised by accident.

use std::fmt::Debug;
use vernport_crypto::{DataKey, ErasureKey, IdentityKey, MasterKey, OpeningKey, SigningKey, StorageKey};

#[test]
fn no_secret_prints_its_bytes() {
    let bytes = [0xC7; 32];
    let secrets: [Box<dyn Debug>; 6] = [
        Box::new(SigningKey::from_seed(bytes)),
        Box::new(OpeningKey::from_bytes(bytes)),
        Box::new(IdentityKey::from_bytes(bytes)),
        Box::new(StorageKey::from_bytes(bytes)),
        Box::new(MasterKey::from_bytes(bytes)),
        Box::new(ErasureKey::from_bytes(bytes)),
    ];
    for secret in secrets {
        let shown = format!("{secret:?} {secret:#?}").to_lowercase();
        assert!(shown.contains("<redacted>"), "{shown}");
        assert!(!shown.contains("c7") && !shown.contains("199"), "{shown}");
    }
    assert_eq!(format!("{:?}", DataKey::generate()), "DataKey(<redacted>)");
}

/// Gives a trait of its own to everything serialisable: were a secret among
/// them, its call would be ambiguous and this file would not compile.
trait AmbiguousIf<Marker> {
    fn is_not_serialisable() {}
}
struct Any;
struct Serialisable;
struct Displayed;
impl<T: ?Sized> AmbiguousIf<Any> for T {}
impl<T: ?Sized + serde::Serialize> AmbiguousIf<Serialisable> for T {}
impl<T: ?Sized + std::fmt::Display> AmbiguousIf<Displayed> for T {}

#[test]
fn no_secret_can_be_serialised_or_displayed() {
    <DataKey as AmbiguousIf<_>>::is_not_serialisable();
    <SigningKey as AmbiguousIf<_>>::is_not_serialisable();
    <OpeningKey as AmbiguousIf<_>>::is_not_serialisable();
    <IdentityKey as AmbiguousIf<_>>::is_not_serialisable();
    <StorageKey as AmbiguousIf<_>>::is_not_serialisable();
    <MasterKey as AmbiguousIf<_>>::is_not_serialisable();
    <ErasureKey as AmbiguousIf<_>>::is_not_serialisable();
}
