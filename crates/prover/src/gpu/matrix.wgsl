// The product on matrix units. What differs from chip to chip stands before this text: `SIDE` of
// the tiles that the units multiply, `LANES` of a subgroup, `Entry`, `PITCH` and `apart`.
//
// Half bytes are exact in either kind of float. Sums are single floats: no partial sum of 2^16
// products passes 2^22, so all of them are exact, in whatever order the units add.

alias Left = TILE_OF<Entry, A>;
alias Right = TILE_OF<Entry, B>;
alias Sum = TILE_OF<f32, C>;

// Rows, and columns, of a workgroup: two by two subgroups, each four by four tiles.
const WIDE = 8u * SIDE;
// Where columns of B begin in what is staged.
const RIGHTS = WIDE * PITCH;

// Rows of A, then columns of B, `4 x DEPTH` entries each. Starts and steps of tiles are multiples
// of 16 bytes, as loading them asks for; the pitch spreads neighbours over the memory's banks.
var<workgroup> staged: array<Entry, 2u * WIDE * PITCH>;
// A tile of each subgroup.
var<workgroup> sums: array<f32, 4u * SIDE * SIDE>;

fn keep(at: u32, word: u32) {
    let four = apart(word);
    staged[at] = four.x;
    staged[at + 1u] = four.y;
    staged[at + 2u] = four.z;
    staged[at + 3u] = four.w;
}

fn stage(at: u32, words: vec4<u32>) {
    keep(at, words.x);
    keep(at + PITCH, words.y);
    keep(at + 2u * PITCH, words.z);
    keep(at + 3u * PITCH, words.w);
}

// Words `deep` to `deep + DEPTH` of all rows and columns. Neighbours take neighbouring words of
// depth: so each reads 64 bytes side by side, and they write to all banks.
fn fetch(deep: u32, id: vec3<u32>, local: u32) {
    let quads_a = (params.rows + 3u) / 4u;
    let quads_b = params.side / 4u;
    for (var n = local; n < WIDE / 4u * DEPTH; n += 4u * LANES) {
        let q = n % DEPTH;
        let at = n / DEPTH * 4u * PITCH + 4u * q;
        let row = id.y * (WIDE / 4u) + n / DEPTH;
        let column = id.x * (WIDE / 4u) + n / DEPTH;
        // What lies outside stays what it was: nobody keeps the sums it goes into.
        if row < quads_a {
            stage(at, left[(deep + q) * quads_a + row]);
        }
        if column < quads_b {
            stage(RIGHTS + at, right[(deep + q) * quads_b + column]);
        }
    }
}

// What all subgroups stored of their tile in row `i` and column `j`, as integers.
fn settle(i: u32, j: u32, id: vec3<u32>, local: u32) {
    let quads = params.side / 4u;
    workgroupBarrier();
    for (var n = local; n < SIDE * SIDE; n += 4u * LANES) {
        let own = n / (SIDE * SIDE / 4u);
        let within = n % (SIDE * SIDE / 4u);
        let row = id.y * WIDE + (own / 2u * 4u + i) * SIDE + within / (SIDE / 4u);
        let column = (id.x * WIDE + (own % 2u * 4u + j) * SIDE) / 4u + within % (SIDE / 4u);
        if row < params.rows && column < quads {
            let at = 4u * n;
            let four = vec4(sums[at], sums[at + 1u], sums[at + 2u], sums[at + 3u]);
            product[row * quads + column] = vec4<i32>(four);
        }
    }
    workgroupBarrier();
}

