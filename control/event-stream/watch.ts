import type { Clock } from '../../src/core/clock.ts';
import type { Deployment, DeploymentEvent } from '../../src/core/deployment.ts';
import { LanewiseError } from '../../src/core/errors.ts';
import type { Logger } from '../../src/runtime/log.ts';
import type { Store } from '../../src/runtime/store/store.ts';
import { toInstant } from '../api/fields.ts';
import { createEventLog, encodeFrame } from './event-log.ts';
import type { FrameType } from './frames.ts';
import { createRefresh } from './refresh.ts';
import { createStream, type Stream, type StreamSocket } from './stream.ts';

/**
 * A deployment that somebody watches: its events, kept up to date by what is published and, where that has a gap, by
 * reading; how it is doing, observed once for all who watch; and their streams.
 */
export interface Watch {
  /** @param isSure whether all that is published is heard, so that the log needs no reading */
  open(since: string | undefined, isSure: boolean): Promise<OpenStream>;
  onEvent(event: DeploymentEvent, position: number): void;
  onDeleted(): void;
  /** Reads what may have been missed. */
  catchUp(): void;
}

/** A place is kept from now on, before the client is told that it is connected. */
export interface OpenStream {
  attach(socket: StreamSocket): void;
  /** The last message, now or as soon as there is a connection. */
  end(code: number, reason: string): void;
  /** The client has gone. To be called once. */
  close(): void;
}

/** How a deployment is doing, as `GET …/metrics` and `GET …/health` say it. */
export interface LiveObserver {
  observe(deployment: Deployment): Promise<LiveObservation>;
}

interface LiveObservation {
  readonly metrics: unknown;
  readonly health: { readonly overall_status: string };
}

export interface WatchOptions {
  readonly store: Pick<Store, 'getDeployment' | 'listEvents'>;
  readonly clock: Clock;
  readonly log: Logger;
  readonly observer: LiveObserver;
  readonly metricsIntervalMs: number;
  readonly bufferedBytesMax: number;
}

/** https://www.rfc-editor.org/rfc/rfc6455#section-7.4.1 */
const CLOSE_NORMAL = 1000;

const DELETED = 'the deployment was deleted';

/** What is known of a deployment's health before the first observation. */
const HEALTH_UNKNOWN = 'unknown';

export function createWatch(deploymentId: string, options: WatchOptions, onEmpty: () => void): Watch {
  const { store, clock, observer, metricsIntervalMs, bufferedBytesMax } = options;
  const log = options.log.child({ deployment: deploymentId });
  const events = createEventLog();
  const streams = new Set<Stream>();
  /** Of the deployment's record, when the log was read. */
  let version = 0;
  let isDeleted = false;
  let isLooking = false;
  let metrics: Buffer | undefined;
  let health = HEALTH_UNKNOWN;

  const advance = (): void => {
    for (const stream of streams) stream.advance();
  };

  const onDeleted = (): void => {
    isDeleted = true;
    for (const stream of streams) stream.end(CLOSE_NORMAL, DELETED);
  };

  const refresh = createRefresh(async () => {
    // In this order: an event that comes in between is read again at the next look, not missed.
    const deployment = await store.getDeployment(deploymentId);
    if (deployment === undefined) return onDeleted();
    events.merge((await store.listEvents(deploymentId)).toReversed());
    ({ version } = deployment);
    advance();
  });

  const note = (error: unknown): void => {
    const isOutage = error instanceof LanewiseError && error.code === 'STORE_UNAVAILABLE';
    log[isOutage ? 'debug' : 'warn']({ err: error }, 'a watched deployment could not be read');
  };

  const catchUp = (): void => void refresh().catch(note);

  const frame = (type: FrameType, data: unknown): Buffer =>
    encodeFrame({ type, deployment_id: deploymentId, timestamp: toInstant(clock.now()), data });

  const tell = (told: Buffer): void => {
    for (const stream of streams) stream.sendLive(told);
  };

  const observe = async (deployment: Deployment): Promise<void> => {
    const observation = await observer.observe(deployment);
    metrics = frame('metrics_updated', observation.metrics);
    tell(metrics);
    const { overall_status } = observation.health;
    if (overall_status === health) return;
    tell(frame('health_status_changed', { old_status: health, new_status: overall_status }));
    health = overall_status;
  };

  /** How it is doing; and whether all that was published has come, since a node of a Cluster may lose a message. */
  const look = async (): Promise<void> => {
    if (isLooking || isDeleted) return;
    isLooking = true;
    try {
      const deployment = await store.getDeployment(deploymentId);
      if (deployment === undefined) return onDeleted();
      if (deployment.version !== version) await refresh();
      await observe(deployment);
    } catch (error) {
      note(error);
    } finally {
      isLooking = false;
    }
  };

  /** What the others know already. */
  const brief = (stream: Stream): void => {
    if (metrics === undefined) return void look();
    stream.sendLive(metrics);
    if (health === HEALTH_UNKNOWN) return;
    stream.sendLive(frame('health_status_changed', { old_status: HEALTH_UNKNOWN, new_status: health }));
  };

  const timer = setInterval(() => void look(), metricsIntervalMs);

  const close = (stream: Stream): void => {
    if (!streams.delete(stream) || streams.size > 0) return;
    clearInterval(timer);
    onEmpty();
  };

  const startOf = async (since: string | undefined): Promise<number> => {
    if (since === undefined) return events.length;
    // Another instance may have told of it before this one has heard of it.
    if (!events.has(since)) await refresh();
    return events.placeAfter(since);
  };

  return {
    async open(since, isSure) {
      const stream = createStream({
        log: events,
        bufferedBytesMax,
        onCutOff: (bufferedBytes) => log.info({ bufferedBytes }, 'a client of the event stream was too slow'),
      });
      streams.add(stream);
      try {
        if (version === 0 || !isSure) await refresh();
        stream.start(await startOf(since));
      } catch (error) {
        close(stream);
        throw error;
      }
      return {
        attach(socket) {
          stream.attach(socket);
          brief(stream);
        },
        end: (code, reason) => stream.end(code, reason),
        close: () => close(stream),
      };
    },
    onEvent(event, position) {
      if (events.append(event, position)) advance();
      else catchUp();
    },
    onDeleted,
    catchUp,
  };
}
