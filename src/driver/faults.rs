//! Faults of a network that may change while its nodes run: loss, and a cut in two. For nodes
//! of one process over loopback, where a port names a node.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use crate::quantity::Percent;

/// The faults that all nodes with a clone of it share. The threads of shards read it, and no
/// order among its changes matters to them.
#[derive(Clone, Debug)]
pub struct Faults(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    loss_parts: AtomicU64,
    is_cut: AtomicBool,
    /// Of each port, whether it is on the far side of the cut.
    far: Box<[AtomicBool]>,
}

impl Faults {
    /// A network that loses each datagram with the chance `loss`, each way.
    pub fn new(loss: Percent) -> Self {
        let far = (0..=u16::MAX).map(|_| AtomicBool::new(false)).collect();
        let (loss_parts, is_cut) = (AtomicU64::new(loss.parts()), AtomicBool::new(false));
        Self(Arc::new(Shared { loss_parts, is_cut, far }))
    }

    /// Sets the chance with which each datagram is lost, each way.
    pub fn set_loss(&self, loss: Percent) {
        self.0.loss_parts.store(loss.parts(), Ordering::Relaxed);
    }

    /// Loses all that goes between the nodes at `ports` and all others.
    pub fn cut(&self, ports: impl IntoIterator<Item = u16>) {
        for far in &self.0.far {
            far.store(false, Ordering::Relaxed);
        }
        for port in ports {
            self.0.far[usize::from(port)].store(true, Ordering::Relaxed);
        }
        self.0.is_cut.store(true, Ordering::Relaxed);
    }

    /// Ends the cut.
    pub fn heal(&self) {
        self.0.is_cut.store(false, Ordering::Relaxed);
    }

    /// The chance of a loss, in parts of [`Percent::WHOLE`].
    pub(super) fn loss_parts(&self) -> u64 {
        self.0.loss_parts.load(Ordering::Relaxed)
    }

    /// Whether the cut is between these two nodes.
    pub(super) fn parts(&self, one: SocketAddr, other: SocketAddr) -> bool {
        let is_far = |at: SocketAddr| self.0.far[usize::from(at.port())].load(Ordering::Relaxed);
        self.0.is_cut.load(Ordering::Relaxed) && is_far(one) != is_far(other)
    }
}