@compute @workgroup_size(4u * LANES)
fn multiply_tiles(
    @builtin(workgroup_id) id: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
    @builtin(subgroup_id) subgroup: u32,
) {
    let own = subgroup % 4u;
    let mine = own * SIDE * SIDE;
    for (var n = local; n < 4u * SIDE * SIDE; n += 4u * LANES) {
        sums[n] = 0.0;
    }
    workgroupBarrier();
    let zero = coopLoadT<Sum>(&sums[mine], SIDE);
    workgroupBarrier();
    var c00 = zero; var c01 = zero; var c02 = zero; var c03 = zero;
    var c10 = zero; var c11 = zero; var c12 = zero; var c13 = zero;
    var c20 = zero; var c21 = zero; var c22 = zero; var c23 = zero;
    var c30 = zero; var c31 = zero; var c32 = zero; var c33 = zero;
    let rows = own / 2u * 4u * SIDE * PITCH;
    let columns = RIGHTS + own % 2u * 4u * SIDE * PITCH;
    for (var deep = 0u; deep < params.count / 4u; deep += DEPTH) {
        fetch(deep, id, local);
        workgroupBarrier();
        for (var k = 0u; k < 4u * DEPTH; k += SIDE) {
            let b0 = coopLoad<Right>(&staged[columns + k], PITCH);
            let b1 = coopLoad<Right>(&staged[columns + k + SIDE * PITCH], PITCH);
            let b2 = coopLoad<Right>(&staged[columns + k + 2u * SIDE * PITCH], PITCH);
            let b3 = coopLoad<Right>(&staged[columns + k + 3u * SIDE * PITCH], PITCH);
            let a0 = coopLoadT<Left>(&staged[rows + k], PITCH);
            c00 = coopMultiplyAdd(a0, b0, c00);
            c01 = coopMultiplyAdd(a0, b1, c01);
            c02 = coopMultiplyAdd(a0, b2, c02);
            c03 = coopMultiplyAdd(a0, b3, c03);
            let a1 = coopLoadT<Left>(&staged[rows + k + SIDE * PITCH], PITCH);
            c10 = coopMultiplyAdd(a1, b0, c10);
            c11 = coopMultiplyAdd(a1, b1, c11);
            c12 = coopMultiplyAdd(a1, b2, c12);
            c13 = coopMultiplyAdd(a1, b3, c13);
            let a2 = coopLoadT<Left>(&staged[rows + k + 2u * SIDE * PITCH], PITCH);
            c20 = coopMultiplyAdd(a2, b0, c20);
            c21 = coopMultiplyAdd(a2, b1, c21);
            c22 = coopMultiplyAdd(a2, b2, c22);
            c23 = coopMultiplyAdd(a2, b3, c23);
            let a3 = coopLoadT<Left>(&staged[rows + k + 3u * SIDE * PITCH], PITCH);
            c30 = coopMultiplyAdd(a3, b0, c30);
            c31 = coopMultiplyAdd(a3, b1, c31);
            c32 = coopMultiplyAdd(a3, b2, c32);
            c33 = coopMultiplyAdd(a3, b3, c33);
        }
        workgroupBarrier();
    }
    coopStoreT(c00, &sums[mine], SIDE); settle(0u, 0u, id, local);
    coopStoreT(c01, &sums[mine], SIDE); settle(0u, 1u, id, local);
    coopStoreT(c02, &sums[mine], SIDE); settle(0u, 2u, id, local);
    coopStoreT(c03, &sums[mine], SIDE); settle(0u, 3u, id, local);
    coopStoreT(c10, &sums[mine], SIDE); settle(1u, 0u, id, local);
    coopStoreT(c11, &sums[mine], SIDE); settle(1u, 1u, id, local);
    coopStoreT(c12, &sums[mine], SIDE); settle(1u, 2u, id, local);
    coopStoreT(c13, &sums[mine], SIDE); settle(1u, 3u, id, local);
    coopStoreT(c20, &sums[mine], SIDE); settle(2u, 0u, id, local);
    coopStoreT(c21, &sums[mine], SIDE); settle(2u, 1u, id, local);
    coopStoreT(c22, &sums[mine], SIDE); settle(2u, 2u, id, local);
    coopStoreT(c23, &sums[mine], SIDE); settle(2u, 3u, id, local);
    coopStoreT(c30, &sums[mine], SIDE); settle(3u, 0u, id, local);
    coopStoreT(c31, &sums[mine], SIDE); settle(3u, 1u, id, local);
    coopStoreT(c32, &sums[mine], SIDE); settle(3u, 2u, id, local);
    coopStoreT(c33, &sums[mine], SIDE); settle(3u, 3u, id, local);
}
