import type { DeadJob, JobAttempt } from '../../../src/client/api-types.ts';
import { now } from '../live/clock.ts';
import { clockTime, plural } from '../model/format.ts';

/** One dead letter; opened, its attempts and its body. */
export function DeadJobRow(props: {
  readonly job: DeadJob;
  readonly isSelected: boolean;
  readonly onToggle: () => void;
}) {
  const { job } = props;
  const name = job.job_id ?? job.id;
  return (
    <li class="dead-row">
      <input
        type="checkbox"
        aria-label={`Select ${name}`}
        checked={props.isSelected}
        onChange={props.onToggle}
      />
      <details>
        <summary data-item>
          <span class="dead-name">{name}</span>
          <span class={`lane-name lane-${job.lane}`}>{job.lane}</span>
          <span class="dead-reason">{job.reason}</span>
          <time class="quiet" dateTime={job.at}>
            {clockTime(Date.parse(job.at), now.value)}
          </time>
        </summary>
        <dl class="facts">
          <Fact name="Sticky key" value={job.key} />
          <Fact name="Tenant" value={job.tenant_id} />
          <Fact
            name="Enqueued"
            value={job.enqueued_at === null ? null : clockTime(Date.parse(job.enqueued_at), now.value)}
          />
        </dl>
        <h3>{plural(job.history.length, 'attempt')}</h3>
        <ol class="attempts">
          {job.history.map((attempt) => (
            <li key={attempt.at}>{attemptText(attempt)}</li>
          ))}
        </ol>
        <h3>Body {job.body_bytes !== null && <span class="quiet">{plural(job.body_bytes, 'byte')}</span>}</h3>
        <pre class="body" tabIndex={0} aria-label={`Body of ${name}`}>
          <code>{job.body ?? 'It could not be read.'}</code>
        </pre>
      </details>
    </li>
  );
}

function Fact({ name, value }: { readonly name: string; readonly value: string | null }) {
  return (
    <div>
      <dt>{name}</dt>
      <dd>{value ?? '–'}</dd>
    </div>
  );
}

function attemptText({ at, version, worker, outcome, status, message }: JobAttempt): string {
  const by = worker === undefined ? version : `${version} on ${worker}`;
  const answer = status === undefined ? outcome : `${outcome} with status ${status}`;
  const said = message === undefined || message === '' ? '' : `: ${message}`;
  return `${new Date(at).toLocaleTimeString('en')} ${answer}, ${by}${said}`;
}
