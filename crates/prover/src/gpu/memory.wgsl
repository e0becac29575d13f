// The pass over memory. What stands before this text: hash.wgsl, and for the chunks that memory is
// bound in `PAIRS`, `load` and `store`.
//
// A workgroup takes PAIRS pairs, a thread a page: reads them together, mixes and hashes in shared
// memory, and hashes up to `levels` levels of their tree.

struct Params {
    seed: Hash,
    page_key: Hash,
    node_key: Hash,
    // What a pass adds to its pairs.
    key: array<vec4<u32>, 4>,
    // Of the pairing: what is added, tilted by, multiplied by, and nothing.
    rounds: array<vec4<u32>, 4>,
    steps: u32,
    bits: u32,
    // Pages, or hashes to make.
    count: u32,
    levels: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read_write> above: array<Hash>;
@group(0) @binding(2) var<storage, read> below: array<Hash>;
@group(0) @binding(3) var<storage, read> asked: array<u32>;
@group(0) @binding(4) var<storage, read_write> answer: array<vec4<u32>>;

const PAGES = 2u * PAIRS;
var<workgroup> tile: array<vec4<u32>, 64u * PAIRS>;
var<workgroup> places: array<u32, PAGES>;

// Where a page's word-quads stand: turned about, so that threads that read the same quad of
// neighbouring pages do not meet in one bank.
fn slot(page: u32, quad: u32) -> u32 {
    return 32u * page + (quad ^ (page & 7u));
}

fn place_of(leaf: u32) -> u32 {
    let mask = (1u << params.bits) - 1u;
    let fold = (params.bits + 1u) / 2u;
    var upper = leaf >> params.bits;
    var lower = leaf & mask;
    for (var n = 0u; n < 4u; n++) {
        let drawn = params.rounds[n];
        lower = ((lower + drawn.x + upper * drawn.y) * drawn.z) & mask;
        lower ^= lower >> fold;
        upper = (upper + lower) % params.steps;
    }
    return (upper << params.bits) | lower;
}

// The 4 x 8 words of a block of two pages: columns 0 to 3 and 4 to 7.
struct Wide { low: Rows, high: Rows }

// Rows turned left by their number.
fn slanted(s: Wide) -> Wide {
    let l = s.low;
    let h = s.high;
    return Wide(
        Rows(l.a, vec4(l.b.yzw, h.b.x), vec4(l.c.zw, h.c.xy), vec4(l.d.w, h.d.xyz)),
        Rows(h.a, vec4(h.b.yzw, l.b.x), vec4(h.c.zw, l.c.xy), vec4(h.d.w, l.d.xyz)),
    );
}

// And back.
fn straight(s: Wide) -> Wide {
    let l = s.low;
    let h = s.high;
    return Wide(
        Rows(l.a, vec4(h.b.w, l.b.xyz), vec4(h.c.zw, l.c.xy), vec4(h.d.yzw, l.d.x)),
        Rows(h.a, vec4(l.b.w, h.b.xyz), vec4(l.c.zw, h.c.xy), vec4(l.d.yzw, h.d.x)),
    );
}

fn unquartered(s: Rows) -> Rows {
    var b = turn(s.b, 25u) ^ s.c;
    var c = s.c - s.d;
    var d = turn(s.d, 24u) ^ s.a;
    var a = s.a - b;
    b = turn(b, 20u) ^ c;
    c = c - d;
    d = turn(d, 16u) ^ a;
    a = a - b;
    return Rows(a, b, c, d);
}

fn block_of(page: u32, n: u32) -> Block {
    return Block(
        tile[slot(page, 4u * n)], tile[slot(page, 4u * n + 1u)],
        tile[slot(page, 4u * n + 2u)], tile[slot(page, 4u * n + 3u)]);
}

fn keep(page: u32, n: u32, block: Block) {
    tile[slot(page, 4u * n)] = block.p;
    tile[slot(page, 4u * n + 1u)] = block.q;
    tile[slot(page, 4u * n + 2u)] = block.r;
    tile[slot(page, 4u * n + 3u)] = block.s;
}

fn either(x: Block, y: Block) -> Block {
    return Block(x.p ^ y.p, x.q ^ y.q, x.r ^ y.r, x.s ^ y.s);
}

fn first_carry(pair: u32) -> Block {
    let key = params.key[0] ^ vec4(pair, 0u, 0u, 0u);
    return Block(key, params.key[1], params.key[2], params.key[3]);
}

fn mix(local: u32, pair: u32) {
    var carry = first_carry(pair);
    for (var n = 0u; n < 8u; n++) {
        let x = block_of(2u * local, n);
        let y = block_of(2u * local + 1u, n);
        var s = Wide(
            Rows(x.p + carry.p, x.r + carry.r, y.p, y.r),
            Rows(x.q + carry.q, x.s + carry.s, y.q, y.s));
        s = slanted(Wide(quartered(s.low), quartered(s.high)));
        s = straight(Wide(quartered(s.low), quartered(s.high)));
        let u = Block(s.low.a, s.high.a, s.low.b, s.high.b);
        let v = Block(s.low.c, s.high.c, s.low.d, s.high.d);
        keep(2u * local, n, u);
        keep(2u * local + 1u, n, v);
        carry = either(u, v);
    }
}

fn unmix(local: u32, pair: u32) {
    var carry = first_carry(pair);
    for (var n = 0u; n < 8u; n++) {
        let u = block_of(2u * local, n);
        let v = block_of(2u * local + 1u, n);
        var s = slanted(Wide(Rows(u.p, u.r, v.p, v.r), Rows(u.q, u.s, v.q, v.s)));
        s = straight(Wide(unquartered(s.low), unquartered(s.high)));
        s = Wide(unquartered(s.low), unquartered(s.high));
        let x = Block(
            s.low.a - carry.p, s.high.a - carry.q,
            s.low.b - carry.r, s.high.b - carry.s);
        keep(2u * local, n, x);
        keep(2u * local + 1u, n, Block(s.low.c, s.high.c, s.low.d, s.high.d));
        carry = either(u, v);
    }
}

fn fetch(first: u32, local: u32) {
    for (var n = 0u; n < 32u; n++) {
        let v = n * PAGES + local;
        if first + v / 32u < params.count {
            tile[slot(v / 32u, v % 32u)] = load(places[v / 32u], v % 32u);
        }
    }
}

// The pairs of the leaves from `first` on.
fn fetch_pairs(first: u32, local: u32) {
    places[local] = place_of(first + local);
    workgroupBarrier();
    fetch(first, local);
    workgroupBarrier();
}

fn give_back(first: u32, local: u32) {
    for (var n = 0u; n < 32u; n++) {
        let v = n * PAGES + local;
        if first + v / 32u < params.count {
            store(places[v / 32u], v % 32u, tile[slot(v / 32u, v % 32u)]);
        }
    }
}

// The hash of each thread's page, then the levels above.
fn hashed(first: u32, local: u32) {
    var value = params.page_key;
    for (var n = 0u; n < 8u; n++) {
        let flags = select(0u, CHUNK_START, n == 0u) | select(0u, CHUNK_END | ROOT, n == 7u);
        value = compressed(value, block_of(local, n), 0u, 64u, flags);
    }
    workgroupBarrier();
    tile[2u * local] = value.low;
    tile[2u * local + 1u] = value.high;
    workgroupBarrier();
    for (var level = 0u; level < params.levels; level++) {
        let left = Hash(tile[4u * local % (2u * PAGES)], tile[(4u * local + 1u) % (2u * PAGES)]);
        let right =
            Hash(tile[(4u * local + 2u) % (2u * PAGES)], tile[(4u * local + 3u) % (2u * PAGES)]);
        workgroupBarrier();
        if local < (PAGES >> (level + 1u)) {
            let both = node(params.node_key, left, right);
            tile[2u * local] = both.low;
            tile[2u * local + 1u] = both.high;
        }
        workgroupBarrier();
    }
    let at = (first >> params.levels) + local;
    if local < (PAGES >> params.levels) && at < (params.count >> params.levels) {
        above[at] = Hash(tile[2u * local], tile[2u * local + 1u]);
    }
}

fn group(id: vec3<u32>, groups: vec3<u32>) -> u32 {
    return id.y * groups.x + id.x;
}

// Pages as they grow.
@compute @workgroup_size(PAGES)
fn grow(
    @builtin(workgroup_id) id: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let first = group(id, groups) * PAGES;
    places[local] = first + local;
    for (var n = 0u; n < 8u; n++) {
        keep(local, n, stream(params.seed, n, first + local));
    }
    workgroupBarrier();
    give_back(first, local);
    hashed(first, local);
}

@compute @workgroup_size(PAGES)
fn pass_over(
    @builtin(workgroup_id) id: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let first = group(id, groups) * PAGES;
    fetch_pairs(first, local);
    if local < PAIRS {
        mix(local, first / 2u + local);
    }
    workgroupBarrier();
    give_back(first, local);
    hashed(first, local);
}

@compute @workgroup_size(PAGES)
fn back(
    @builtin(workgroup_id) id: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let first = group(id, groups) * PAGES;
    fetch_pairs(first, local);
    if local < PAIRS {
        unmix(local, first / 2u + local);
    }
    workgroupBarrier();
    give_back(first, local);
}

// Pages that are asked for: a thread for 16 bytes of one.
@compute @workgroup_size(64)
fn gather(
    @builtin(workgroup_id) id: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let n = group(id, groups) * 64u + local;
    if n / 32u < params.count {
        answer[n] = load(asked[n / 32u], n % 32u);
    }
}

@compute @workgroup_size(64)
fn nodes(
    @builtin(workgroup_id) id: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let n = group(id, groups) * 64u + local;
    if n < params.count {
        above[n] = node(params.node_key, below[2u * n], below[2u * n + 1u]);
    }
}
