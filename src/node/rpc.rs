//! Requests of this node to others, from the first send to the reply or to giving up.

pub(super) mod in_flight;
