/** The life of a lease through the generated client, on our own chain and the real bytecode. */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import {
  type Address,
  fetchEncodedAccount,
  generateKeyPairSigner,
  type Instruction,
  type KeyPairSigner,
  signBytes,
} from "@solana/kit";
import {
  clockAt,
  CloseReason,
  earned,
  explain,
  fee,
  fetchConfig,
  fetchDevice,
  fetchLease,
  fetchPage,
  findConfigPda,
  findDevicePda,
  getAttestInstruction,
  getBindInstructionAsync,
  getClaimReceiptInstructionAsync,
  getCloseInstruction,
  getEndLineInstruction,
  getFinalizeInstructionAsync,
  getOpenLeaseInstructionAsync,
  getReclaimLeaseInstructionAsync,
  getReclaimPageInstruction,
  getRegisterDeviceInstructionAsync,
  getStartInstruction,
  getSweepFeesInstructionAsync,
  getTopUpInstructionAsync,
  getWithdrawInstructionAsync,
  gross,
  type LeaseAddresses,
  LeaseState,
  LineState,
  MARKET_PROGRAM_ADDRESS,
  marketRefusal,
  nextLease,
  pageAddress,
  pageSize,
  readDevice,
  readLease,
  readPage,
  receiptBytes,
  registrationBytes,
  signedStatement,
  Vouch,
} from "../src";
import { example } from "../examples/open";
import { TOKEN_PROGRAM_ADDRESS } from "@solana-program/token";
import { CLAIM_WINDOW_S, FEE_BPS, Network, USDC, type Wallet } from "./network";

/** 1.297 dollars an hour: no division comes out even. */
const RATE = 1_297_003n;
const NOBODY = "11111111111111111111111111111111" as Address;

let network: Network;
let coordinator: Wallet;
let supplier: Wallet;
let renter: Wallet;

before(async () => {
  network = await Network.start();
  [coordinator, supplier, renter] = [
    await network.wallet(0n),
    await network.wallet(0n),
    await network.wallet(100n * USDC),
  ];
});
after(() => network?.chain.stop());

/** Registers a device by a statement that it signed somewhere else. */
async function register(units: number): Promise<Address> {
  const device = await generateKeyPairSigner();
  const now = await network.now();
  const expires = now + 600n;
  const consent = { device: device.address, supplier: supplier.key.address, expires };
  const message = registrationBytes(consent, network.genesisHash);
  const signature = await signBytes(device.keyPair.privateKey, message);
  const instruction = await getRegisterDeviceInstructionAsync({
    supplier: supplier.key,
    payer: supplier.key,
    deviceKey: device.address,
    statementExpires: expires,
    offer: {
      unitsTotal: units,
      asks: [RATE, 0n],
      payoutOwner: supplier.key.address,
      expiresAt: now + 86_400n,
      acceptsAny: true,
      coordinatorsLen: 0,
      coordinators: [NOBODY, NOBODY, NOBODY, NOBODY],
    },
  });
  const statement = signedStatement(device.address, signature, message);
  await network.send(supplier.key, [statement, instruction]);
  return (await findDevicePda({ deviceKey: device.address }))[0];
}

/** What the renters of these tests are ready to pay, and for how long. */
async function terms() {
  return {
    vouch: Vouch.Either,
    sessionRights: 0,
    acceptS: 0,
    slotsMax: 4,
    ratePerSlotMax: RATE,
    rateTotalMax: 10n * RATE,
    expiresAt: (await network.now()) + 3_600n,
    session: NOBODY,
    coordinator: coordinator.key.address,
    policyHash: new Uint8Array(32),
  };
}

async function open(deposit: bigint, counter?: bigint): Promise<LeaseAddresses> {
  const at = await nextLease(network.rpc, renter.key.address);
  const instruction = await getOpenLeaseInstructionAsync({
    renter: renter.key,
    payer: renter.key,
    mint: network.usdc,
    source: renter.usdc,
    counter: counter ?? at.counter,
    deposit,
    ...(await terms()),
  });
  await network.send(renter.key, [instruction]);
  return at;
}

async function bind(lease: Address, devices: Address[], rate = RATE): Promise<Address> {
  const instruction = await getBindInstructionAsync({
    coordinator: coordinator.key,
    payer: coordinator.key,
    lease,
    epoch: 1n,
    pageNumber: 0,
    capacity: 2,
    lines: devices.map(() => ({ units: 1, rate })),
    devices,
  });
  await network.send(coordinator.key, [instruction]);
  return pageAddress(lease, 0);
}

