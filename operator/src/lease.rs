//! Which replica leads: a Lease of coordination.k8s.io, held by whoever renews it.
//!
//! The holder is written as `<pod>_<ip>:<port>`, so that agents and followers learn where to go. Times of other machines'
//! clocks are not compared: a lease is over when it has not changed for its duration as seen by our own clock.

use std::time::{Duration, Instant};

use jiff::Timestamp;
use k8s_openapi::api::coordination::v1::{Lease, LeaseSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{MicroTime, ObjectMeta};
use kube::api::PostParams;
use kube::{Api, Client};
use tokio::sync::watch;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

/// A lease that is not renewed for this long is free.
const DURATION: Duration = Duration::from_secs(15);

/// A leader that could not renew for this long no longer leads; sooner than anyone else may.
const DEADLINE: Duration = Duration::from_secs(10);

/// Time between two looks, and limit of one request.
const INTERVAL: Duration = Duration::from_secs(2);

/// A replica that knows nothing yet leaves a lease that was given back to those who do for this long: each of them looks
/// twice meanwhile. In a rollout the newest replica would else lead before it has followed anybody, and admit what the
/// others would refuse.
const HESITATION: Duration = Duration::from_secs(6);

/// Who leads, as this replica sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Leadership {
    /// Nobody, or not known yet.
    Unknown,
    /// This replica, since an instant that differs for every reign (milliseconds since 1970).
    Leading {
        /// The instant.
        epoch: u64,
    },
    /// Another replica.
    Following {
        /// Its endpoint for agents and followers, `host:port`.
        leader: String,
    },
}

impl Leadership {
    /// The reign, if this replica leads.
    pub fn epoch(&self) -> Option<u64> {
        match self {
            Self::Leading { epoch } => Some(*epoch),
            _ => None,
        }
    }
}

/// Where the lease lies, and who asks for it.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Namespace of the Lease.
    pub namespace: String,
    /// Name of the Lease.
    pub name: String,
    /// This pod's name.
    pub pod: String,
    /// Where this replica serves agents and followers, `host:port`.
    pub address: String,
}

impl Settings {
    fn identity(&self) -> String {
        format!("{}_{}", self.pod, self.address)
    }
}

/// A lease as it was last read.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Observed {
    holder: String,
    renewed: Option<Timestamp>,
    duration: Duration,
    /// When it last differed from what was read before.
    changed: Instant,
}

#[derive(Debug, PartialEq, Eq)]
enum Move {
    /// Nobody holds it: take it.
    Acquire,
    /// We hold it: renew it.
    Renew,
    /// Another holds it.
    Wait,
}

impl Observed {
    fn read(lease: &Lease, before: Option<&Self>, now: Instant) -> Self {
        let spec = lease.spec.clone().unwrap_or_default();
        let seconds =
            spec.lease_duration_seconds.and_then(|s| u64::try_from(s).ok()).unwrap_or(DURATION.as_secs());
        let read = Self {
            holder: spec.holder_identity.unwrap_or_default(),
            renewed: spec.renew_time.map(|time| time.0),
            duration: Duration::from_secs(seconds),
            changed: now,
        };
        match before {
            Some(before) if before.holder == read.holder && before.renewed == read.renewed => {
                Self { changed: before.changed, ..read }
            }
            _ => read,
        }
    }

    /// `informed`: whether this replica knows what there is, from having followed or led.
    fn next(&self, identity: &str, informed: bool, now: Instant) -> Move {
        if self.holder == identity {
            return Move::Renew;
        }
        let patience = match (self.holder.is_empty(), informed) {
            (true, true) => Duration::ZERO,
            (true, false) => HESITATION,
            (false, _) => self.duration,
        };
        if now.saturating_duration_since(self.changed) >= patience { Move::Acquire } else { Move::Wait }
    }

    /// The holder's endpoint.
    fn leader(&self) -> Option<String> {
        self.holder.split_once('_').map(|(_, address)| address.to_owned())
    }
}

