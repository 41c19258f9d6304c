//! Which ids fit an address.
//!
//! In a public network the first [`FIT_BITS`] bits of a node's id follow from its IP address
//! and from the last three bits of the id, so that a host chooses among [`PLACES`] places in
//! the whole space, and near no key of its choice (as in BEP 42, which fixes 21 bits). Of IPv6
//! the first 64 bits count, since one host has the rest. Private networks are exempt: there
//! any id fits.

use core::net::IpAddr;

use super::subnet::is_private;
use crate::id::Id;

/// Bits of an id that follow from the address.
const FIT_BITS: u32 = 32;
/// Places that a host may choose from.
const PLACES: u8 = 8;

/// Whether an id fits the address of its node.
pub fn id_fits(id: Id, ip: IpAddr) -> bool {
    is_exempt(ip) || first_bits(id) == of_place(ip, id.last_byte() % PLACES)
}

/// The id that fits an address, and is `id` in all other bits.
pub fn fitted_id(id: Id, ip: IpAddr) -> Id {
    if is_exempt(ip) {
        return id;
    }
    let mut bytes = id.to_bytes();
    let first = of_place(ip, id.last_byte() % PLACES);
    bytes[..FIT_BITS as usize / 8].copy_from_slice(&first.to_be_bytes());
    Id::new(bytes)
}

/// A node that is bound to all addresses does not know its own yet.
fn is_exempt(ip: IpAddr) -> bool {
    is_private(ip) || ip.is_unspecified()
}

const fn first_bits(id: Id) -> u32 {
    let [first, second, third, fourth, ..] = id.to_bytes();
    u32::from_be_bytes([first, second, third, fourth])
}

/// The first bits of the ids that fit an address in one of its places.
fn of_place(ip: IpAddr, place: u8) -> u32 {
    let host = match ip.to_canonical() {
        IpAddr::V4(ip) => u64::from(ip.to_bits()),
        IpAddr::V6(ip) => (ip.to_bits() >> 64) as u64,
    };
    (mix(mix(host).wrapping_add(place.into())) >> FIT_BITS) as u32
}

/// Spreads a number over all 64 bits (the finisher of splitmix64, by Steele, Lea and Flood).
/// It needs no secret: that a host cannot move its places is all.
const fn mix(value: u64) -> u64 {
    let value = value.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let value = (value ^ (value >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    value ^ (value >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::Rng;

    fn ip(text: &str) -> IpAddr {
        text.parse().expect("an address")
    }

    #[test]
    fn a_host_has_eight_places_wherever_it_would_be() {
        let mut rng = Rng::from_u64(1);
        for address in ["192.0.2.1", "2001:db8::1"].map(ip) {
            let mut places: alloc::vec::Vec<u32> =
                (0..1000).map(|_| first_bits(fitted_id(rng.id(), address))).collect();
            places.sort_unstable();
            places.dedup();
            assert_eq!(places.len(), usize::from(PLACES));
            for _ in 0..1000 {
                let id = rng.id();
                assert!(id_fits(fitted_id(id, address), address));
                assert!(!id_fits(id, address), "one in 2^29 does by chance");
                assert_eq!(fitted_id(id, address).to_bytes()[4..], id.to_bytes()[4..]);
            }
        }
    }

    /// What every implementation has to compute alike.
    #[test]
    fn golden_places() {
        let of = |address| fitted_id(Id::new([0; 20]), ip(address)).to_string()[..8].to_owned();
        assert_eq!(of("192.0.2.1"), GOLDEN[0]);
        assert_eq!(of("2001:db8::1"), GOLDEN[1]);
        assert_eq!(of("2001:db8::2"), GOLDEN[1], "of the same 64 bits");
        assert_eq!(of("::ffff:192.0.2.1"), GOLDEN[0], "the same in IPv6 form");
    }

    const GOLDEN: [&str; 2] = ["b87394b3", "ef130a85"];

    #[test]
    fn places_are_spread_evenly() {
        let mut counts = [0_u32; 16];
        for host in 0..16_384_u32 {
            let address = IpAddr::from((0xc000_0000 + host).to_be_bytes());
            counts[(of_place(address, 0) >> 28) as usize] += 1;
        }
        assert!(counts.iter().all(|count| (900..1150).contains(count)), "{counts:?}");
    }

    #[test]
    fn in_a_private_network_any_id_fits() {
        let id = Id::of_value(b"any");
        for address in
            ["127.0.0.1", "10.1.2.3", "192.168.0.1", "0.0.0.0", "::1", "fd00::1", "::"].map(ip)
        {
            assert!(id_fits(id, address));
            assert_eq!(fitted_id(id, address), id);
        }
    }
}
