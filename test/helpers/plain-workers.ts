import { Redis } from 'ioredis';

/** Workers that read Redis themselves, as their owners wrote them: the usual loops, and nothing of ours in them. */
export interface PlainWorker extends AsyncDisposable {
  /** What it was through with, in order. */
  readonly ran: readonly string[];
  /** Resolves when it is through with the job that it has. */
  stop(): Promise<void>;
}

/** Seconds; so long a loop takes to notice that it shall stop. */
const BLOCK_S = 0.2;

/** `while job = BRPOP key; run(job)`: a job that it has is gone from Redis. */
export function startListWorker(port: number, key: string): PlainWorker {
  return startLoop(port, async (redis, run) => {
    const [, job] = (await redis.brpop(key, BLOCK_S)) ?? [];
    if (job !== undefined) run(job);
  });
}

/** `XREADGROUP`, run, `XACK` and `XDEL`, in the group of the lanes. */
export function startStreamWorker(port: number, key: string): PlainWorker {
  let isMade = false;
  return startLoop(port, async (redis, run) => {
    if (!isMade) await redis.xgroup('CREATE', key, GROUP, '0', 'MKSTREAM').catch(unlessThere);
    isMade = true;
    const options = ['COUNT', '10', 'BLOCK', String(BLOCK_S * 1000), 'STREAMS', key, '>'];
    const read = (await redis.call('XREADGROUP', 'GROUP', GROUP, 'worker', ...options)) as StreamAnswer;
    for (const [id, [, payload]] of read?.[0]?.[1] ?? []) {
      run(payload!);
      await redis.xack(key, GROUP, id);
      await redis.xdel(key, id);
    }
  });
}

const GROUP = 'lanewise';

type StreamAnswer = [key: string, entries: [id: string, fields: string[]][]][] | null;

function unlessThere(error: unknown): void {
  if (!String(error).includes('BUSYGROUP')) throw error;
}

function startLoop(
  port: number,
  round: (redis: Redis, run: (job: string) => void) => Promise<void>,
): PlainWorker {
  const ran: string[] = [];
  // RESP 2 is what such loops are written for: answers are lists.
  const redis = new Redis({ host: '127.0.0.1', port, protocol: 2, retryStrategy: () => 20 });
  redis.on('error', () => undefined);
  const stopping = new AbortController();
  const loop = async (): Promise<void> => {
    while (!stopping.signal.aborted) {
      try {
        await round(redis, (job) => void ran.push(job));
      } catch {
        // Redis is away: its owner's supervisor starts it again.
      }
    }
  };
  const done = loop();
  const stop = async (): Promise<void> => {
    stopping.abort();
    await done;
  };
  return {
    ran,
    stop,
    async [Symbol.asyncDispose]() {
      stopping.abort();
      redis.disconnect();
      await done;
    },
  };
}