/// Competes for the lease until `shutdown`, then releases it if held. `leadership` always says how things stand, `informed`
/// whether this replica knows what there is.
pub async fn run(
    client: Client,
    settings: Settings,
    informed: impl Fn() -> bool,
    leadership: watch::Sender<Leadership>,
    shutdown: CancellationToken,
) {
    let api: Api<Lease> = Api::namespaced(client, &settings.namespace);
    let identity = settings.identity();
    let mut observed: Option<Observed> = None;
    let mut renewed: Option<Instant> = None;
    loop {
        // The lease runs from before the request that renewed it, however long that took.
        let began = Instant::now();
        match timeout(INTERVAL * 2, attempt(&api, &settings, &identity, informed(), &mut observed)).await {
            Ok(Ok(true)) => {
                renewed = Some(began);
                if leadership.borrow().epoch().is_none() {
                    let epoch = u64::try_from(Timestamp::now().as_millisecond()).unwrap_or(0);
                    info!(identity, "leading");
                    leadership.send_replace(Leadership::Leading { epoch });
                }
            }
            Ok(Ok(false)) => {
                renewed = None;
                let leader = observed.as_ref().and_then(Observed::leader);
                let now = leader.map_or(Leadership::Unknown, |leader| Leadership::Following { leader });
                tell(&leadership, now);
            }
            Ok(Err(error)) => warn!(%error, lease = settings.name, "lease neither read nor written"),
            Err(_) => warn!(lease = settings.name, "the API server does not answer about the lease"),
        }
        if renewed.is_some_and(|renewed| renewed.elapsed() >= DEADLINE) {
            renewed = None;
            tell(&leadership, Leadership::Unknown);
        }
        if timeout(INTERVAL, shutdown.cancelled()).await.is_ok() {
            break;
        }
    }
    let led = leadership.borrow().epoch().is_some();
    leadership.send_replace(Leadership::Unknown);
    if led {
        match timeout(INTERVAL, release(&api, &settings.name, &identity)).await {
            Ok(Ok(())) => info!(identity, "lease released"),
            Ok(Err(error)) => warn!(%error, "lease not released; another replica leads in {DURATION:?}"),
            Err(_) => warn!("lease not released in time; another replica leads in {DURATION:?}"),
        }
    }
}

fn tell(leadership: &watch::Sender<Leadership>, now: Leadership) {
    leadership.send_if_modified(|known| {
        if *known == now {
            return false;
        }
        if known.epoch().is_some() {
            warn!("no longer leading");
        }
        info!(leadership = ?now, "leadership changed");
        *known = now;
        true
    });
}

/// One look at the lease; true if it is ours afterwards.
async fn attempt(
    api: &Api<Lease>,
    settings: &Settings,
    identity: &str,
    informed: bool,
    observed: &mut Option<Observed>,
) -> kube::Result<bool> {
    let now = Instant::now();
    let Some(mut lease) = api.get_opt(&settings.name).await? else {
        let metadata = ObjectMeta { name: Some(settings.name.clone()), ..ObjectMeta::default() };
        let lease = Lease { metadata, spec: Some(held(LeaseSpec::default(), identity, true)) };
        return won(api.create(&PostParams::default(), &lease).await);
    };
    let seen = Observed::read(&lease, observed.as_ref(), now);
    let next = seen.next(identity, informed, now);
    *observed = Some(seen);
    if next == Move::Wait {
        return Ok(false);
    }
    // The resource version goes along: whoever writes second is refused.
    lease.spec = Some(held(lease.spec.take().unwrap_or_default(), identity, next == Move::Acquire));
    won(api.replace(&settings.name, &PostParams::default(), &lease).await)
}

/// A conflict is no error: another replica was quicker.
fn won(answer: kube::Result<Lease>) -> kube::Result<bool> {
    match answer {
        Ok(_) => Ok(true),
        Err(kube::Error::Api(status)) if status.code == 409 => Ok(false),
        Err(error) => Err(error),
    }
}

