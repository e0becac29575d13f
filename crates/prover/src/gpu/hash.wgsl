// BLAKE3, keyed, and ChaCha with eight rounds. States are four rows of four words; a row's columns
// go through a quarter round side by side. Nothing is indexed, so that all of it stays in registers.

struct Rows { a: vec4<u32>, b: vec4<u32>, c: vec4<u32>, d: vec4<u32> }

fn turn(v: vec4<u32>, left: u32) -> vec4<u32> {
    return (v << vec4(left)) | (v >> vec4(32u - left));
}

// 64 bytes.
struct Block { p: vec4<u32>, q: vec4<u32>, r: vec4<u32>, s: vec4<u32> }
// 32 bytes.
struct Hash { low: vec4<u32>, high: vec4<u32> }

fn mixed(s: Rows, x: vec4<u32>, y: vec4<u32>) -> Rows {
    var a = s.a + s.b + x;
    var d = turn(s.d ^ a, 16u);
    var c = s.c + d;
    var b = turn(s.b ^ c, 20u);
    a = a + b + y;
    d = turn(d ^ a, 24u);
    c = c + d;
    b = turn(b ^ c, 25u);
    return Rows(a, b, c, d);
}

fn round(s: Rows, m: Block) -> Rows {
    let x = mixed(s, vec4(m.p.xz, m.q.xz), vec4(m.p.yw, m.q.yw));
    let t = Rows(x.a, x.b.yzwx, x.c.zwxy, x.d.wxyz);
    let y = mixed(t, vec4(m.r.xz, m.s.xz), vec4(m.r.yw, m.s.yw));
    return Rows(y.a, y.b.wxyz, y.c.zwxy, y.d.yzwx);
}

fn permuted(m: Block) -> Block {
    return Block(
        vec4(m.p.z, m.q.z, m.p.w, m.r.z),
        vec4(m.q.w, m.p.x, m.q.x, m.s.y),
        vec4(m.p.y, m.r.w, m.s.x, m.q.y),
        vec4(m.r.y, m.s.z, m.s.w, m.r.x),
    );
}

const CHUNK_START = 1u;
const CHUNK_END = 2u;
const PARENT = 4u;
const ROOT = 8u;
const KEYED = 16u;

// `chunk` is the chunk's number, `bytes` how many of the block's count.
fn compressed(value: Hash, block: Block, chunk: u32, bytes: u32, flags: u32) -> Hash {
    let start = vec4(0x6a09e667u, 0xbb67ae85u, 0x3c6ef372u, 0xa54ff53au);
    var s = Rows(value.low, value.high, start, vec4(chunk, 0u, bytes, flags | KEYED));
    var m = block;
    s = round(s, m);
    m = permuted(m);
    s = round(s, m);
    m = permuted(m);
    s = round(s, m);
    m = permuted(m);
    s = round(s, m);
    m = permuted(m);
    s = round(s, m);
    m = permuted(m);
    s = round(s, m);
    m = permuted(m);
    s = round(s, m);
    return Hash(s.a ^ s.c, s.b ^ s.d);
}

// What stands above two hashes of a tree.
fn node(key: Hash, left: Hash, right: Hash) -> Hash {
    let block = Block(left.low, left.high, right.low, right.high);
    return compressed(key, block, 0u, 64u, CHUNK_START | CHUNK_END | ROOT);
}

fn quartered(s: Rows) -> Rows {
    var a = s.a + s.b;
    var d = turn(s.d ^ a, 16u);
    var c = s.c + d;
    var b = turn(s.b ^ c, 12u);
    a = a + b;
    d = turn(d ^ a, 8u);
    c = c + d;
    b = turn(b ^ c, 7u);
    return Rows(a, b, c, d);
}

fn doubled(s: Rows) -> Rows {
    let x = quartered(s);
    let y = quartered(Rows(x.a, x.b.yzwx, x.c.zwxy, x.d.wxyz));
    return Rows(y.a, y.b.wxyz, y.c.zwxy, y.d.yzwx);
}

// Block `number` of the stream of a seed and a nonce.
fn stream(seed: Hash, number: u32, nonce: u32) -> Block {
    let start = vec4(0x61707865u, 0x3320646eu, 0x79622d32u, 0x6b206574u);
    let last = vec4(number, nonce, 0u, 0u);
    var s = Rows(start, seed.low, seed.high, last);
    s = doubled(doubled(doubled(doubled(s))));
    return Block(s.a + start, s.b + seed.low, s.c + seed.high, s.d + last);
}
