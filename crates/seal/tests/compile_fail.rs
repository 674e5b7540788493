//! What must not compile: making a release or something sealed by hand, and
//! handing anything but sealed things to where sealed things are asked for.

#[test]
fn the_unsafe_ways_do_not_compile() {
    trybuild::TestCases::new().compile_fail("tests/ui/*.rs");
}
