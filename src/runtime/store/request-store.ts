/**
 * What the instances of the control plane share about requests as such: how many a caller has left, and what a caller
 * was told already. Both run by the store's clock.
 */
export interface RequestStore {
  /** Takes one token out of the bucket, if it holds a whole one. A bucket that nobody has taken from is full. */
  takeToken(bucket: string, rate: TokenRate): Promise<TokenResult>;
  /**
   * Of all who claim the same key, one is told `claimed` and shall keep or release it. The claim ends by itself after
   * `leaseMs`, in case that its owner is no more.
   */
  claimRequest(claim: RequestClaim, leaseMs: number): Promise<ClaimResult>;
  /** For everybody who claims the key within `ttlMs`. Does nothing if the claim has ended. */
  keepAnswer(claim: RequestClaim, answer: string, ttlMs: number): Promise<void>;
  /** The key is free again. Does nothing if the claim has ended or its answer is kept. */
  releaseRequest(claim: RequestClaim): Promise<void>;
}

/** `burst` tokens fit into a bucket, and `perMinute` flow into it. Both are above 0. */
export interface TokenRate {
  readonly perMinute: number;
  readonly burst: number;
}

export interface TokenResult {
  readonly allowed: boolean;
  /** Whole tokens that are left. */
  readonly remaining: number;
  /** When the bucket is full again, milliseconds since the epoch. */
  readonly fullAt: number;
  /** How long until it holds a whole token; 0 while it does. */
  readonly retryAfterMs: number;
}

export interface RequestClaim {
  /** Who asks for what, as one word. */
  readonly key: string;
  /** One word that differs where the request does. */
  readonly fingerprint: string;
  /** One word, of this attempt alone. */
  readonly owner: string;
}

export type ClaimResult =
  | { readonly kind: 'claimed' }
  /** Somebody else has claimed it and not answered yet. */
  | { readonly kind: 'running'; readonly fingerprint: string }
  | { readonly kind: 'answered'; readonly fingerprint: string; readonly answer: string };

/**
 * A token bucket as one number, the time at which it is full (the generic cell rate algorithm, ITU-T I.371 annex A):
 * each token taken pushes that time `interval` further away, and it may lie at most `burst` intervals ahead. What the
 * two stores do with their own clocks follows this.
 */
export function intervalMs({ perMinute }: TokenRate): number {
  return 60_000 / perMinute;
}

/** @param fullInMs how far away the full bucket is, after this call took its token if it was allowed to */
export function tokensLeft(fullInMs: number, rate: TokenRate): Omit<TokenResult, 'allowed' | 'fullAt'> {
  // A hair's breadth of rounding must not cost a token.
  const left = rate.burst - fullInMs / intervalMs(rate) + 1e-6;
  return {
    remaining: Math.max(0, Math.floor(left)),
    retryAfterMs: left >= 1 ? 0 : (1 - left) * intervalMs(rate),
  };
}
