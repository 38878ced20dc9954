//! Why one message's expression has no value that a row could hold.

use std::fmt;

use datafusion::error::DataFusionError;

/// The fault of one value in an expression. Raised through DataFusion's error, caught per message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MapFault {
    /// A value of the right kind that the target type cannot hold exactly; the source text.
    Inexact(String),
    /// A value of another kind, or text that does not parse; why.
    Failed(String),
}

impl fmt::Display for MapFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            MapFault::Inexact(text) => write!(f, "no exact value for {text}"),
            MapFault::Failed(why) => f.write_str(why),
        }
    }
}

impl std::error::Error for MapFault {}

impl From<MapFault> for DataFusionError {
    fn from(fault: MapFault) -> Self {
        DataFusionError::External(Box::new(fault))
    }
}

impl MapFault {
    /// The fault inside an error of an expression; any other error (overflow, division by zero) is a failure too.
    pub fn of(error: &DataFusionError) -> Self {
        if let DataFusionError::External(inner) = error.find_root()
            && let Some(fault) = inner.downcast_ref::<MapFault>()
        {
            return fault.clone();
        }
        MapFault::Failed(error.strip_backtrace())
    }
}
