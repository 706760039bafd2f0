//! The HTTP client of whatever fetches: registries, advisories. Blocking; knows nothing of what it carries.

mod failure;
mod proxy;
mod retry;
mod stream;
mod transport;
mod url;

pub use failure::{Failure, Kind, plain};
pub use proxy::Proxies;
pub use retry::{RetryPolicy, retry_after};
pub use stream::{ContentRange, Stream, content_range};
pub use transport::{Answer, CaError, Patience, Transport, TransportOptions};
pub use ureq::http::{HeaderMap, StatusCode, Uri};
pub use url::{Origin, encode, join, next_link};
