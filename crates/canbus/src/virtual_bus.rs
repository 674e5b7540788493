//! A CAN bus inside the process: what one node sends reaches every other node
//! of the same name, in order, and never the node itself.
//!
//! Each node has a queue of [`QUEUE_FRAMES`]. A frame that finds it full is
//! lost for that node alone and counted, as a kernel does with a slow reader.
//! Sending never waits.

use std::{
    collections::BTreeMap,
    fmt,
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, Weak,
        atomic::{AtomicU64, Ordering},
    },
    task::{Context, Poll},
};
use thiserror::Error;
use tokio::sync::mpsc;
use vernport_types::{CanFrame, Clock, Slug, Stamp};

/// Frames that wait for one node.
pub(crate) const QUEUE_FRAMES: usize = 4096;
/// Nodes on one bus.
const MAX_NODES: usize = 32;

/// Why a node cannot join a virtual bus.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum AttachError {
    /// The bus has 32 nodes.
    #[error("virtual bus '{bus}' has {MAX_NODES} nodes already; detach one first")]
    Full {
        /// The bus.
        bus: Slug,
    },
}

/// The virtual buses of one process (or of one test). Clones share them.
#[derive(Clone, Default)]
pub struct VirtualBuses {
    by_name: Arc<Mutex<BTreeMap<Slug, Weak<Wire>>>>,
    /// What stands in for files of this name.
    logs: Arc<Mutex<BTreeMap<PathBuf, Arc<[u8]>>>>,
}

impl VirtualBuses {
    /// From here on a log of this name is read out of memory, and at once: a simulation goes the same
    /// way each time only if no thread reads beside it.
    pub fn lend_log(&self, path: &Path, log: Arc<[u8]>) {
        lock(&self.logs).insert(path.to_owned(), log);
    }

    pub(crate) fn log(&self, path: &Path) -> Option<Arc<[u8]>> {
        lock(&self.logs).get(path).cloned()
    }

    /// Joins the bus of this name, which begins with its first node and ends
    /// with its last. Frames are stamped by `clock` as they arrive.
    ///
    /// # Errors
    /// [`AttachError::Full`] when the bus takes no more nodes.
    pub fn attach(&self, name: &Slug, clock: Arc<dyn Clock>) -> Result<VirtualNode, AttachError> {
        let mut by_name = lock(&self.by_name);
        by_name.retain(|_, wire| wire.strong_count() > 0);
        let wire = by_name.get(name).and_then(Weak::upgrade).unwrap_or_default();
        let (queue, frames) = mpsc::channel(QUEUE_FRAMES);
        let dropped = Arc::new(AtomicU64::new(0));
        let node = {
            let mut ports = lock(&wire.ports);
            if ports.open.len() >= MAX_NODES {
                return Err(AttachError::Full { bus: name.clone() });
            }
            let node = ports.next_node;
            ports.next_node += 1;
            ports.open.push(Port { node, queue, clock, dropped: Arc::clone(&dropped) });
            node
        };
        by_name.insert(name.clone(), Arc::downgrade(&wire));
        Ok(VirtualNode { sender: VirtualSender { wire, node }, frames, dropped })
    }
}

impl fmt::Debug for VirtualBuses {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("VirtualBuses").field(&lock(&self.by_name).keys()).finish()
    }
}

/// One node on a virtual bus; leaves it when dropped.
#[derive(Debug)]
pub struct VirtualNode {
    sender: VirtualSender,
    frames: mpsc::Receiver<(CanFrame, Stamp)>,
    dropped: Arc<AtomicU64>,
}

impl VirtualNode {
    /// The next frame of another node; waits as long as the bus is quiet.
    /// Losing the future loses no frame.
    pub async fn next(&mut self) -> Option<(CanFrame, Stamp)> {
        self.frames.recv().await
    }

    /// [`VirtualNode::next`] for whoever waits for several nodes at once.
    pub(crate) fn poll_next(&mut self, context: &mut Context<'_>) -> Poll<Option<(CanFrame, Stamp)>> {
        self.frames.poll_recv(context)
    }

    /// A hand that sends as this node.
    pub fn sender(&self) -> VirtualSender {
        self.sender.clone()
    }

    /// Frames that this node lost because its queue was full.
    pub fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }
}

impl Drop for VirtualNode {
    fn drop(&mut self) {
        lock(&self.sender.wire.ports).open.retain(|port| port.node != self.sender.node);
    }
}

/// Sends as one node; cheap to clone.
#[derive(Debug, Clone)]
pub struct VirtualSender {
    wire: Arc<Wire>,
    node: u64,
}

impl VirtualSender {
    /// Gives the frame to every other node. Never waits.
    pub fn send(&self, frame: &CanFrame) {
        for port in lock(&self.wire.ports).open.iter().filter(|port| port.node != self.node) {
            if port.queue.try_send((*frame, port.clock.now())).is_err() {
                port.dropped.fetch_add(1, Ordering::Relaxed);
            }
        }
    }
}

#[derive(Default)]
struct Wire {
    ports: Mutex<Ports>,
}

impl fmt::Debug for Wire {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Wire({} nodes)", lock(&self.ports).open.len())
    }
}

#[derive(Default)]
struct Ports {
    open: Vec<Port>,
    /// Numbers are never used twice, so that a sender which outlives its node
    /// cannot be taken for a later one.
    next_node: u64,
}

