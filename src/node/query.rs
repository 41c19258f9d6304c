//! Iterative queries: which node to ask next, and when a query has ended.

mod budget;
mod candidate;
pub(super) mod lookup;
