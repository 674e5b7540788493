//! A bundle for other systems: the record of processing (GDPR Art. 30) in the words of DPV 2.3,
//! and the purpose list of COVESA VISS 3.0.

mod dpv;
mod viss;

pub use dpv::record_of_processing;
pub use viss::{PurposeList, purpose_list};
