//! What a lookup may ask at one address, and at one IP: a liar can name any address under any
//! number of names, and any number of ports of a victim.

use core::net::{IpAddr, SocketAddr};

use super::{Candidate, Contact, Id, Lookup, State};
use crate::limits::UNANSWERED_PER_IP_MAX;

impl Lookup {
    /// Whether the address has shown which node is there, or that none is.
    pub(super) fn is_settled_at(&self, contact: Contact) -> bool {
        let is_settled = |other: &Candidate| {
            matches!(other.state, State::Answered | State::Departing | State::Failed)
        };
        self.candidates.at(contact.addr).any(is_settled)
    }

    /// Whether a candidate's address, or its IP as often as that may be, has been asked and has
    /// not answered.
    pub(super) fn owes(&self, candidate: &Candidate) -> bool {
        let addr = candidate.contact.addr;
        let owes = |other: &Candidate| other.state.owes_an_answer();
        self.candidates.at(addr).any(owes) || candidate.subnet.is_some() && self.is_full(addr.ip())
    }

    /// Whether an IP owes an answer, and is asked no more before it gives one.
    fn is_full(&self, ip: IpAddr) -> bool {
        let at_ip = || self.candidates.at_ip(ip);
        let owes = |other: &Candidate| other.state.owes_an_answer();
        let is_unanswered = |other: &&Candidate| owes(other) || other.is_silent();
        at_ip().any(owes)
            && at_ip().filter(is_unanswered).count() >= UNANSWERED_PER_IP_MAX
            && !self.has_answered(ip)
    }

    /// Whether so many requests to an IP have come to nothing that there is no node, as far as
    /// this lookup goes.
    pub(super) fn is_silent(&self, ip: IpAddr) -> bool {
        let is_silent = |other: &Candidate| other.is_silent() || self.is_given_up(other);
        let silent = self.candidates.at_ip(ip).filter(|&other| is_silent(other));
        silent.count() >= UNANSWERED_PER_IP_MAX && !self.has_answered(ip)
    }

    fn has_answered(&self, ip: IpAddr) -> bool {
        self.candidates.at_ip(ip).any(|other| other.state.has_answered())
    }

    /// Drops what has not been asked yet at the IP of a candidate that is silent, where that
    /// counts and is silent altogether.
    pub(super) fn forget_silent(&mut self, candidate: &Candidate) {
        let ip = candidate.contact.addr.ip();
        if candidate.subnet.is_some() && self.is_silent(ip) {
            let is_dropped = |other: &Candidate| {
                other.state == State::New && !other.is_retry() && other.contact.addr.ip() == ip
            };
            self.candidates.retain(|other| !is_dropped(other));
        }
    }

    /// Drops those that have not been asked yet and are said to be at `addr`.
    pub(in crate::node::query) fn forget_at(&mut self, addr: SocketAddr) {
        self.candidates.retain(|other| other.state != State::New || other.contact.addr != addr);
    }

    /// Drops those that have not been asked yet and are said to be at the contact's
    /// address, but for the one called `name`.
    pub(super) fn forget_others_at(&mut self, contact: Contact, name: Id) {
        let is_other = |other: &Candidate| {
            other.state == State::New
                && other.contact.addr == contact.addr
                && other.contact.id != name
        };
        if !self.candidates.at(contact.addr).any(is_other) {
            return;
        }
        // A candidate that was asked before stays, so as not to be asked anew.
        for other in self.candidates.iter_mut().filter(|other| other.is_retry()) {
            if is_other(other) {
                other.state = State::Misnamed;
            }
        }
        self.candidates.retain(|other| !is_other(other));
    }
}