function attest(who: KeyPairSigner, lease: Address, page: Address, served: bigint) {
  const lines = [{ index: 0, served }];
  return getAttestInstruction({ actor: who, lease, page, epoch: 1n, served: lines });
}

function close(at: LeaseAddresses, epoch = 0n) {
  return getCloseInstruction({
    actor: renter.key,
    lease: at.lease,
    vault: at.vault,
    renterToken: renter.usdc,
    tokenProgram: TOKEN_PROGRAM_ADDRESS,
    epoch,
    reason: CloseReason.None,
    refund: true,
  });
}

/** The refusal of a transaction that must be refused. */
async function refused(sending: Promise<unknown>) {
  const error = await sending.then(
    () => assert.fail("it must be refused"),
    (why: unknown) => why,
  );
  const refusal = marketRefusal(error);
  assert.ok(refusal, explain(error));
  assert.ok(explain(error).includes(refusal.advice));
  return refusal;
}

test("a lease from opening to reclaim, to the base unit", async () => {
  const [config] = await findConfigPda();
  assert.equal((await fetchConfig(network.rpc, config)).data.now.feeBps, FEE_BPS);
  const device = await register(2);
  const before = await network.balance(renter.usdc);
  const deposit = 5n * USDC;
  const at = await open(deposit);
  const more = { authority: renter.key, source: renter.usdc, lease: at.lease, amount: USDC };
  await network.send(renter.key, [await getTopUpInstructionAsync(more)]);
  const page = await bind(at.lease, [device, device]);
  assert.equal((await fetchDevice(network.rpc, device)).data.unitsBound, 2);
  const lines = Uint8Array.of(0, 1);
  const run = { coordinator: coordinator.key, lease: at.lease, page, epoch: 1n };
  await network.send(coordinator.key, [getStartInstruction({ ...run, lines: [...lines] })]);

  // One line by the coordinator's word, the other by a receipt that anyone may show.
  const started = (await fetchLease(network.rpc, at.lease)).data;
  assert.equal(started.grossRate, 2n * gross(RATE, FEE_BPS));
  await network.until(started.changedAt + 2n);
  await network.send(coordinator.key, [attest(coordinator.key, at.lease, page, 2n)]);
  const bound = (await fetchPage(network.rpc, page)).data;
  assert.deepEqual(
    bound.lines.map((line) => line.state),
    [LineState.Started, LineState.Started],
  );
  assert.equal((await fetchEncodedAccount(network.rpc, page)).exists, true);
  const generation = bound.lines[1]!.generation;
  const receipt = { lease: at.lease, page: 0, index: 1, generation, served: 1n };
  const message = receiptBytes(receipt, network.genesisHash);
  const signature = await signBytes(coordinator.key.keyPair.privateKey, message);
  await network.send(supplier.key, [
    signedStatement(coordinator.key.address, signature, message),
    await getClaimReceiptInstructionAsync({ lease: at.lease, page, index: 1, served: 1n }),
  ]);

  const running = (await fetchLease(network.rpc, at.lease)).data;
  await network.send(renter.key, [close(at)]);
  const closed = (await fetchLease(network.rpc, at.lease)).data;
  assert.equal(closed.state, LeaseState.Closed);
  assert.equal(closed.closeReason, CloseReason.Renter);
  const clock = clockAt(running, closed.closedAt);
  assert.deepEqual([clock.v, clock.committed], [closed.v, closed.committed]);
  assert.equal(closed.refunded, clock.available);
  assert.equal(await network.balance(renter.usdc), before - closed.committed);

  const pay = {
    lease: at.lease,
    page,
    lines: [0, 1],
    destinations: [supplier.usdc, supplier.usdc],
  };
  await network.send(supplier.key, [await getWithdrawInstructionAsync(pay)]);
  const amounts = [earned(RATE, 2n), earned(RATE, 1n)];
  const owed = amounts.reduce((sum, amount) => sum + amount, 0n);
  const fees = amounts.reduce((sum, amount) => sum + fee(amount, FEE_BPS), 0n);
  assert.equal(await network.balance(supplier.usdc), owed);

  await network.until(closed.closedAt + BigInt(CLAIM_WINDOW_S));
  const { lease, vault } = at;
  const ends = {
    actor: supplier.key,
    lease,
    page,
    epoch: 0n,
    lines: [0, 1],
    devices: [device, device],
  };
  const rest = { lease, vault, renterToken: renter.usdc };
  await network.send(supplier.key, [
    getEndLineInstruction(ends),
    await getFinalizeInstructionAsync(rest),
    await getSweepFeesInstructionAsync({ lease, feeToken: network.feeOwner.usdc }),
  ]);
  assert.equal(await network.balance(network.feeOwner.usdc), fees);
  assert.equal(await network.balance(renter.usdc), before - owed - fees);
  await network.send(supplier.key, [
    getReclaimPageInstruction({ lease, page, rentPayer: coordinator.key.address }),
    await getReclaimLeaseInstructionAsync({ ...rest, rentPayer: renter.key.address }),
  ]);
  for (const gone of [lease, vault, page]) {
    assert.equal((await fetchEncodedAccount(network.rpc, gone)).exists, false);
  }
  assert.equal((await fetchDevice(network.rpc, device)).data.unitsBound, 0);

  // The same from the log alone.
  const of = network.events.filter((event) => "lease" in event.data && event.data.lease === lease);
  assert.deepEqual(
    of.map((event) => event.kind),
    [
      "topUp",
      "bind",
      "start",
      "attest",
      "claimReceipt",
      "close",
      "withdraw",
      "endLine",
      "finalize",
      "sweepFees",
      "reclaimPage",
      "reclaimLease",
    ],
  );
  let [paid, refunded, swept] = [0n, 0n, 0n];
  for (const event of of) {
    if (event.kind === "withdraw") paid += event.data.items.reduce((sum, p) => sum + p.amount, 0n);
    if (event.kind === "close" || event.kind === "finalize") refunded += event.data.amount;
    if (event.kind === "sweepFees") swept += event.data.amount;
  }
  assert.deepEqual([paid, swept, refunded], [owed, fees, deposit + USDC - owed - fees]);
});

