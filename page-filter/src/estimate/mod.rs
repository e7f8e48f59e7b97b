//! How large a dump of a running machine would be, and how long it would take, before there is any.
//!
//! What a page is used for is known ([`LivePages`]); what is in it is not. So a size is a range: from all that is likely to
//! be zeros and to compress well, to all that may not. It is no promise: between now and a crash memory changes its use.

mod codecs;
mod live;
mod reservation;
mod size;

pub use live::LivePages;
pub use reservation::{Reservation, crash_kernel};
pub use size::{Estimate, estimate};
