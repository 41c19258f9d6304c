//! The candidates of a lookup, in the order of their distance from the target.
//!
//! Each reply has twenty searches among some sixty candidates, by name and by address. A
//! candidate takes more than two cache lines. So each has a mark too, in a list that is searched
//! in its place: the first bits of its distance, a digest of its IP and its port.

use alloc::vec::Vec;
use core::net::{IpAddr, SocketAddr};
use core::ops::{Deref, DerefMut};

use super::{Candidate, Contact, Id};

/// For how many there is room at first: most lookups among thousands of nodes hear of no more.
const ROOM: usize = 64;
/// How many marks are looked at one after another before all are searched by halves.
const NEAR: usize = 8;

#[derive(Clone, Debug)]
pub(in crate::node::query) struct Candidates {
    all: Vec<Candidate>,
    /// That of each.
    marks: Vec<Mark>,
}

#[derive(Clone, Copy, Debug)]
struct Mark {
    distance: u64,
    ip: u32,
    port: u16,
}

impl Mark {
    fn of(candidate: &Candidate) -> Self {
        let Candidate { distance, contact, .. } = candidate;
        let (ip, port) = (digest(contact.addr.ip()), contact.addr.port());
        Self { distance: distance.first_bits(), ip, port }
    }
}

/// Equal for equal addresses.
fn digest(ip: IpAddr) -> u32 {
    match ip {
        IpAddr::V4(ip) => ip.to_bits(),
        IpAddr::V6(ip) => {
            let bits = ip.to_bits();
            let folded = (bits >> 64) as u64 ^ bits as u64;
            (folded >> 32) as u32 ^ folded as u32
        }
    }
}

impl Candidates {
    pub(in crate::node::query) const fn new() -> Self {
        Self { all: Vec::new(), marks: Vec::new() }
    }

    /// The index of a candidate for `target`.
    pub(super) fn position(&self, target: Id, contact: Contact) -> Option<usize> {
        self.position_from(0, target, contact).ok()
    }

    /// The same, for a contact that is looked for after the one that is, or would be, at `from`:
    /// a reply names its contacts in the order of their distance mostly, so that it is there or
    /// a little farther on. Where it is no candidate, where it would be.
    pub(super) fn position_from(
        &self,
        from: usize,
        target: Id,
        contact: Contact,
    ) -> Result<usize, usize> {
        let distance = (contact.id ^ target).first_bits();
        let start = self.first_from(from, distance);
        let similar = self.marks[start..].iter().take_while(|mark| mark.distance == distance);
        let count = similar.count();
        let found = self.all[start..][..count].iter().position(|other| other.contact == contact);
        found.map_or(Err(start), |index| Ok(start + index))
    }

    /// The first that is as far as this, or farther.
    fn first_from(&self, from: usize, distance: u64) -> usize {
        let is_closer = |mark: &Mark| mark.distance < distance;
        if from > 0 && self.marks.get(from - 1).is_some_and(is_closer) {
            let near = self.marks[from..].iter().take(NEAR);
            let closer = near.take_while(|mark| is_closer(mark)).count();
            if closer < NEAR {
                return from + closer;
            }
        }
        self.marks.partition_point(is_closer)
    }

    /// Those that are said to be at `addr`.
    pub(super) fn at(&self, addr: SocketAddr) -> impl Iterator<Item = &Candidate> {
        let (ip, port) = (digest(addr.ip()), addr.port());
        let similar = self.similar(move |mark| mark.ip == ip && mark.port == port);
        similar.filter(move |other| other.contact.addr == addr)
    }

    /// Those that are said to be at `ip`, at any port.
    pub(super) fn at_ip(&self, ip: IpAddr) -> impl Iterator<Item = &Candidate> {
        let digest = digest(ip);
        let similar = self.similar(move |mark| mark.ip == digest);
        similar.filter(move |other| other.contact.addr.ip() == ip)
    }

    fn similar(&self, is_similar: impl Fn(&Mark) -> bool) -> impl Iterator<Item = &Candidate> {
        let marked = self.marks.iter().zip(&self.all);
        marked.filter(move |(mark, _)| is_similar(mark)).map(|(_, candidate)| candidate)
    }

    pub(super) fn insert(&mut self, candidate: Candidate) {
        if self.all.is_empty() {
            self.all.reserve_exact(ROOM);
            self.marks.reserve_exact(ROOM);
        }
        let mark = Mark::of(&candidate);
        let start = self.marks.partition_point(|other| other.distance < mark.distance);
        let similar = self.marks[start..].iter().zip(&self.all[start..]);
        let closer = similar.take_while(|(other, candidate_of)| {
            other.distance == mark.distance && candidate_of.distance < candidate.distance
        });
        let index = start + closer.count();
        self.all.insert(index, candidate);
        self.marks.insert(index, mark);
    }

    pub(super) fn remove(&mut self, index: usize) -> Candidate {
        self.marks.remove(index);
        self.all.remove(index)
    }

    pub(super) fn retain(&mut self, is_kept: impl Fn(&Candidate) -> bool) {
        let before = self.all.len();
        self.all.retain(is_kept);
        if self.all.len() < before {
            self.marks.clear();
            self.marks.extend(self.all.iter().map(Mark::of));
        }
    }
}

impl From<Vec<Candidate>> for Candidates {
    /// Of candidates in the order of their distance.
    fn from(all: Vec<Candidate>) -> Self {
        let marks = all.iter().map(Mark::of).collect();
        Self { all, marks }
    }
}

impl Deref for Candidates {
    type Target = [Candidate];

    fn deref(&self) -> &[Candidate] {
        &self.all
    }
}

impl DerefMut for Candidates {
    /// Neither the contact of a candidate nor its distance is changed.
    fn deref_mut(&mut self) -> &mut [Candidate] {
        &mut self.all
    }
}
