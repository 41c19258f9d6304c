//! Results in every form: text for people, tables for programs, a page with plots.

pub mod charts;
pub mod compare;
pub mod hgrm;
pub mod html;
pub mod plot;
pub mod text;
