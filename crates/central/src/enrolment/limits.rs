//! How often anybody may try to enrol: in total, and from one address.

use governor::{DefaultDirectRateLimiter, DefaultKeyedRateLimiter, Quota, RateLimiter};
use std::{
    net::{IpAddr, Ipv6Addr},
    num::NonZeroU32,
};

/// Addresses that are remembered at a time. When there are more, those that are quiet again are
/// forgotten; while there still are, nobody from a new one is let in.
const MAX_ADDRESSES: usize = 4_096;

/// Attempts, bounded in time and in memory.
pub(super) struct Limits {
    total: DefaultDirectRateLimiter,
    address: DefaultKeyedRateLimiter<IpAddr>,
}

impl Limits {
    /// So many a minute in total and of one address; at least one of each.
    pub(super) fn new(total: u32, address: u32) -> Self {
        let quota = |count| Quota::per_minute(NonZeroU32::new(count).unwrap_or(NonZeroU32::MIN));
        Self { total: RateLimiter::direct(quota(total)), address: RateLimiter::keyed(quota(address)) }
    }

    /// Whether one more attempt from here is let in now.
    pub(super) fn admit(&self, from: IpAddr) -> bool {
        if self.address.len() >= MAX_ADDRESSES {
            self.address.retain_recent();
            if self.address.len() >= MAX_ADDRESSES {
                return false;
            }
        }
        // An address that asks too often takes nothing from the others.
        self.address.check_key(&network(from)).is_ok() && self.total.check().is_ok()
    }
}

/// One customer has a whole /64 of IPv6.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() & !u128::from(u64::MAX))),
        address => address,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> IpAddr {
        text.parse().expect("an address")
    }

    #[test]
    fn one_address_uses_up_its_own_share_and_all_together_theirs() {
        let limits = Limits::new(5, 2);
        let asked = ["192.0.2.1"; 4].map(|from| limits.admit(at(from)));
        assert_eq!(asked, [true, true, false, false]);
        let others = ["192.0.2.2", "192.0.2.3", "192.0.2.4", "192.0.2.5"].map(|from| limits.admit(at(from)));
        assert_eq!(others, [true, true, true, false], "five in total");
    }

    #[test]
    fn a_network_of_ipv6_is_one_address_and_a_mapped_one_is_that_of_ipv4() {
        let limits = Limits::new(100, 1);
        assert!(limits.admit(at("2001:db8::1")));
        assert!(!limits.admit(at("2001:db8::2")));
        assert!(limits.admit(at("2001:db8:0:1::1")));
        assert!(limits.admit(at("192.0.2.1")));
        assert!(!limits.admit(at("::ffff:192.0.2.1")));
    }

    #[test]
    fn addresses_without_end_are_turned_away_and_not_remembered() {
        let limits = Limits::new(u32::MAX, 1);
        for number in 0..2 * u32::try_from(MAX_ADDRESSES).expect("few") {
            limits.admit(IpAddr::V4((0x0A00_0000 + number).into()));
        }
        assert!(limits.address.len() <= MAX_ADDRESSES);
        assert!(!limits.admit(at("192.0.2.1")));
    }
}
