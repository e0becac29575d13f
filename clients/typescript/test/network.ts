/** A network on that chain: mints, configuration and wallets, made with standard packages. */
import { getCreateAccountInstruction } from "@solana-program/system";
import {
  fetchToken,
  findAssociatedTokenPda,
  getCreateAssociatedTokenIdempotentInstructionAsync,
  getInitializeMint2Instruction,
  getMintSize,
  getMintToInstruction,
  TOKEN_PROGRAM_ADDRESS,
} from "@solana-program/token";
import {
  type Address,
  airdropFactory,
  appendTransactionMessageInstructions,
  assertAccountExists,
  assertIsTransactionWithBlockhashLifetime,
  createSolanaRpc,
  createSolanaRpcSubscriptions,
  createTransactionMessage,
  fetchEncodedAccount,
  generateKeyPairSigner,
  getAddressDecoder,
  getAddressEncoder,
  getSignatureFromTransaction,
  type Instruction,
  type KeyPairSigner,
  lamports,
  pipe,
  type Rpc,
  type RpcSubscriptions,
  sendAndConfirmTransactionFactory,
  setTransactionMessageFeePayerSigner,
  setTransactionMessageLifetimeUsingBlockhash,
  type Signature,
  type SolanaRpcApi,
  type SolanaRpcSubscriptionsApi,
  signTransactionMessageWithSigners,
} from "@solana/kit";
import { fetchSysvarClock } from "@solana/sysvars";
import {
  getInitConfigInstructionAsync,
  MARKET_PROGRAM_ADDRESS,
  type MarketEvent,
  readEvents,
} from "../src";
import { type Chain, startChain } from "./chain";

/** A dollar in base units. */
export const USDC = 1_000_000n;
/** Seconds after closing in which served seconds may be claimed here. */
export const CLAIM_WINDOW_S = 2;
/** Fee in basis points. */
export const FEE_BPS = 200;
const SOL = 1_000_000_000n;
/** Milliseconds within which something must come about. */
const PATIENCE_MS = 60_000;
/** The upgradeable loader, whose account of a program names who may upgrade it. */
const LOADER = "BPFLoaderUpgradeab1e11111111111111111111111" as Address;

/** A key with SOL, and a token account in each mint. */
export interface Wallet {
  key: KeyPairSigner;
  usdc: Address;
}

export class Network {
  readonly events: MarketEvent[] = [];

  private constructor(
    readonly chain: Chain,
    readonly rpc: Rpc<SolanaRpcApi>,
    private readonly subscriptions: RpcSubscriptions<SolanaRpcSubscriptionsApi>,
    readonly admin: KeyPairSigner,
    readonly usdc: Address,
    readonly feeOwner: Wallet,
    readonly genesisHash: string,
  ) {}

  static async start(): Promise<Network> {
    const admin = await generateKeyPairSigner();
    const chain = await startChain(admin.address);
    const rpc = createSolanaRpc(chain.url);
    const subscriptions = createSolanaRpcSubscriptions(chain.wsUrl);
    const genesisHash = await rpc.getGenesisHash().send();
    const mints = [await generateKeyPairSigner(), await generateKeyPairSigner()] as const;
    const usdc = mints[0].address;
    const owner = await generateKeyPairSigner();
    const fees = { key: owner, usdc: await associated(owner.address, usdc) };
    const network = new Network(chain, rpc, subscriptions, admin, usdc, fees, genesisHash);
    await network.airdrop(admin.address);
    const space = BigInt(getMintSize());
    const rent = await rpc.getMinimumBalanceForRentExemption(space).send();
    for (const newAccount of mints) {
      const programAddress = TOKEN_PROGRAM_ADDRESS;
      const account = { payer: admin, newAccount, lamports: rent, space, programAddress };
      const mint = newAccount.address;
      const made = { mint, decimals: 6, mintAuthority: admin.address, freezeAuthority: null };
      await network.send(admin, [
        getCreateAccountInstruction(account),
        getInitializeMint2Instruction(made),
      ]);
    }
    await network.configure([usdc, mints[1].address]);
    await network.fund(fees, 0n);
    return network;
  }

