import type { Queue, QueueLane } from '../../../src/client/api-types.ts';
import { usePolled } from '../live/polled.ts';
import { count, plural, span, words } from '../model/format.ts';
import { hashOf } from '../model/place.ts';
import { Empty, Loading } from '../parts/empty.tsx';
import { Icon } from '../parts/icon.tsx';
import { RefusalNote } from '../parts/refusal-note.tsx';

/** What waits in which lane, and what has died. */

const POLL_MS = 5000;

const ENQUEUE_COMMAND = `curl -i http://127.0.0.1:8090/dispatch/payment-processing -d '{"amount": 1999}'`;

export function QueuesPage() {
  const { data, problem } = usePolled(
    'queues',
    POLL_MS,
    async (client) => (await client.listQueues()).queues,
  );
  const dead = data?.reduce((sum, queue) => sum + (queue.dead ?? 0), 0) ?? 0;
  return (
    <>
      <div class="page-head">
        <div>
          <h1>Queues</h1>
          <p class="quiet">
            {data === undefined
              ? '\u00a0'
              : `${plural(data.length, 'queue')}, ${dead === 0 ? 'no dead letters' : plural(dead, 'dead letter')}`}
          </p>
        </div>
      </div>
      {data === undefined && (problem === undefined ? <Loading /> : <RefusalNote refusal={problem} />)}
      {data?.length === 0 && (
        <Empty title="No queue is known yet" command={ENQUEUE_COMMAND}>
          <p>
            A queue is known once it has a worker, a deployment, or settings of its own. Register a worker for
            it, then send a job:
          </p>
        </Empty>
      )}
      {data !== undefined && data.length > 0 && (
        <div class="list list-queues">
          <div class="list-head" aria-hidden="true">
            <span>Queue</span>
            <span>Lane</span>
            <span class="number">Waiting</span>
            <span class="number">Delayed</span>
            <span class="number">In flight</span>
            <span class="number">Oldest</span>
            <span class="number">Dead letters</span>
          </div>
          <ul>
            {data.map((queue) => (
              <Row key={queue.name} queue={queue} />
            ))}
          </ul>
        </div>
      )}
    </>
  );
}

function Row({ queue }: { readonly queue: Queue }) {
  const { lanes } = queue;
  return (
    <li class="row row-queue">
      <span class="cell-name">
        <a href={hashOf({ page: 'dead', queue: queue.name })} data-item class="row-link">
          {queue.name}
        </a>
        <span class="quiet by">
          {words(queue.strategy)}
          {typeof queue.intake_depth === 'number' && `, ${count(queue.intake_depth)} in the intake`}
        </span>
      </span>
      {lanes === null ? (
        <span class="cell-no-lanes quiet">
          {queue.problem ?? 'Jobs are forwarded at once: nothing waits, and nothing dies.'}
        </span>
      ) : (
        <span class="lane-rows">
          <Lane name="stable" lane={lanes.stable} />
          <Lane name="canary" lane={lanes.canary} />
        </span>
      )}
      <span class="number cell-dead">
        {queue.dead !== null && queue.dead > 0 ? (
          <span class="badge badge-bad">
            <Icon name="dead" />
            {count(queue.dead)}
            <span class="unseen"> dead letters</span>
          </span>
        ) : (
          <span class="quiet">{queue.dead === null ? '–' : '0'}</span>
        )}
      </span>
    </li>
  );
}

function Lane({ name, lane }: { readonly name: 'stable' | 'canary'; readonly lane: QueueLane }) {
  return (
    <span class="lane-row">
      <span class={`lane-name lane-${name}`}>{name}</span>
      <Depth name="waiting" value={count(lane.waiting)} />
      <Depth name="delayed" value={count(lane.delayed)} />
      <Depth name="in flight" value={count(lane.in_flight)} />
      <Depth
        name="oldest"
        value={lane.oldest_age_seconds === null ? '–' : span(lane.oldest_age_seconds * 1000)}
      />
    </span>
  );
}

function Depth({ name, value }: { readonly name: string; readonly value: string }) {
  return (
    <span class="number labelled">
      <span class="label">{name} </span>
      {value}
    </span>
  );
}
