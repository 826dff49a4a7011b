import { createPool, holdsSame, type Endpoint, type Pool } from './pool.ts';

/**
 * The pools in use, by their members. Queues served by the same workers share them, and so their rings: a thousand
 * queues on the same hundred workers cost one ring, and the caches of the processor see one.
 */
export class SharedPools<E extends Endpoint> {
  readonly #byMembers = new Map<string, { readonly pool: Pool<E>; users: number }[]>();

  /** A pool of exactly these endpoints; give it back with `release`. */
  take(endpoints: readonly E[]): Pool<E> {
    const key = membersKey(endpoints);
    const alike = this.#byMembers.get(key) ?? [];
    let entry = alike.find(({ pool }) => holdsSame(pool, endpoints));
    if (entry === undefined) {
      entry = { pool: createPool(endpoints), users: 0 };
      this.#byMembers.set(key, [...alike, entry]);
    }
    entry.users++;
    return entry.pool;
  }

  release(pool: Pool<E>): void {
    const key = membersKey(pool.endpoints);
    const alike = this.#byMembers.get(key) ?? [];
    const entry = alike.find((candidate) => candidate.pool === pool);
    if (entry === undefined || --entry.users > 0) return;
    const rest = alike.filter((candidate) => candidate !== entry);
    if (rest.length > 0) this.#byMembers.set(key, rest);
    else this.#byMembers.delete(key);
  }
}

function membersKey(endpoints: readonly Endpoint[]): string {
  return endpoints.map((e) => e.worker.id).join('\n');
}
