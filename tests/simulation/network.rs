//! The network between peers and the centrals: it loses requests and answers, delays them,
//! brings them twice and late, and is cut. What is called is the real service of central.

use crate::play::Play;
use axum::{
    body::{Body, to_bytes},
    http::{Request, header},
};
use std::{fmt, sync::Arc, time::Duration};
use tokio::{sync::oneshot, time::sleep};
use vernport_api::{PATH_BATCHES, PATH_FEED, PATH_WITNESS};
use vernport_central::{Peer, Role};
use vernport_uplink::{Broken, Call, Carried, Carrying, Method, SetupError, Transport};

/// The longest answer that is read whole.
const MAX_BYTES: usize = 96 << 20;

/// One peer's line to the centrals.
pub(crate) struct Line {
    play: Arc<Play>,
    peer: Peer,
}

impl fmt::Debug for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Line").field("peer", &self.peer.name).finish_non_exhaustive()
    }
}

impl Line {
    pub(crate) fn new(play: &Arc<Play>, peer: Peer) -> Arc<Self> {
        Arc::new(Self { play: Arc::clone(play), peer })
    }
}

impl Transport for Line {
    fn carry(&self, call: Call) -> Carrying<'_> {
        Box::pin(carry(Arc::clone(&self.play), self.peer.clone(), call))
    }

    fn reconnect(&self) -> Result<(), SetupError> {
        Ok(())
    }
}

/// What the network does to a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    Through,
    Slow,
    LostRequest,
    LostAnswer,
    /// Neither comes through, and nobody says so: who waits has to stop by himself.
    Silence,
    /// It arrives a second time, later.
    Twice,
    /// It arrives only when the caller has long given up and asked again.
    Late,
}

fn fate(play: &Play, path: &str) -> Fate {
    if !play.is_storm() || !play.dice.percent(play.weather.lossy_percent) {
        return Fate::Through;
    }
    let fates = [
        Fate::Slow,
        Fate::Slow,
        Fate::LostRequest,
        Fate::LostAnswer,
        Fate::LostAnswer,
        Fate::Silence,
        Fate::Twice,
        Fate::Late,
    ];
    match play.dice.of(&fates) {
        // Central calls a checkpoint that comes behind a later one `shrunk`, until the next: note 0016.
        Fate::Twice | Fate::Late if path == PATH_WITNESS => Fate::Slow,
        fate => fate,
    }
}

async fn carry(play: Arc<Play>, peer: Peer, call: Call) -> Result<Carried, Broken> {
    if peer.role == Role::Gateway
        && call.path == PATH_FEED
        && let Some((_, body)) = &call.body
    {
        play.watch.feed_asked(body);
    }
    let fate = fate(&play, &call.path);
    if fate != Fate::Through {
        play.history.tell(format!("{} {}: {fate:?}", peer.name, call.path));
    }
    if play.is_cut(&peer) {
        sleep(Duration::from_millis(20)).await;
        return Err("the line is cut".into());
    }
    let some_ms = Duration::from_millis(play.dice.between(1, 8));
    sleep(some_ms).await;
    match fate {
        Fate::LostRequest => return Err("the request was lost".into()),
        Fate::Silence => return std::future::pending().await,
        Fate::Slow => sleep(Duration::from_millis(play.dice.between(50, 12_000))).await,
        Fate::Late => {
            let late = Duration::from_millis(play.dice.between(2_000, 60_000));
            again(&play, &peer, &call, late);
            return Err("the connection broke".into());
        }
        Fate::Twice => {
            let late = Duration::from_millis(play.dice.between(0, 20_000));
            again(&play, &peer, &call, late);
        }
        Fate::Through | Fate::LostAnswer => {}
    }
    let answer = serve(&play, &peer, call.clone()).await?;
    sleep(some_ms).await;
    if fate == Fate::LostAnswer {
        return Err("the answer was lost".into());
    }
    if peer.role == Role::Gateway && call.path == PATH_FEED && answer.status == 200 {
        play.watch.feed_arrived(&answer.body);
    }
    Ok(answer)
}

fn again(play: &Arc<Play>, peer: &Peer, call: &Call, late: Duration) {
    let (there, peer, call) = (Arc::clone(play), peer.clone(), call.clone());
    play.spawn(async move {
        sleep(late).await;
        if serve(&there, &peer, call.clone()).await.is_ok() {
            there.history.tell(format!("{} {}: arrived late", peer.name, call.path));
        }
    });
}

/// Has one of the centrals that run answer.
async fn serve(play: &Arc<Play>, peer: &Peer, call: Call) -> Result<Carried, Broken> {
    let Some(central) = play.any_central() else { return Err("nobody listens there".into()) };
    let (reply, answer) = oneshot::channel();
    let (path, peer) = (call.path.clone(), peer.clone());
    let service = central.service();
    central.spawn(async move {
        let mut request = Request::builder().uri(&call.path).method(match call.method {
            Method::Get => "GET",
            Method::Post => "POST",
        });
        let mut body = Body::empty();
        if let Some((content_type, bytes)) = call.body {
            request = request.header(header::CONTENT_TYPE, content_type);
            body = Body::from(bytes);
        }
        let request = request.body(body).expect("a path of the contract is a URI");
        let response = service.call(peer, request).await;
        let retry_after = response.headers().get(header::RETRY_AFTER);
        let retry_after = retry_after.and_then(|seconds| seconds.to_str().ok()?.parse().ok());
        let status = response.status().as_u16();
        let Ok(body) = to_bytes(response.into_body(), MAX_BYTES).await else { return };
        // Who does not wait any more does not need it.
        let _ = reply.send(Carried { status, retry_after: retry_after.map(Duration::from_secs), body });
    });
    drop(central);
    let answer: Result<Carried, _> = answer.await;
    let answer = answer.map_err(|_| Broken::from("central was killed"))?;
    if path == PATH_BATCHES && answer.status == 200 {
        play.watch.batches_answered(&answer.body);
    }
    if answer.status != 200 {
        let text = String::from_utf8_lossy(&answer.body);
        play.history.tell(format!("{path} answered {}: {text}", answer.status));
    }
    Ok(answer)
}