  private async configure(mints: [Address, Address]): Promise<void> {
    const settings = {
      feeBps: FEE_BPS,
      claimWindowS: CLAIM_WINDOW_S,
      graceS: 600,
      payoutCooldownS: 60,
      configCooldownS: 60,
      minDeposit: [1_000n, 1_000n],
      admin: this.admin.address,
      feeOwner: this.feeOwner.key.address,
      mints,
    };
    const instruction = await getInitConfigInstructionAsync({
      payer: this.admin,
      authority: this.admin,
      programData: await this.programData(),
      genesisHash: getAddressEncoder().encode(this.genesisHash as Address),
      settings,
    });
    await this.send(this.admin, [instruction]);
  }

  /** The loader's record of the program: named in the program's own account. */
  private async programData(): Promise<Address> {
    const program = await fetchEncodedAccount(this.rpc, MARKET_PROGRAM_ADDRESS);
    assertAccountExists(program);
    if (program.programAddress !== LOADER) throw new Error("the program is not upgradeable");
    return getAddressDecoder().decode(program.data, 4);
  }

  private async airdrop(to: Address): Promise<void> {
    const { rpc, subscriptions: rpcSubscriptions } = this;
    const drop = airdropFactory({ rpc, rpcSubscriptions });
    const amount = lamports(10n * SOL);
    await drop({ commitment: "confirmed", lamports: amount, recipientAddress: to });
  }

  private async fund(wallet: Wallet, amount: bigint): Promise<void> {
    await this.airdrop(wallet.key.address);
    const { admin: payer, usdc: mint } = this;
    const owner = wallet.key.address;
    const to = { mint, token: wallet.usdc, mintAuthority: payer, amount };
    await this.send(payer, [
      await getCreateAssociatedTokenIdempotentInstructionAsync({ payer, owner, mint }),
      getMintToInstruction(to),
    ]);
  }

  /** A new wallet with so much USDC. */
  async wallet(amount: bigint): Promise<Wallet> {
    const key = await generateKeyPairSigner();
    const wallet = { key, usdc: await associated(key.address, this.usdc) };
    await this.fund(wallet, amount);
    return wallet;
  }

  /** Sends one transaction, waits for it, and reads its events from the chain. */
  async send(payer: KeyPairSigner, instructions: Instruction[]): Promise<Signature> {
    const { value: blockhash } = await this.rpc.getLatestBlockhash().send();
    const message = pipe(
      createTransactionMessage({ version: 0 }),
      (m) => setTransactionMessageFeePayerSigner(payer, m),
      (m) => setTransactionMessageLifetimeUsingBlockhash(blockhash, m),
      (m) => appendTransactionMessageInstructions(instructions, m),
    );
    const signed = await signTransactionMessageWithSigners(message);
    assertIsTransactionWithBlockhashLifetime(signed);
    const { rpc, subscriptions: rpcSubscriptions } = this;
    await sendAndConfirmTransactionFactory({ rpc, rpcSubscriptions })(signed, {
      commitment: "confirmed",
    });
    const signature = getSignatureFromTransaction(signed);
    const found = await this.rpc
      .getTransaction(signature, {
        commitment: "confirmed",
        encoding: "base64",
        maxSupportedTransactionVersion: 0,
      })
      .send();
    this.events.push(...readEvents(found?.meta?.logMessages ?? []));
    return signature;
  }

  /** What a token account holds. */
  async balance(account: Address): Promise<bigint> {
    return (await fetchToken(this.rpc, account)).data.amount;
  }

  /** The chain's time in unix seconds. */
  async now(): Promise<bigint> {
    return (await fetchSysvarClock(this.rpc)).unixTimestamp;
  }

  /** Waits until the chain's time has passed `second`. */
  async until(second: bigint): Promise<void> {
    const deadline = Date.now() + PATIENCE_MS;
    while ((await this.now()) <= second) {
      if (Date.now() > deadline) throw new Error(`the chain's clock does not reach ${second}`);
      await new Promise((done) => setTimeout(done, 200));
    }
  }
}

async function associated(owner: Address, mint: Address): Promise<Address> {
  const [at] = await findAssociatedTokenPda({ owner, mint, tokenProgram: TOKEN_PROGRAM_ADDRESS });
  return at;
}