struct Port {
    node: u64,
    queue: mpsc::Sender<(CanFrame, Stamp)>,
    clock: Arc<dyn Clock>,
    dropped: Arc<AtomicU64>,
}

/// No holder of these locks can leave the lists half changed, so a panic
/// elsewhere is no reason to stop the bus.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{data_frame, ticking_clock};
    use proptest::prelude::*;

    fn name(text: &str) -> Slug {
        text.parse().expect("a slug")
    }

    fn waiting(node: &mut VirtualNode) -> Vec<CanFrame> {
        std::iter::from_fn(|| node.frames.try_recv().ok()).map(|(frame, _)| frame).collect()
    }

    #[test]
    fn a_frame_reaches_every_other_node_of_that_bus_and_not_its_sender() {
        let buses = VirtualBuses::default();
        let clock = ticking_clock();
        let mut truck = buses.attach(&name("bay-1"), clock.clone()).expect("room");
        let mut gateway = buses.clone().attach(&name("bay-1"), clock.clone()).expect("room");
        let mut tester = buses.attach(&name("bay-1"), clock.clone()).expect("room");
        let mut elsewhere = buses.attach(&name("bay-2"), clock).expect("room");

        let (first, second) = (data_frame(0x100, &[1]), data_frame(0x101, &[2]));
        truck.sender().send(&first);
        gateway.sender().send(&second);

        assert_eq!(waiting(&mut truck), [second]);
        assert_eq!(waiting(&mut gateway), [first]);
        assert_eq!(waiting(&mut tester), [first, second]);
        assert_eq!(waiting(&mut elsewhere), []);
    }

    #[test]
    fn a_full_queue_drops_and_counts_for_that_node_alone() {
        let buses = VirtualBuses::default();
        let clock = ticking_clock();
        let truck = buses.attach(&name("bay"), clock.clone()).expect("room");
        let mut slow = buses.attach(&name("bay"), clock.clone()).expect("room");
        for _ in 0..QUEUE_FRAMES {
            truck.sender().send(&data_frame(1, &[]));
        }
        let mut late = buses.attach(&name("bay"), clock).expect("room");
        for _ in 0..3 {
            truck.sender().send(&data_frame(2, &[]));
        }
        assert_eq!((slow.dropped(), late.dropped()), (3, 0));
        assert_eq!(waiting(&mut slow), vec![data_frame(1, &[]); QUEUE_FRAMES], "the oldest stay");
        assert_eq!(waiting(&mut late).len(), 3);
    }

    #[test]
    fn a_node_that_left_makes_room_and_a_bus_ends_with_its_last_node() {
        let buses = VirtualBuses::default();
        let clock = ticking_clock();
        let mut nodes: Vec<_> =
            (0..MAX_NODES).map(|_| buses.attach(&name("bay"), clock.clone()).expect("room")).collect();
        let refused = buses.attach(&name("bay"), clock.clone()).expect_err("full");
        assert_eq!(refused.to_string(), "virtual bus 'bay' has 32 nodes already; detach one first");
        let left = nodes.pop().expect("a node").sender();
        let mut joined = buses.attach(&name("bay"), clock.clone()).expect("room again");
        left.send(&data_frame(1, &[]));
        assert_eq!(waiting(&mut joined).len(), 1, "an old sender is nobody else's");
        drop((nodes, joined, left));
        assert!(buses.attach(&name("other"), clock).is_ok());
        assert_eq!(lock(&buses.by_name).len(), 1);
    }

    #[derive(Debug, Clone)]
    enum Step {
        Join,
        Leave(usize),
        Send(usize, u8),
        Read(usize),
    }

    fn steps() -> impl Strategy<Value = Vec<Step>> {
        let step = prop_oneof![
            Just(Step::Join),
            (0..4usize).prop_map(Step::Leave),
            (0..4usize, any::<u8>()).prop_map(|(node, byte)| Step::Send(node, byte)),
            (0..4usize).prop_map(Step::Read),
        ];
        prop::collection::vec(step, 0..64)
    }

    proptest! {
        /// Against a model in which each node keeps a plain list.
        #[test]
        fn every_node_sees_what_the_others_sent_while_it_was_there(steps in steps()) {
            let buses = VirtualBuses::default();
            let mut nodes: Vec<(VirtualNode, Vec<CanFrame>)> = Vec::new();
            for step in steps {
                match step {
                    Step::Join if nodes.len() < 4 => {
                        nodes.push((buses.attach(&name("bay"), ticking_clock()).expect("room"), Vec::new()));
                    }
                    Step::Leave(at) if at < nodes.len() => drop(nodes.remove(at)),
                    Step::Send(at, byte) if at < nodes.len() => {
                        let frame = data_frame(u16::from(byte), &[byte]);
                        nodes[at].0.sender().send(&frame);
                        for (other, (_, expected)) in nodes.iter_mut().enumerate() {
                            if other != at {
                                expected.push(frame);
                            }
                        }
                    }
                    Step::Read(at) if at < nodes.len() => {
                        let (node, expected) = &mut nodes[at];
                        prop_assert_eq!(waiting(node), std::mem::take(expected));
                    }
                    _ => {}
                }
            }
            for (node, expected) in &mut nodes {
                prop_assert_eq!(waiting(node), std::mem::take(expected));
            }
        }
    }
}
