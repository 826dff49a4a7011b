import { freshness } from '../live/freshness.ts';
import { session, signOut } from '../live/session.ts';
import { hashOf, type Place } from '../model/place.ts';
import { Mark } from './icon.tsx';

const PAGES = [
  ['Deployments', { page: 'deployments' }, ['deployments', 'deployment']],
  ['Workers', { page: 'workers' }, ['workers']],
  ['Queues', { page: 'queues' }, ['queues', 'dead']],
] as const satisfies readonly (readonly [string, Place, readonly Place['page'][]])[];

export function Header({ place, onKeys }: { readonly place: Place; readonly onKeys: () => void }) {
  const credential = session.value?.credential;
  const isLive = freshness.value.staleSince === undefined;
  return (
    <header class="top">
      <a class="brand" href={hashOf({ page: 'deployments' })}>
        <Mark />
        Lanewise
      </a>
      <nav aria-label="Pages">
        {PAGES.map(([name, target, pages]) => (
          <a
            key={name}
            href={hashOf(target)}
            aria-current={(pages as readonly string[]).includes(place.page) ? 'page' : undefined}
          >
            {name}
          </a>
        ))}
      </nav>
      <div class="top-end">
        <span class={isLive ? 'pulse' : 'pulse pulse-stale'}>{isLive ? 'live' : 'stale'}</span>
        <span class="who" title={`Signed in as ${credential?.name ?? ''}`}>
          {credential?.name} <span class="quiet">{credential?.role}</span>
        </span>
        <button type="button" class="button button-bare" onClick={() => signOut()}>
          Sign out
        </button>
        <button type="button" class="button button-bare key-button" aria-label="Keys" onClick={onKeys}>
          <kbd>?</kbd>
        </button>
      </div>
    </header>
  );
}
