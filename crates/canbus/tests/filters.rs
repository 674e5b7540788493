//! Filters on sources that no kernel filters for: logs and the virtual bus.

use std::sync::Arc;
use vernport_canbus::{Bus, FrameSource, OpenOptions, SourceUrl, open};
use vernport_types::{
    BootMicros, CanFilter, CanFrame, CanId, Clock, FrameKind, Stamp, TimeQuality, UtcMicros,
};

fn options() -> OpenOptions {
    let clock: Arc<dyn Clock> =
        Arc::new(|| Stamp { wall: UtcMicros(0), boot: BootMicros(0), quality: TimeQuality::Bounded });
    OpenOptions::new(clock)
}

const LOG: &str = "(1.000000) can0 123#01\n(1.000100) can0 00000123#02\n(1.000200) can0 18FEF100#03\n\
                   (1.000300) can0 124#R\n(1.000400) can0 20000040#0000000000000000\n";

async fn rest(source: &mut FrameSource) -> Vec<(u64, CanId, FrameKind)> {
    let mut frames = Vec::new();
    while let Some(timed) = source.next().await.expect("readable") {
        frames.push((timed.index, timed.frame.id(), timed.frame.kind()));
    }
    frames
}

#[tokio::test]
async fn a_log_gives_what_passes_under_the_numbers_that_it_always_has() {
    let file = tempfile::NamedTempFile::new().expect("a file");
    std::fs::write(file.path(), LOG).expect("a file");
    let url = SourceUrl::Candump(file.path().to_owned());
    for (filters, expected) in [
        (vec![CanFilter::exactly(CanId::Standard(0x123))], vec![0, 4]),
        (vec![CanFilter { id: CanId::Extended(0x00FE_F100), mask: 0x03FF_FF00 }], vec![2, 4]),
        (vec![CanFilter { id: CanId::Standard(0), mask: 0 }], vec![0, 3, 4]),
        (CanFilter::ALL.to_vec(), vec![0, 1, 2, 3, 4]),
        // Reports of errors always come.
        (vec![], vec![4]),
    ] {
        let mut source = open(&url, options()).await.expect("opens").source;
        source.set_filters(&filters).expect("a log takes filters");
        let frames = rest(&mut source).await;
        assert_eq!(frames.iter().map(|frame| frame.0).collect::<Vec<_>>(), expected);
        assert_eq!(frames.last().map(|frame| frame.2), Some(FrameKind::Error));
        let counters = source.counters();
        assert_eq!((counters.frames, counters.frames + counters.filtered), (frames.len() as u64, 5));
    }
}

#[tokio::test]
async fn filters_of_one_node_are_no_other_nodes_and_may_change() {
    let options = options();
    let url: SourceUrl = "virtual:bay".parse().expect("a URL");
    let Bus { sink, .. } = open(&url, options.clone()).await.expect("opens");
    let sink = sink.expect("can be sent to");
    let mut narrow = open(&url, options.clone()).await.expect("opens").source;
    let mut wide = open(&url, options).await.expect("opens").source;
    let frame = |id| CanFrame::data_frame(CanId::Standard(id), &[1]).expect("short");

    narrow.set_filters(&[CanFilter::exactly(CanId::Standard(2))]).expect("a virtual bus takes filters");
    for id in 1..=3 {
        sink.send(&frame(id)).await.expect("sent");
    }
    let heard = narrow.next().await.expect("readable").expect("a live bus");
    assert_eq!((heard.frame, heard.index), (frame(2), 0));
    narrow.set_filters(&CanFilter::ALL).expect("a virtual bus takes filters");
    assert_eq!(narrow.next().await.expect("readable").expect("a live bus").frame, frame(3));
    assert_eq!((narrow.counters().frames, narrow.counters().filtered), (2, 1));
    for id in 1..=3 {
        assert_eq!(wide.next().await.expect("readable").expect("a live bus").frame, frame(id));
    }
}
