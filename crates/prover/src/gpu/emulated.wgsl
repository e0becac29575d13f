// Tests only: plain loops in place of matrix units. See the tests of `matrix.rs`.

struct Sum { entries: array<f32, SIDE * SIDE / LANES> }

var<private> lane: u32;

fn left_tile(at: u32) -> u32 {
    return at;
}

fn right_tile(at: u32) -> u32 {
    return at;
}

fn sum_tile(at: u32) -> Sum {
    var c: Sum;
    for (var i = 0u; i < SIDE * SIDE / LANES; i++) {
        c.entries[i] = sums[at + lane + LANES * i];
    }
    return c;
}

fn stored(c: Sum, at: u32) {
    var all = c;
    for (var i = 0u; i < SIDE * SIDE / LANES; i++) {
        sums[at + lane + LANES * i] = all.entries[i];
    }
}

fn multiplied(a: u32, b: u32, before: Sum) -> Sum {
    var c = before;
    for (var i = 0u; i < SIDE * SIDE / LANES; i++) {
        let row = a + (lane + LANES * i) / SIDE * PITCH;
        let column = b + (lane + LANES * i) % SIDE * PITCH;
        var sum = c.entries[i];
        for (var k = 0u; k < SIDE; k++) {
            sum += f32(staged[row + k]) * f32(staged[column + k]);
        }
        c.entries[i] = sum;
    }
    return c;
}
