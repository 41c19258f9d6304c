//! The candidates of a lookup, in the order of their distance from the target.
//!
//! Each reply has twenty searches among some sixty candidates, by name and by address. A
//! candidate takes more than two cache lines. So each has a mark too, in a list that is searched
//! in its place: the first bits of its distance, a digest of its IP and its port.

use alloc::vec::Vec;
use core::net::{IpAddr, SocketAddr};
use core::ops::{Deref, DerefMut};

use super::{Candidate, Contact, Id};

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
        let distance = (contact.id ^ target).first_bits();
        let start = self.marks.partition_point(|mark| mark.distance < distance);
        let similar = self.marks[start..].iter().take_while(|mark| mark.distance == distance);
        let count = similar.count();
        let found = self.all[start..][..count].iter().position(|other| other.contact == contact);
        found.map(|index| start + index)
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
