//! No secret shows itself, none can be serialised by accident, and each is wiped.

use std::fmt::Debug;
use vernport_crypto::{
    BackupKey, DataKey, ErasureKey, IdentityKey, MasterKey, OpeningKey, SigningKey, StorageKey,
};
use zeroize::ZeroizeOnDrop;

#[test]
fn no_secret_prints_its_bytes() {
    let bytes = [0xC7; 32];
    let secrets: [Box<dyn Debug>; 7] = [
        Box::new(SigningKey::from_seed(bytes)),
        Box::new(OpeningKey::from_bytes(bytes)),
        Box::new(IdentityKey::from_bytes(bytes)),
        Box::new(StorageKey::from_bytes(bytes)),
        Box::new(MasterKey::from_bytes(bytes)),
        Box::new(ErasureKey::from_bytes(bytes)),
        Box::new(BackupKey::from_bytes(bytes)),
    ];
    for secret in secrets {
        let shown = format!("{secret:?} {secret:#?}").to_lowercase();
        assert!(shown.contains("<redacted>"), "{shown}");
        assert!(!shown.contains("c7") && !shown.contains("199"), "{shown}");
    }
    assert_eq!(format!("{:?}", DataKey::generate()), "DataKey(<redacted>)");
}

/// A list that does not compile where one of them keeps its bytes.
#[test]
fn every_secret_is_wiped_when_it_is_dropped() {
    fn wiped<Secret: ZeroizeOnDrop>() {}
    for of in [
        wiped::<DataKey>,
        wiped::<SigningKey>,
        wiped::<OpeningKey>,
        wiped::<IdentityKey>,
        wiped::<StorageKey>,
        wiped::<MasterKey>,
        wiped::<ErasureKey>,
        wiped::<BackupKey>,
    ] {
        of();
    }
}

/// Gives a trait of its own to everything serialisable: were a secret among
/// them, its call would be ambiguous and this file would not compile.
trait AmbiguousIf<Marker> {
    fn is_not_serialisable() {}
}
struct Any;
struct Serialisable;
struct Displayed;
struct Copied;
impl<T: ?Sized> AmbiguousIf<Any> for T {}
impl<T: ?Sized + serde::Serialize> AmbiguousIf<Serialisable> for T {}
impl<T: ?Sized + std::fmt::Display> AmbiguousIf<Displayed> for T {}
impl<T: Clone> AmbiguousIf<Copied> for T {}

#[test]
fn no_secret_can_be_serialised_displayed_or_cloned() {
    <DataKey as AmbiguousIf<_>>::is_not_serialisable();
    <SigningKey as AmbiguousIf<_>>::is_not_serialisable();
    <OpeningKey as AmbiguousIf<_>>::is_not_serialisable();
    <IdentityKey as AmbiguousIf<_>>::is_not_serialisable();
    <StorageKey as AmbiguousIf<_>>::is_not_serialisable();
    <MasterKey as AmbiguousIf<_>>::is_not_serialisable();
    <ErasureKey as AmbiguousIf<_>>::is_not_serialisable();
    <BackupKey as AmbiguousIf<_>>::is_not_serialisable();
}
