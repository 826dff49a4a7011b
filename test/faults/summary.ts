import type { JobCounts } from './invariants/jobs.ts';
import type { Use } from './invariants/baseline.ts';

/** What a run did and found, as Markdown. */
export interface Summary {
  readonly seed: number;
  readonly seconds: number;
  readonly dispatches: { readonly sent: number; readonly excused: number };
  readonly jobs: JobCounts & { readonly repeats: number };
  readonly deployments: Readonly<Record<string, number>>;
  readonly api: { readonly calls: number; readonly repeated: number };
  readonly epochs: number;
  readonly terms: number;
  readonly looks: number;
  /** Processes that did not come up in a minute, and were started once more. */
  readonly hungStarts: number;
  readonly faults: ReadonlyMap<string, number>;
  readonly before: ReadonlyMap<string, Use>;
  readonly after: ReadonlyMap<string, Use>;
  readonly violations: readonly string[];
}

export function toMarkdown(summary: Summary): string {
  const { dispatches, jobs, deployments, api, faults, violations } = summary;
  const all = [...faults.values()].reduce((sum, count) => sum + count, 0);
  const rows: readonly (readonly [string, string | number])[] = [
    ['seed', summary.seed],
    ['seconds of faults', summary.seconds],
    ['faults', all],
    ['dispatches to workers', dispatches.sent],
    ['… that ended with the proxy, the worker or the wire that they were on', dispatches.excused],
    ['jobs accepted for lanes', jobs.accepted],
    ['… executed', jobs.executed],
    ['… executed more than once', jobs.twice],
    ['… lost by Redis (flushed, or not yet written at a crash)', jobs.lostByRedis],
    ['… sent again before they were accepted', jobs.repeats],
    ['deployments', deployments['deployments'] ?? 0],
    ['… promoted by hand', deployments['promoted'] ?? 0],
    ['… rolled back by hand', deployments['rolledBack'] ?? 0],
    ['… ended by the judge', deployments['byJudge'] ?? 0],
    ['decisions lost by Redis', deployments['lost'] ?? 0],
    ['records compared with their events', deployments['eventsChecked'] ?? 0],
    ['API calls', api.calls],
    ['… asked again of another instance', api.repeated],
    ['new epochs', summary.epochs],
    ['terms of a judge', summary.terms],
    ['looks at revisions', summary.looks],
    ['starts that hung', summary.hungStarts],
    ['**violations**', `**${violations.length}**`],
  ];
  const uses = [...summary.before].map(([name, { sockets, memoryMb }]) => {
    const after = summary.after.get(name);
    return [name, sockets, after?.sockets ?? '', `${memoryMb} MB`, `${after?.memoryMb ?? ''} MB`] as const;
  });
  return [
    table(['what', 'count'], rows),
    table(['fault', 'times'], [...faults]),
    table(['process', 'sockets before', 'after', 'memory before', 'after'], uses),
    ...violations.map((line) => `- ${line}`),
  ].join('\n\n');
}

function table(head: readonly string[], rows: readonly (readonly (string | number)[])[]): string {
  return [head, head.map(() => '---'), ...rows].map((cells) => `| ${cells.join(' | ')} |`).join('\n');
}