test("refusals have a name and say what to do", async () => {
  const device = await register(1);
  const small = await refused(open(999n));
  assert.deepEqual([small.code, small.name], [7041, "DepositTooSmall"]);
  assert.match(small.advice, /minimum/);
  assert.equal((await refused(open(USDC, 77n))).name, "WrongCounter");
  const at = await open(USDC);
  assert.equal((await refused(bind(at.lease, [device], RATE - 1n))).name, "RateBelowAsk");
  assert.equal((await refused(bind(at.lease, [device, device]))).name, "UnitsExhausted");
  const page = await bind(at.lease, [device]);
  const stranger = await network.wallet(0n);
  const lie = network.send(stranger.key, [attest(stranger.key, at.lease, page, 1n)]);
  assert.equal((await refused(lie)).name, "NotCoordinator");
  const early = network.send(coordinator.key, [attest(coordinator.key, at.lease, page, 1n)]);
  assert.equal((await refused(early)).name, "ServedPastClock");
  await network.send(renter.key, [close(at)]);
  const again = network.send(renter.key, [close(at, 1n)]);
  assert.equal((await refused(again)).name, "LeaseNotOpen");
  // An error that is not the program's stays what it is.
  const poor = await generateKeyPairSigner();
  const why = await network.send(poor, [close(at)]).catch((error: unknown) => error);
  assert.equal(marketRefusal(why), undefined);
  assert.ok(explain(why).length > 0);
});

test("an account that is something else is refused", async () => {
  const device = await register(1);
  const at = await open(USDC);
  assert.equal((await readDevice(network.rpc, device)).unitsTotal, 1);
  assert.equal((await readLease(network.rpc, at.lease)).renter, renter.key.address);
  const wrong: [() => Promise<unknown>, RegExp][] = [
    [() => readLease(network.rpc, device), /it is a Device/],
    [() => readDevice(network.rpc, at.lease), /it is a Lease/],
    [() => readPage(network.rpc, at.lease), /it is a Lease/],
    [() => readLease(network.rpc, renter.usdc), /belongs to Tokenkeg/],
    [() => readLease(network.rpc, NOBODY), /is no Lease/],
  ];
  for (const [reading, why] of wrong) await assert.rejects(reading, why);
  await assert.rejects(readLease(network.rpc, (await generateKeyPairSigner()).address));
});

test("the README's example opens a lease", async () => {
  const chosen = await terms();
  const send = (instructions: Instruction[]) => network.send(renter.key, instructions);
  const made = await example(network.chain.url, renter.key, renter.usdc, chosen, send);
  assert.equal(made.lastsUntil, chosen.expiresAt, "nothing runs yet");
  assert.equal((await fetchLease(network.rpc, made.lease)).data.deposit, 5n * USDC);
});

test("what is no page's size is refused", () => {
  assert.equal(pageSize(24), 3_344);
  for (const wrong of [0, 25, 1.5, Number.NaN]) assert.throws(() => pageSize(wrong), RangeError);
  assert.equal(MARKET_PROGRAM_ADDRESS.length, 44);
});
