//! What runs inside of a renter's containers: see `ionet_inside`.

fn main() {
    ionet_inside::run();
}
