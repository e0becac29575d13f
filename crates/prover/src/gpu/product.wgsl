// The round of a product: matrices from a seed, the product, the hashes of its leaves, nodes.
//
// Matrices are packed along the depth: word `q x columns + j` has entries 4q to 4q + 3 of column j
// of B, or of row j of A. So tiles of both are read, and multiplied, in the same way.

struct Params {
    seed: Hash,
    // Of a hash.
    key: Hash,
    side: u32,
    // Rows of A in this strip, and the first of them.
    rows: u32,
    first: u32,
    // 1 if entries are half bytes.
    nibble: u32,
    width: u32,
    round: u32,
    // Hashes to make, and where the first goes. Of a product: its depth.
    count: u32,
    into: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> left: array<vec4<u32>>;
@group(0) @binding(2) var<storage, read> right: array<vec4<u32>>;
@group(0) @binding(3) var<storage, read_write> words: array<u32>;
@group(0) @binding(4) var<storage, read_write> product: array<vec4<i32>>;
@group(0) @binding(5) var<storage, read> entries: array<i32>;
@group(0) @binding(6) var<storage, read> below: array<Hash>;
@group(0) @binding(7) var<storage, read_write> above: array<Hash>;

fn number(id: vec3<u32>, groups: vec3<u32>, local: u32) -> u32 {
    return (id.y * groups.x + id.x) * 64u + local;
}

// Bytes of the stream as entries.
fn entry(bytes: vec4<u32>) -> vec4<u32> {
    if params.nibble == 0u {
        return bytes;
    }
    // 0 to 15 become -8 to 7: the upper bit turns, and fills the upper half of its byte.
    let low = (bytes & vec4(0x0f0f0f0fu)) ^ vec4(0x08080808u);
    return low | ((low & vec4(0x08080808u)) * 0x1eu);
}

// One block of the stream: 64 entries of a row of A. Neighbours take neighbouring rows.
@compute @workgroup_size(64)
fn expand_a(
    @builtin(workgroup_id) id: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let n = number(id, groups, local);
    let blocks = params.side / 64u;
    if n >= params.rows * blocks {
        return;
    }
    let row = n % params.rows;
    let across = n / params.rows;
    let made = stream(params.seed, (params.first + row) * blocks + across, 0u);
    let at = across * 16u * params.rows + row;
    let parts = array(entry(made.p), entry(made.q), entry(made.r), entry(made.s));
    for (var q = 0u; q < 4u; q++) {
        for (var w = 0u; w < 4u; w++) {
            words[at + (4u * q + w) * params.rows] = parts[q][w];
        }
    }
}

// The bytes of four rows, four columns: as columns.
fn across(rows: array<vec4<u32>, 4>, n: u32) -> u32 {
    let word = n / 4u;
    let shift = 8u * (n % 4u);
    let x = vec4(rows[0][word], rows[1][word], rows[2][word], rows[3][word]) >> vec4(shift);
    return dot(x & vec4(255u), vec4(1u, 1u << 8u, 1u << 16u, 1u << 24u));
}

// Four rows and 64 columns of B. Once for all rounds.
@compute @workgroup_size(64)
fn expand_b(
    @builtin(workgroup_id) id: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let n = number(id, groups, local);
    let blocks = params.side / 64u;
    if n >= params.side / 4u * blocks {
        return;
    }
    let quad = n / blocks;
    let column = n % blocks;
    var made: array<Block, 4>;
    for (var r = 0u; r < 4u; r++) {
        made[r] = stream(params.seed, (4u * quad + r) * blocks + column, 0u);
    }
    let at = quad * params.side + column * 64u;
    let p = array(entry(made[0].p), entry(made[1].p), entry(made[2].p), entry(made[3].p));
    let q = array(entry(made[0].q), entry(made[1].q), entry(made[2].q), entry(made[3].q));
    let r = array(entry(made[0].r), entry(made[1].r), entry(made[2].r), entry(made[3].r));
    let s = array(entry(made[0].s), entry(made[1].s), entry(made[2].s), entry(made[3].s));
    for (var n = 0u; n < 16u; n++) {
        words[at + n] = across(p, n);
        words[at + 16u + n] = across(q, n);
        words[at + 32u + n] = across(r, n);
        words[at + 48u + n] = across(s, n);
    }
}

// Words of depth in a tile.
const DEPTH = 8u;
// Four rows, or columns, each: 128 of them.
const TILE = 32u;
var<workgroup> tile_a: array<vec4<u32>, 256>;
var<workgroup> tile_b: array<vec4<u32>, 256>;

fn dots(a: u32, b: vec4<u32>) -> vec4<i32> {
    return vec4(
        dot4I8Packed(a, b.x),
        dot4I8Packed(a, b.y),
        dot4I8Packed(a, b.z),
        dot4I8Packed(a, b.w),
    );
}

fn put(row: u32, column: u32, low: vec4<i32>, high: vec4<i32>) {
    let quads = params.side / 4u;
    if row < params.rows {
        if column < quads {
            product[row * quads + column] = low;
        }
        if column + 16u < quads {
            product[row * quads + column + 16u] = high;
        }
    }
}

// A tile of 128 x 128 sums, 8 x 8 a thread: rows 4y to 4y + 3 and 64 more, columns likewise, so
// that neighbours read neighbouring words of the tiles.
@compute @workgroup_size(256)
fn multiply(
    @builtin(workgroup_id) id: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let quads_a = (params.rows + 3u) / 4u;
    let quads_b = params.side / 4u;
    let x = local % 16u;
    let y = local / 16u;
    let fetch_a = id.y * TILE + local % TILE;
    let fetch_b = id.x * TILE + local % TILE;
    var c0 = vec4(0i); var c1 = vec4(0i); var c2 = vec4(0i); var c3 = vec4(0i);
    var c4 = vec4(0i); var c5 = vec4(0i); var c6 = vec4(0i); var c7 = vec4(0i);
    var d0 = vec4(0i); var d1 = vec4(0i); var d2 = vec4(0i); var d3 = vec4(0i);
    var d4 = vec4(0i); var d5 = vec4(0i); var d6 = vec4(0i); var d7 = vec4(0i);
    for (var deep = 0u; deep < params.count / 4u; deep += DEPTH) {
        let q = deep + local / TILE;
        if fetch_a < quads_a {
            tile_a[local] = left[q * quads_a + fetch_a];
        }
        if fetch_b < quads_b {
            tile_b[local] = right[q * quads_b + fetch_b];
        }
        workgroupBarrier();
        for (var k = 0u; k < DEPTH; k++) {
            let a = tile_a[k * TILE + y];
            let e = tile_a[k * TILE + y + 16u];
            let b = tile_b[k * TILE + x];
            let f = tile_b[k * TILE + x + 16u];
            c0 += dots(a.x, b); d0 += dots(a.x, f);
            c1 += dots(a.y, b); d1 += dots(a.y, f);
            c2 += dots(a.z, b); d2 += dots(a.z, f);
            c3 += dots(a.w, b); d3 += dots(a.w, f);
            c4 += dots(e.x, b); d4 += dots(e.x, f);
            c5 += dots(e.y, b); d5 += dots(e.y, f);
            c6 += dots(e.z, b); d6 += dots(e.z, f);
            c7 += dots(e.w, b); d7 += dots(e.w, f);
        }
        workgroupBarrier();
    }
    let row = id.y * 128u + 4u * y;
    let column = id.x * TILE + x;
    put(row, column, c0, d0);
    put(row + 1u, column, c1, d1);
    put(row + 2u, column, c2, d2);
    put(row + 3u, column, c3, d3);
    put(row + 64u, column, c4, d4);
    put(row + 65u, column, c5, d5);
    put(row + 66u, column, c6, d6);
    put(row + 67u, column, c7, d7);
}

// Word `n` of a leaf: its round and place, then its entries, then nothing.
fn word(n: u32, row: u32, segment: u32, at: u32) -> u32 {
    if n >= 3u {
        if n - 3u >= params.width {
            return 0u;
        }
        return bitcast<u32>(entries[at + n - 3u]);
    }
    return select(select(segment, row, n == 1u), params.round, n == 0u);
}

// Chunk `chunk` of a leaf. `last` is the flag of a leaf that has no other.
fn chunk_of(chunk: u32, row: u32, segment: u32, at: u32, last: u32) -> Hash {
    let bytes = min(12u + 4u * params.width - 1024u * chunk, 1024u);
    let blocks = (bytes + 63u) / 64u;
    var value = params.key;
    for (var block = 0u; block < blocks; block++) {
        let n = 256u * chunk + 16u * block;
        let end = block + 1u == blocks;
        let flags = select(0u, CHUNK_START, block == 0u) | select(0u, CHUNK_END | last, end);
        let p = vec4(
            word(n, row, segment, at), word(n + 1u, row, segment, at),
            word(n + 2u, row, segment, at), word(n + 3u, row, segment, at));
        let q = vec4(
            word(n + 4u, row, segment, at), word(n + 5u, row, segment, at),
            word(n + 6u, row, segment, at), word(n + 7u, row, segment, at));
        let r = vec4(
            word(n + 8u, row, segment, at), word(n + 9u, row, segment, at),
            word(n + 10u, row, segment, at), word(n + 11u, row, segment, at));
        let s = vec4(
            word(n + 12u, row, segment, at), word(n + 13u, row, segment, at),
            word(n + 14u, row, segment, at), word(n + 15u, row, segment, at));
        let size = select(64u, bytes - 64u * block, end);
        value = compressed(value, Block(p, q, r, s), chunk, size, flags);
    }
    return value;
}

fn joined(left: Hash, right: Hash, root: u32) -> Hash {
    let block = Block(left.low, left.high, right.low, right.high);
    return compressed(params.key, block, 0u, 64u, PARENT | root);
}

// A leaf a thread. Of up to 1,024 entries, so of one, two, three or five chunks.
@compute @workgroup_size(64)
fn leaves(
    @builtin(workgroup_id) id: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let n = number(id, groups, local);
    if n >= params.count {
        return;
    }
    let segments = params.side / params.width;
    let row = params.first + n / segments;
    let segment = n % segments;
    let at = n * params.width;
    let chunks = (12u + 4u * params.width + 1023u) / 1024u;
    var value = chunk_of(0u, row, segment, at, select(0u, ROOT, chunks == 1u));
    if chunks > 1u {
        let second = chunk_of(1u, row, segment, at, 0u);
        value = joined(value, second, select(0u, ROOT, chunks == 2u));
    }
    if chunks == 3u {
        value = joined(value, chunk_of(2u, row, segment, at, 0u), ROOT);
    }
    if chunks == 5u {
        let third = chunk_of(2u, row, segment, at, 0u);
        let fourth = chunk_of(3u, row, segment, at, 0u);
        value = joined(value, joined(third, fourth, 0u), 0u);
        value = joined(value, chunk_of(4u, row, segment, at, 0u), ROOT);
    }
    above[params.into + n] = value;
}

// A level of the tree.
@compute @workgroup_size(64)
fn nodes(
    @builtin(workgroup_id) id: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let n = number(id, groups, local);
    if n < params.count {
        above[params.into + n] = node(params.key, below[2u * n], below[2u * n + 1u]);
    }
}
