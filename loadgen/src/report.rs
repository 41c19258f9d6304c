//! Results in every form: text for people, tables for programs, a page with plots.

pub mod compare;
pub mod hgrm;
pub mod html;
pub mod text;