fn held(spec: LeaseSpec, identity: &str, acquired: bool) -> LeaseSpec {
    let now = MicroTime(Timestamp::now());
    LeaseSpec {
        holder_identity: Some(identity.to_owned()),
        lease_duration_seconds: i32::try_from(DURATION.as_secs()).ok(),
        lease_transitions: if acquired {
            Some(spec.lease_transitions.unwrap_or(0) + 1)
        } else {
            spec.lease_transitions
        },
        acquire_time: if acquired { Some(now.clone()) } else { spec.acquire_time },
        renew_time: Some(now),
        ..spec
    }
}

async fn release(api: &Api<Lease>, name: &str, identity: &str) -> kube::Result<()> {
    let mut lease = api.get(name).await?;
    let spec = lease.spec.get_or_insert_default();
    if spec.holder_identity.as_deref() == Some(identity) {
        spec.holder_identity = Some(String::new());
        spec.lease_duration_seconds = Some(1);
        api.replace(name, &PostParams::default(), &lease).await?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const ME: &str = "operator-a_10.0.0.1:9444";
    const OTHER: &str = "operator-b_10.0.0.2:9444";

    fn lease(holder: &str, renewed: i64) -> Lease {
        let spec = LeaseSpec {
            holder_identity: Some(holder.to_owned()),
            lease_duration_seconds: Some(15),
            renew_time: Some(MicroTime(Timestamp::from_second(renewed).unwrap())),
            ..LeaseSpec::default()
        };
        Lease { spec: Some(spec), ..Lease::default() }
    }

    #[test]
    fn a_lease_is_taken_when_free_or_unchanged_for_its_duration() {
        let start = Instant::now();
        let after = |seconds| start + Duration::from_secs(seconds);
        let first = Observed::read(&lease(OTHER, 100), None, start);
        assert_eq!(first.next(ME, true, start), Move::Wait);
        assert_eq!(
            first.next(OTHER, true, start),
            Move::Renew,
            "a restarted container takes up its own lease"
        );

        let renewed = Observed::read(&lease(OTHER, 102), Some(&first), after(14));
        assert_eq!(renewed.next(ME, true, after(28)), Move::Wait);

        let silent = Observed::read(&lease(OTHER, 102), Some(&renewed), after(29));
        assert_eq!(silent.next(ME, true, after(29)), Move::Acquire);

        let free = Observed::read(&lease("", 102), Some(&silent), after(30));
        assert_eq!(free.next(ME, true, after(30)), Move::Acquire);
    }

    #[test]
    fn who_knows_nothing_leaves_a_lease_that_was_given_back_to_others_for_a_while() {
        let start = Instant::now();
        let free = Observed::read(&lease("", 100), None, start);
        let later = start + HESITATION;
        assert_eq!(free.next(ME, false, later - Duration::from_millis(1)), Move::Wait);
        assert_eq!(free.next(ME, true, start), Move::Acquire);
        assert_eq!(free.next(ME, false, later), Move::Acquire, "there is nobody else");
        let silent = Observed::read(&lease(OTHER, 100), None, start);
        assert_eq!(silent.next(ME, false, start + DURATION), Move::Acquire);
    }

    #[test]
    fn a_clock_elsewhere_that_is_years_off_changes_nothing() {
        let now = Instant::now();
        let seen = Observed::read(&lease(OTHER, 0), None, now);
        assert_eq!(seen.next(ME, true, now), Move::Wait);
    }

    #[test]
    fn the_leaders_address_is_read_from_its_identity() {
        let seen = Observed::read(&lease(OTHER, 0), None, Instant::now());
        assert_eq!(seen.leader().as_deref(), Some("10.0.0.2:9444"));
    }

    #[test]
    fn renewing_keeps_the_reign_and_acquiring_begins_one() {
        let acquired = held(LeaseSpec::default(), ME, true);
        assert_eq!(acquired.lease_transitions, Some(1));
        let renewed = held(acquired.clone(), ME, false);
        assert_eq!((renewed.lease_transitions, renewed.acquire_time), (Some(1), acquired.acquire_time));
    }
}
